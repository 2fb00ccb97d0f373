"""The measurement service (PMD) of Polar's optical sensors: requests, answers and frames of the pulse.

Bytes in, values out: no radio here. Everything that comes is bounded before it is read.

References
----------
Polar BLE SDK, technical documentation: online measurement specification. Numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.sources.device import DeviceDataError

CONTROL_UUID = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA_UUID = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

PPG = 1
SDK_MODE = 9
"""Kinds of measurement; the second is no measurement but unlocks further rates of the others."""

GET_SETTINGS, START, STOP = 1, 2, 3

SAMPLE_RATE, RESOLUTION, CHANNELS = 0, 1, 4
_SETTING_BYTES = {SAMPLE_RATE: 2, RESOLUTION: 2, 2: 2, 3: 4, CHANNELS: 1, 5: 4, 6: 16}

ALREADY_SO = 6
INVALID_STATE = 12
STATUS = (
    "success",
    "invalid request",
    "invalid measurement",
    "not supported",
    "invalid length",
    "invalid parameter",
    "already in that state",
    "invalid resolution",
    "invalid sample rate",
    "invalid range",
    "invalid packet size",
    "invalid number of channels",
    "invalid state",
    "in the charger",
)
_FEATURES, _ANSWER = 0x0F, 0xF0
_ANSWER_BYTES = 5

N_CHANNELS = 4
"""Three pulse channels and ambient light."""

MAX_FRAME_BYTES = 512
"""The longest value that Bluetooth LE carries."""

_HEADER_BYTES = 10
_SAMPLE_BYTES = 3
_COMPRESSED = 0x80
_MAX_BITS = 25
"""Two samples of 24 bits differ by no more."""

_LIMIT = 1 << 23

MAX_GAP_S = 30.0
"""A connection that loses packets for longer is cut; a larger jump means that the sensor's clock was set."""

MAX_STRETCH = 0.1
RATE_WEIGHT = 0.1
"""A frame that took up to this much more or less than its samples last shows the true rate, with at least
this weight; one that took longer came after a lost one."""


