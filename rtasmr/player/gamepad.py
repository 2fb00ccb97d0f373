"""Ratings from an axis of a game pad, stamped by the kernel when it moved (Linux)."""

from __future__ import annotations

import select
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import pylsl

from rtasmr.errors import RtasmrError
from rtasmr.player.rating import MAX_LEVEL

EV_KEY, EV_ABS = 1, 3
AXES: Mapping[str, int] = {
    "x": 0,
    "y": 1,
    "z": 2,
    "rx": 3,
    "ry": 4,
    "rz": 5,
    "throttle": 6,
    "gas": 9,
    "brake": 10,
}
"""Axes by name, with the numbers that Linux gives them."""

TRIGGERS = ("rz", "z", "gas", "brake", "throttle")
"""Axes that rest at one end; the first that a pad has is the default. The others rest in the middle."""

DEAD_ZONE = 0.05
"""Share of an axis near its rest that counts as rest: no stick returns exactly."""

MAX_EVENT_AGE_S = 1.0
_SET_CLOCK = 0x400445A0  # EVIOCSCLOCKID of linux/input.h
_WAIT_S = 0.2


class GamePadError(RtasmrError):
    """There is no game pad, or it has gone."""


class AxisRange(Protocol):
    """Ends of an axis, as the driver reports them."""

    min: int
    max: int


class Event(Protocol):
    """What happened at a device."""

    type: int
    code: int
    value: int

    def timestamp(self) -> float:
        """Return the kernel's time of it in seconds."""


class Device(Protocol):
    """What is needed of `evdev.InputDevice`."""

    name: str

    def fileno(self) -> int:
        """Return a handle that is readable when something has happened."""

    def read(self) -> Iterable[Event]:
        """Return what has happened; OSError if the device is gone."""

    def absinfo(self, axis_num: int) -> AxisRange:
        """Return the range of an axis."""

    def close(self) -> None:
        """Release the device."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis and what its positions mean.

    Parameters
    ----------
    name : str
        One of `AXES`.
    low, high : int
        Its ends.
    """

    name: str
    low: int
    high: int

    def rating(self, value: int) -> float:
        """Return the rating, 0 to 3, at a position.

        A trigger gives 0 released and 3 pressed; a stick 0 at rest and pulled back, 3 pushed to the end
        (up or right).
        """
        share = (value - self.low) / (self.high - self.low)
        if self.name not in TRIGGERS:
            # Vertical axes count downwards.
            share = 1 - 2 * share if self.name in ("y", "ry") else 2 * share - 1
        live = (share - DEAD_ZONE) / (1 - DEAD_ZONE)
        return round(MAX_LEVEL * max(0.0, min(1.0, live)), 3)


class GamePad:
    """Hands on what an axis of a pad says, on a thread of its own; use it as a context manager.

    Parameters
    ----------
    device : Device
    axis : Axis
    on_rating : callable
        Takes a rating, 0 to 3, and its LSL time in seconds.
    on_lost : callable
        Takes one line when the pad is gone.
    """

    def __init__(
        self,
        device: Device,
        axis: Axis,
        on_rating: Callable[[float, float], object],
        on_lost: Callable[[str], object],
    ) -> None:
        self.device = device
        self.axis = axis
        self._on_rating = on_rating
        self._on_lost = on_lost
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gamepad", daemon=True)

    def __enter__(self) -> GamePad:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join(1.0)
        self.device.close()

    def _run(self) -> None:
        code = AXES[self.axis.name]
        while not self._closed.is_set():
            try:
                if not select.select([self.device.fileno()], [], [], _WAIT_S)[0]:
                    continue
                events = list(self.device.read())
            except OSError as error:
                self._on_lost(f"game pad {self.device.name} is gone ({error.strerror}): rate with the keys")
                return
            for event in events:
                if (event.type, event.code) == (EV_ABS, code):
                    self._on_rating(self.axis.rating(event.value), stamp_of(event.timestamp()))


def stamp_of(kernel_s: float) -> float:
    """Return the LSL time in seconds of an event that the kernel stamped.

    It was asked to stamp with the clock that LSL uses; where it did not, the event counts as of now.
    """
    now_s = float(pylsl.local_clock())
    return kernel_s if 0.0 <= now_s - kernel_s <= MAX_EVENT_AGE_S else now_s


def choose_axis(device: Device, axes: Iterable[int], wanted: str) -> Axis:
    """Return the axis of that name, or the default of the pad.

    Parameters
    ----------
    device : Device
    axes : iterable of int
        Numbers of the axes that the device has.
    wanted : str
        One of `AXES`; empty takes the first trigger, else the vertical stick.

    Raises
    ------
    GamePadError
        If the pad has no such axis.
    """
    there = {name for name, code in AXES.items() if code in set(axes)}
    order = (wanted,) if wanted else (*TRIGGERS, "y", "ry", "x", "rx")
    name = next((name for name in order if name in there), None)
    if name is None:
        raise GamePadError(
            f"expected an axis {wanted or 'of any kind'} at {device.name}, it has "
            f"{', '.join(sorted(there)) or 'none'}; choose one with --gamepad-axis"
        )
    span = device.absinfo(AXES[name])
    if span.max <= span.min:
        raise GamePadError(f"expected a range of axis {name} at {device.name}, got none; choose another axis")
    return Axis(name, span.min, span.max)


def open_gamepad(
    name: str, axis: str, on_rating: Callable[[float, float], object], on_lost: Callable[[str], object]
) -> GamePad:
    """Open the pad whose name holds ``name``, or the first there is.

    Raises
    ------
    GamePadError
        If there is none, it may not be read, or it has no such axis.
    """
    try:
        import fcntl

        import evdev  # an extra, for Linux only
    except ModuleNotFoundError as error:
        raise GamePadError(
            "a game pad needs evdev (Linux), which is not installed; pip install 'rtasmr[gamepad]', "
            "or rate with --rate slider"
        ) from error
    found: list[Any] = [evdev.InputDevice(path) for path in evdev.list_devices()]
    pads = [pad for pad in found if {EV_KEY, EV_ABS} <= pad.capabilities().keys()]
    fits = [pad for pad in pads if name.casefold() in pad.name.casefold()]
    chosen = fits[0] if fits else None
    for other in found:
        if other is not chosen:
            other.close()
    if chosen is None:
        names = ", ".join(pad.name for pad in pads) or "none"
        raise GamePadError(
            f"expected a game pad{f' {name!r}' if name else ''}, found {names}; plug it in, or let this user "
            "read it (group input)"
        )
    # From here on the kernel stamps with the clock of LSL.
    fcntl.ioctl(chosen.fileno(), _SET_CLOCK, struct.pack("i", time.CLOCK_MONOTONIC))
    axes = [code for code, _ in chosen.capabilities(absinfo=True)[EV_ABS]]
    return GamePad(chosen, choose_axis(chosen, axes, axis), on_rating, on_lost)
