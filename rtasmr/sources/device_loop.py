"""Run one device: connect, stamp, publish, and bring it back after a loss."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType, TracebackType

import numpy as np
import pylsl

from rtasmr.errors import ConfigError
from rtasmr.sources.device import Device, DeviceError, DeviceLostError, Reading
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.pacing import STOPPED_DRAIN_S
from rtasmr.sources.stamps import MAX_SLOPE, Stamper
from rtasmr.types import StreamSpec

READ_S = 0.1
"""How long one read waits, in seconds: bounds how late a stop is seen."""

SILENT_AFTER_S = 2.0
SILENT_AFTER_BURSTS = 2.0
START_S = 5.0
"""A device that is connected and sends nothing for this many seconds, plus bursts, counts as lost.

It may need more time for its first sample: a board that restarts when its port is opened takes 2 s.
"""

BACKOFF_S = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Waits before each further attempt; the last one repeats."""

RATE_CHECK_S = 10.0
RATE_CHECK_BURSTS = 20.0
WARN_RATIO = 0.02
SURE_FACTOR = 1.9
"""A declared rate is checked after so many seconds, and bursts, and is told if it is this far off.

Off by more than `MAX_SLOPE` it is refused, since the stamps would run away from the samples by seconds: at
once if by this factor, else when the same time again shows it, as a stall of the computer would not.
"""

SET_RATE = "Set --sfreq {}, or leave it out to measure it."

HEALTH_EVERY_S = 10.0
LOW_BATTERY_PERCENT = 15.0


@dataclass(slots=True)
class DeviceTally:
    """What happened: samples sent and lost on the way, losses of the device, breaks of its sample grid."""

    n_sent: int = 0
    n_lost: int = 0
    n_disconnects: int = 0
    n_breaks: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the account that ends a run."""
        parts = [f"sent {self.n_sent} samples", f"lost {self.n_lost}", f"disconnects {self.n_disconnects}"]
        parts += [f"breaks {self.n_breaks}", *(f"{what} {n}" for what, n in self.errors.items())]
        return ", ".join(parts)


class DeviceLoop:
    """Publishes one device until stopped.

    The stream exists while the device delivers: a consumer sees a loss at once, and finds the same
    ``source_id`` again when the device is back.

    Parameters
    ----------
    device : Device
    say : callable
        Takes lines for people.
    name, source_id : str
        In place of what the device calls itself; empty to keep that.
    desc : mapping of str to str
        What the user says of the device, published beside what it says of itself.
    keep_trying : bool
        Wait for a device that is not there at the start, instead of failing.
    silent_after_s : float
        Seconds without a sample after which the device counts as lost.
    rate_advice : str
        What the user can do about a rate that is wrong; ``{}`` is the rate that arrives.
    """

    def __init__(
        self,
        device: Device,
        say: Callable[[str], None],
        *,
        name: str = "",
        source_id: str = "",
        desc: Mapping[str, str] = MappingProxyType({}),
        keep_trying: bool = False,
        silent_after_s: float = SILENT_AFTER_S,
        rate_advice: str = SET_RATE,
    ) -> None:
        self._device = device
        self._say = say
        self._name = name
        self._source_id = source_id
        self._desc = desc
        self._keep_trying = keep_trying
        self._silent_after_s = silent_after_s
        self._rate_check = RateCheck(say, rate_advice)
        self._has_delivered = False
        self._n_failures = 0
        self._told = ""
        self._told_battery = False
        self.tally = DeviceTally()

    def run(self, stop: threading.Event) -> DeviceTally:
        """Publish until ``stop`` is set.

        Raises
        ------
        DeviceError
            If the device fails before its first sample, unless told to keep trying.
        ConfigError
            If its rate is not the declared one by more than 10 %.
        """
        while not stop.is_set():
            try:
                self._device.open()
                self._publish(stop)
            except DeviceError as error:
                if not (self._has_delivered or self._keep_trying):
                    raise
                self._note_loss(error)
            finally:
                self._count_errors()
                self._device.close()
            if self._n_failures:
                stop.wait(BACKOFF_S[min(self._n_failures, len(BACKOFF_S)) - 1])
        return self.tally

    def _note_loss(self, error: DeviceError) -> None:
        # The same words again say nothing new, and a device may be away for hours.
        if str(error) != self._told:
            self._told = str(error)
            self._say(f"{error} Trying again until it works.")
        self._n_failures += 1

    def _publish(self, stop: threading.Event) -> None:
        """Read, stamp and send until stopped or lost."""
        spec = self._await_spec(stop)
        if spec is None:
            return
        n_before = self.tally.n_sent
        silence = _Silence(spec, self._silent_after_s)
        health_due = pylsl.local_clock() + HEALTH_EVERY_S
        with _Publication(spec, self._rate_check) as publication:
            try:
                while not stop.is_set():
                    reading = self._device.read(READ_S)
                    now = pylsl.local_clock()
                    silence.check(reading, now)
                    if reading is not None and (n_sent := publication.push(reading)):
                        self.tally.n_sent += n_sent
                        self._note_delivery(spec)
                    if now >= health_due:
                        health_due = now + HEALTH_EVERY_S
                        self._check_battery()
                time.sleep(STOPPED_DRAIN_S)
            except DeviceError:
                self.tally.n_disconnects += self.tally.n_sent > n_before
                raise
            finally:
                self.tally.n_lost += publication.n_lost
                self.tally.n_breaks += publication.n_breaks

    def _await_spec(self, stop: threading.Event) -> StreamSpec | None:
        """Return what to publish; None if stopped while the device was still finding out its rate."""
        while (spec := self._device.spec) is None:
            if stop.is_set():
                return None
            self._device.read(READ_S)
        return replace(
            spec,
            name=self._name or spec.name,
            source_id=self._source_id or spec.source_id,
            desc={**spec.desc, **self._desc},
        )

    def _note_delivery(self, spec: StreamSpec) -> None:
        if self._told:
            self._say(f"{spec.name} ({spec.source_id}) is there again")
        self._told, self._n_failures, self._has_delivered = "", 0, True

    def _check_battery(self) -> None:
        percent = self._device.health().battery_percent
        is_low = percent is not None and percent < LOW_BATTERY_PERCENT
        if is_low and not self._told_battery:
            self._say(f"battery at {percent:g} %: charge it soon")
        self._told_battery = is_low

    def _count_errors(self) -> None:
        for what, n in self._device.health().errors.items():
            self.tally.errors[what] = self.tally.errors.get(what, 0) + n


class _Publication:
    """One life of the stream: stamps readings and sends them.

    Parameters
    ----------
    spec : StreamSpec
    rate_check : RateCheck
        Takes up counting with this connection.
    """

    def __init__(self, spec: StreamSpec, rate_check: RateCheck) -> None:
        burst_s = declared_burst_s(spec)
        self._stamper = Stamper(spec.sfreq, burst_s) if spec.sfreq > 0 else None
        self._rate_check = rate_check
        self._rate_check.begin(spec.sfreq, burst_s)
        self._outlet = Outlet(spec)

    def __enter__(self) -> _Publication:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._outlet.close()

    @property
    def n_lost(self) -> int:
        """Samples that the device's counter shows to be lost."""
        return 0 if self._stamper is None else self._stamper.n_lost

    @property
    def n_breaks(self) -> int:
        """Breaks of the sample grid."""
        return 0 if self._stamper is None else max(0, self._stamper.n_stretches - 1)

    def push(self, reading: Reading) -> int:
        """Send what can be stamped; return the number of samples sent."""
        if self._stamper is None:
            self._outlet.push_at(reading.samples, np.full(len(reading.samples), reading.arrival))
            return len(reading.samples)
        self._rate_check.update(reading)
        stamped = self._stamper.push(reading)
        if stamped is None:
            return 0
        self._outlet.push_at(stamped.samples, stamped.times)
        return len(stamped.times)