class PmdError(DeviceDataError):
    """Bytes that are not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sensor says to a request.

    Parameters
    ----------
    request, measurement : int
        What is answered.
    status : int
        0 is success; words in `STATUS`.
    has_more : bool
        Whether the parameters go on in the next packet, behind one byte that says the same of that one.
    parameters : bytes
    """

    request: int
    measurement: int
    status: int
    has_more: bool
    parameters: bytes

    @property
    def words(self) -> str:
        """The status in words."""
        return STATUS[self.status] if self.status < len(STATUS) else f"status {self.status}"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Consecutive samples of the pulse.

    Parameters
    ----------
    time_ns : int
        Of the last sample, on the sensor's clock: nanoseconds since 2000-01-01.
    samples : ndarray of shape (n_samples, 4), int32
        Three pulse channels and ambient light, in counts.
    """

    time_ns: int
    samples: NDArray[np.int32]


def start_request(measurement: int, settings: Mapping[int, int]) -> bytes:
    """Return the request to start a measurement; one value per setting."""
    request = bytearray((START, measurement))
    for setting, value in settings.items():
        request += bytes((setting, 1)) + value.to_bytes(_SETTING_BYTES[setting], "little")
    return bytes(request)


def read_features(data: bytes) -> frozenset[int]:
    """Return the measurements that a sensor offers, from the value of its control point.

    Raises
    ------
    PmdError
        If that is something else.
    """
    if len(data) < 2 or data[0] != _FEATURES:
        raise PmdError(f"expected a list of measurements, got {_shown(data)}. Update the sensor's firmware.")
    bits = int.from_bytes(data[1:3], "little")
    return frozenset(kind for kind in range(16) if bits >> kind & 1)


def read_answer(data: bytes) -> Answer:
    """Read an answer of the control point.

    Raises
    ------
    PmdError
        If it is none.
    """
    # A refusal may end with its status.
    if not _ANSWER_BYTES - 1 <= len(data) <= MAX_FRAME_BYTES or data[0] != _ANSWER:
        raise PmdError(f"expected an answer to a request, got {_shown(data)}. Restart the sensor.")
    has_more = len(data) >= _ANSWER_BYTES and data[4] != 0
    return Answer(data[1], data[2], data[3], has_more, data[_ANSWER_BYTES:])


def read_settings(parameters: bytes) -> dict[int, tuple[int, ...]]:
    """Return the values that can be chosen, by setting.

    Raises
    ------
    PmdError
        If they are cut short or of an unknown kind.
    """
    settings: dict[int, tuple[int, ...]] = {}
    at = 0
    while at < len(parameters):
        kind, count = parameters[at], parameters[at + 1] if at + 1 < len(parameters) else 0
        size = _SETTING_BYTES.get(kind, 0)
        end = at + 2 + size * count
        if not size or not count or end > len(parameters):
            raise PmdError(f"expected settings, got {_shown(parameters)}. Update the sensor's firmware.")
        values = range(at + 2, end, size)
        settings[kind] = tuple(int.from_bytes(parameters[i : i + size], "little") for i in values)
        at = end
    return settings


def read_frame(data: bytes) -> Frame:
    """Decode a frame of the pulse, plain or compressed.

    Raises
    ------
    PmdError
        If it is malformed.
    """
    if not _HEADER_BYTES < len(data) <= MAX_FRAME_BYTES or data[0] != PPG:
        raise PmdError(f"expected a frame of the pulse, got {_shown(data)}. Restart the sensor.")
    time_ns, kind = struct.unpack_from("<QB", data, 1)
    content = data[_HEADER_BYTES:]
    if kind == 0:
        samples = _plain(content)
    elif kind == _COMPRESSED:
        samples = _compressed(content)
    else:
        raise PmdError(f"expected a frame of type 0, got type {kind & 0x7F}. Use a Verity Sense or an OH1.")
    return Frame(time_ns, samples)


def _plain(content: bytes) -> NDArray[np.int32]:
    """Return samples of 24 bits, shape (n_samples, 4)."""
    if len(content) % (N_CHANNELS * _SAMPLE_BYTES):
        raise PmdError(f"expected whole samples of 12 bytes, got {len(content)} bytes. Restart the sensor.")
    parts = np.frombuffer(content, np.uint8).reshape(-1, N_CHANNELS, _SAMPLE_BYTES).astype(np.int32)
    values = parts[..., 0] | parts[..., 1] << 8 | parts[..., 2] << 16
    return np.where(values >= _LIMIT, values - 2 * _LIMIT, values).astype(np.int32)


def _compressed(content: bytes) -> NDArray[np.int32]:
    """Return a first sample of 24 bits and those that follow from blocks of differences.

    A block is the width of a difference in bits, the number of samples, and the differences of all
    channels, lowest bit first, filled up to a whole byte.
    """
    at = N_CHANNELS * _SAMPLE_BYTES
    if len(content) < at:
        raise PmdError(f"expected a first sample of 12 bytes, got {len(content)} bytes. Restart the sensor.")
    steps = [_plain(content[:at]).astype(np.int64)]
    while at < len(content):
        n_bits, count = content[at], content[at + 1] if at + 1 < len(content) else 0
        end = at + 2 + -(-n_bits * count * N_CHANNELS // 8)
        if not 1 <= n_bits <= _MAX_BITS or not count or end > len(content):
            raise PmdError(
                f"expected {count} differences of {n_bits} bits, got {len(content) - at} bytes. "
                "Restart the sensor."
            )
        bits = np.unpackbits(np.frombuffer(content[at + 2 : end], np.uint8), bitorder="little")
        digits = bits[: n_bits * count * N_CHANNELS].reshape(count, N_CHANNELS, n_bits).astype(np.int64)
        weights = 1 << np.arange(n_bits, dtype=np.int64)
        weights[-1] *= -1  # two's complement
        steps.append(digits @ weights)
        at = end
    samples = np.cumsum(np.concatenate(steps), axis=0)
    if samples.min() < -_LIMIT or samples.max() >= _LIMIT:
        raise PmdError("expected samples of 24 bits, got differences that leave them. Restart the sensor.")
    return samples.astype(np.int32)


class FrameCounter:
    """Number the samples of frames by the sensor's clock, so that lost frames leave a gap.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz; the sensor's true one is followed.
    """

    def __init__(self, sfreq: float) -> None:
        self._period_ns = 1e9 / sfreq
        self._n_measured = 0
        self._last: tuple[int, int] | None = None

    def number(self, frame: Frame) -> NDArray[np.int64]:
        """Return the running index of each sample."""
        n_samples = len(frame.samples)
        first = 0
        if self._last is not None:
            last_index, last_ns = self._last
            elapsed_ns = frame.time_ns - last_ns
            stretch = elapsed_ns / (n_samples * self._period_ns)
            n_lost = 0
            if abs(stretch - 1) <= MAX_STRETCH:
                self._n_measured += 1
                self._period_ns *= 1 + max(RATE_WEIGHT, 1 / self._n_measured) * (stretch - 1)
            elif stretch > 1 and elapsed_ns <= MAX_GAP_S * 1e9:
                n_lost = round(elapsed_ns / self._period_ns) - n_samples
            first = last_index + 1 + n_lost
        self._last = first + n_samples - 1, frame.time_ns
        return np.arange(first, first + n_samples, dtype=np.int64)


def _shown(data: bytes) -> str:
    return f"{len(data)} bytes ({data[:12].hex(' ')})"
