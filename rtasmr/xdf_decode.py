"""The samples of one XDF chunk as arrays, each length followed to its end."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from rtasmr.xdf_format import NUMPY_FORMATS, STAMP_BYTES, STRING, sample_record
from rtasmr.xdf_xml import CorruptError

_BLOCK = 2**16
"""Samples decoded at a time where stamps are missing: bounds what the way to them takes in memory."""

_STAMP = struct.Struct("<d")

Samples = tuple[NDArray[np.float64], NDArray[Any]]
"""Stamps (n,) in seconds and values (n, n_channels), of dtype object for text."""


@dataclass(slots=True)
class SampleDecoder:
    """Turns the sample chunks of one stream into arrays, in the order of the file.

    A sample without a stamp follows the one before it, in this chunk or an earlier one, by one nominal
    interval; the sums are those of the other readers, to the last bit.

    Parameters
    ----------
    dtype : str
        LSL channel format.
    n_channels : int
    sfreq : float
        Nominal rate in Hz; 0.0 for an irregular stream, whose unstamped samples repeat the last stamp.
    """

    dtype: str
    n_channels: int
    sfreq: float
    last_stamp: float = 0.0
    _interval_s: float = field(init=False)
    _min_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self._interval_s = 1.0 / self.sfreq if self.sfreq > 0 else 0.0
        # A text is a length at least: how many bytes it takes, and 0.
        width = 2 if self.dtype == STRING else NUMPY_FORMATS[self.dtype].itemsize
        self._min_bytes = 1 + self.n_channels * width

    def decode(self, body: bytes) -> Samples:
        """Return what a chunk holds.

        Raises
        ------
        CorruptError
            The chunk holds more or fewer bytes than its samples take.
        """
        try:
            n_samples, start = read_varint(body, 0)
            if n_samples > len(body) - start:
                raise CorruptError(f"{n_samples} samples in {len(body)} bytes")
            if n_samples * self._min_bytes > len(body) - start:  # before any memory is taken for them
                raise IndexError(n_samples)
            if self.dtype == STRING:
                return self._texts(body, start, n_samples)
            return self._numbers(body, start, n_samples)
        except IndexError as error:
            raise CorruptError("samples that reach beyond their chunk") from error

    def _numbers(self, body: bytes, start: int, n_samples: int) -> Samples:
        stored = NUMPY_FORMATS[self.dtype]
        record = sample_record(self.dtype, self.n_channels)
        if len(body) - start == n_samples * record.itemsize:
            # Every sample stamped, as our own writer does it: one record each.
            records = np.frombuffer(body, dtype=record, offset=start)
            if (records["n_stamp_bytes"] == STAMP_BYTES).all():
                times = records["stamp"].astype(np.float64)
                if n_samples:
                    self.last_stamp = float(times[-1])
                return times, records["values"]
        width = self.n_channels * stored.itemsize
        times, values = np.empty(n_samples), np.empty((n_samples, width), np.uint8)
        position = start
        for first in range(0, n_samples, _BLOCK):
            block = slice(first, min(first + _BLOCK, n_samples))
            stamps, ends = array("d"), array("q")
            for _ in range(block.start, block.stop):
                stamp, position = self._stamp(body, position)
                position += width
                stamps.append(stamp)
                ends.append(position)
            if position > len(body):
                break
            windows = sliding_window_view(np.frombuffer(body, np.uint8), width)
            times[block] = stamps
            values[block] = windows[np.frombuffer(ends, np.int64) - width]
        _check_end(body, position, n_samples)
        return times, values.view(stored).reshape(n_samples, self.n_channels)

    def _texts(self, body: bytes, start: int, n_samples: int) -> Samples:
        times = np.empty(n_samples)
        texts = np.empty((n_samples, self.n_channels), dtype=object)
        position = start
        for i in range(n_samples):
            times[i], position = self._stamp(body, position)
            for channel in range(self.n_channels):
                n_bytes, position = read_varint(body, position)
                text = body[position : position + n_bytes]
                position += n_bytes
                texts[i, channel] = text.decode("utf-8", errors="replace")
        _check_end(body, position, n_samples)
        return times, texts

    def _stamp(self, body: bytes, position: int) -> tuple[float, int]:
        """Return a sample's stamp, read or deduced, and where its values begin."""
        mark = body[position]
        if mark == 0:
            self.last_stamp += self._interval_s
            return self.last_stamp, position + 1
        if mark != STAMP_BYTES:
            raise CorruptError(f"a stamp of {mark} bytes")
        end = position + 1 + STAMP_BYTES
        if end > len(body):
            raise IndexError(end)
        (self.last_stamp,) = _STAMP.unpack_from(body, position + 1)
        return self.last_stamp, end


def read_varint(content: bytes | mmap, position: int) -> tuple[int, int]:
    """Return a length and the position behind it; IndexError where the content ends within it."""
    n_bytes = content[position]
    if n_bytes not in (1, 4, 8):
        raise CorruptError(f"a length of {n_bytes} bytes")
    end = position + 1 + n_bytes
    if end > len(content):
        raise IndexError(end)
    return int.from_bytes(content[position + 1 : end], "little"), end


def _check_end(body: bytes, end: int, n_samples: int) -> None:
    if end != len(body):
        raise CorruptError(f"{len(body)} bytes of samples where {n_samples} samples take {end}")
