"""The one interface of everything that delivers samples live, whatever it is plugged into.

A device knows its own protocol and nothing of time stamps, LSL or retries: `stamps` lays its samples
in time, `device_loop` publishes them and brings the device back after a loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import RtasmrError
from rtasmr.types import StreamSpec

BUILT_IN = "built in, perhaps empty"
"""What a search says of a port of the computer itself: nothing tells whether a sensor is on it."""


class DeviceError(RtasmrError):
    """A device cannot be used at the moment; trying again later may help."""


class DeviceMissingError(DeviceError):
    """Nothing answers at the address: not plugged in, switched off or out of reach."""


class DeviceBusyError(DeviceError):
    """Another program holds the device."""


class DevicePermissionError(DeviceError):
    """The system does not let this user open the device."""


class DeviceLostError(DeviceError):
    """A device that was open is gone or has fallen silent."""


class DeviceDataError(DeviceError):
    """A device delivers something other than what it was said to deliver."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Consecutive samples that a device handed over together.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_channels)
        In the type that the device's `StreamSpec` names. NaN where the device says that a sample is lost.
    arrival : float
        LSL time in seconds at which the last sample is known to have existed: the moment of arrival,
        or what a driver knows better (the capture time of a sound card's block). It may be late by
        any delay; it must not be early.
    counter : ndarray of shape (n_samples,), int64, or None
        The device's own running index of each sample, unwrapped (`CounterUnwrapper`); a jump is a
        loss of that many samples, a fall a restart of the device. None where the device does not count.
    """

    samples: NDArray[Any]
    arrival: float
    counter: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How a device is.

    Parameters
    ----------
    link : str
        A word or two on the connection (``115200 baud``, ``RSSI -60 dBm``).
    battery_percent : float or None
        None where the device does not tell.
    errors : mapping of str to int
        What went wrong since `Device.open` was last called, counted (``{"bad crc": 3}``).
    """

    link: str = ""
    battery_percent: float | None = None
    errors: Mapping[str, int] = field(default_factory=dict)


class Device(Protocol):
    """Something that delivers samples of one stream; driven from one thread.

    `open` may be called again after `close`, as often as the device is lost.
    """

    @property
    def spec(self) -> StreamSpec | None:
        """What it publishes: known once `open` has returned, and the same after every `open`.

        None while the device finds out its rate; `read` is called meanwhile and returns None.
        ``source_id`` tells one device from another and stays the same from run to run. It goes into
        recordings: derive it from an address that names a person's device (Bluetooth) by a hash.
        Declare ``burst_s`` in ``desc`` where samples come in bursts of more than 0.1 s.
        """
        ...

    def open(self) -> None:
        """Connect and start the data.

        Raises
        ------
        DeviceError
            If that fails; the message is one line and says what to do.
        """
        ...

    def read(self, timeout_s: float) -> Reading | None:
        """Return what has come, waiting at most about ``timeout_s`` seconds; None if nothing has.

        Raises
        ------
        DeviceError
            If the device is gone or delivers nonsense.
        """
        ...

    def close(self) -> None:
        """Stop the data and let go of the device; never fails, and does nothing when closed."""
        ...

    def health(self) -> Health:
        """Return how the device is, without waiting for it."""
        ...


class CounterUnwrapper:
    """Turn a counter of few bits into one that never wraps.

    Parameters
    ----------
    n_bits : int
        Width of the device's counter.
    """

    def __init__(self, n_bits: int) -> None:
        self._modulus = 1 << n_bits
        self._last: int | None = None

    def unwrap(self, raw: int) -> int:
        """Return the running value of ``raw``, at least as large as the last one.

        Every step is taken as forward, so that a loss of a whole turn or more cannot be seen, and a
        reset looks like a loss: the stamps tell both from the arrival.
        """
        if self._last is None:
            self._last = raw % self._modulus
        else:
            self._last += (raw - self._last) % self._modulus
        return self._last

    def reset(self) -> None:
        """Begin again, as after a new connection."""
        self._last = None