class _Silence:
    """Raises when a device that is connected has sent nothing for too long."""

    def __init__(self, spec: StreamSpec, silent_after_s: float) -> None:
        self._what = f"{spec.name} ({spec.source_id})"
        self._bursts_s = SILENT_AFTER_BURSTS * declared_burst_s(spec)
        self._silent_after_s = silent_after_s
        self._limit_s = START_S + self._bursts_s
        self._heard = float(pylsl.local_clock())

    def check(self, reading: Reading | None, now: float) -> None:
        if reading is not None and len(reading.samples):
            self._heard = now
            self._limit_s = self._silent_after_s + self._bursts_s
        elif now - self._heard > self._limit_s:
            raise DeviceLostError(
                f"expected samples of {self._what}, got none for {self._limit_s:g} s. "
                "Check cable, battery and what the device runs."
            )


class RateCheck:
    """Compares the declared rate with what the first seconds of a connection deliver.

    Parameters
    ----------
    say : callable
        Takes one line if the rate is off by more than 2 %.
    advice : str
        What the user can do about it; ``{}`` is the rate that arrives.
    """

    def __init__(self, say: Callable[[str], None], advice: str = SET_RATE) -> None:
        self._say = say
        self._advice = advice
        self._is_done = self._is_suspect = False
        self._sfreq = 0.0
        self._check_s = 0.0
        self._n_samples = 0
        self._first: tuple[int, float] | None = None

    def begin(self, sfreq: float, burst_s: float) -> None:
        """Count anew: rate in Hz, longest time between two deliveries in seconds."""
        self._sfreq = sfreq
        self._check_s = max(RATE_CHECK_S, RATE_CHECK_BURSTS * burst_s)
        self._first = None

    def update(self, reading: Reading) -> None:
        """Count a reading.

        Raises
        ------
        ConfigError
            If the rate is off by more than the stamps can follow.
        """
        if self._is_done or len(reading.samples) == 0:
            return
        self._n_samples += len(reading.samples)
        index = self._n_samples if reading.counter is None else int(reading.counter[-1])
        if self._first is None or index < self._first[0]:
            self._first = index, reading.arrival
        elapsed_s = reading.arrival - self._first[1]
        if elapsed_s < self._check_s:
            return
        measured = (index - self._first[0]) / elapsed_s
        is_beyond = abs(self._sfreq - measured) > MAX_SLOPE * measured
        is_sure = self._is_suspect or not 1 / SURE_FACTOR < measured / self._sfreq < SURE_FACTOR
        if is_beyond and not is_sure:
            self._is_suspect, self._first = True, (index, reading.arrival)
            return
        self._is_done = True
        told = f"the rate declared is {self._sfreq:g} Hz, {measured:.4g} Hz arrive"
        advice = self._advice.format(f"{measured:.4g}")
        if is_beyond:
            raise ConfigError(f"{told}: refused. {advice}")
        if abs(measured / self._sfreq - 1) > WARN_RATIO:
            self._say(f"{told}: followed. {advice}")


def declared_burst_s(spec: StreamSpec) -> float:
    """Return the longest time between two deliveries that one of our own devices declares, in seconds."""
    return float(spec.desc.get("burst_s", 0.0))
