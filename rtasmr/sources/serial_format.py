"""What a serial pulse sensor writes, as text lines or binary frames, to samples. No port here.

The bytes come from outside and may be anything: nothing here raises, and nothing grows.
"""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtasmr.sources.device import CounterUnwrapper

MAX_LINE_BYTES = 256

SYNC = b"\xa5\x5a"
MAX_FRAME_SAMPLES = 64
"""Largest number of samples in a binary frame; a larger one is noise."""

_HEADER = struct.Struct("<2sBH")
_CRC_BYTES = 2
_COUNTER_BITS = 16

_ASSIGNMENT = re.compile(r"\s*[:=]\s*")
_SEPARATOR = re.compile(r"\s*[,;\t]\s*|\s+")
_CELL = re.compile(
    r"(?:([A-Za-z_]\w{0,30}?):?)?([-+]?(?:\d{1,12}\.?\d{0,12}|\.\d{1,12})(?:[eE][-+]?\d{1,3})?)"
)
_WORD = re.compile(r"[A-Za-z_]\w{0,30}")
_BEAT_LABELS = frozenset("BQ")
"""What a PulseSensor sketch writes on lines of their own beside ``S512``: beats per minute, and the time
between two beats."""

_MAX_VALUE = 1e9
"""No converter delivers more; such a number is noise."""

_AUTO_LINES = 3
_AUTO_FRAMES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """Samples out of some bytes.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        NaN where a line could not be read.
    counter : ndarray of shape (n_samples,), int64, or None
        The device's own running index.
    """

    samples: NDArray[np.float32]
    counter: NDArray[np.int64] | None = None


class Parser(Protocol):
    """Bytes in, samples out.

    Attributes
    ----------
    n_good : int
        Lines or frames that held samples.
    errors : Counter of str
        What could not be read.
    """

    n_good: int
    errors: Counter[str]

    def feed(self, data: bytes) -> Parsed:
        """Take the bytes that came next and return the samples that they complete."""
        ...


class TextParser:
    """Lines with one number each, or with columns.

    A column may carry its label (``IR:512``, ``S512``), or a first line the headings. Lines that start
    with ``#``, empty lines, headings and the beat lines of a PulseSensor are no samples. Once numbers
    have come, any other line is a sample that was garbled, and keeps its place as NaN.

    Parameters
    ----------
    column : str
        Heading, label or number from 0; empty takes the only column.
    """

    def __init__(self, column: str = "") -> None:
        self._column = column
        self._headings: list[str] = []
        self._n_cells = 0
        self._rest = b""
        self._skips = True  # the first line may have begun before we listened
        self.n_good = 0
        self.errors: Counter[str] = Counter()
        self.columns_seen: tuple[str, ...] = ()
        """The columns of the last line from which none could be chosen."""

    def feed(self, data: bytes) -> Parsed:
        """Take the bytes that came next and return the samples that they complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        values = []
        for line in lines:
            if self._skips:
                self._skips = False
            elif len(line) > MAX_LINE_BYTES:
                values += self._refused("overlong lines")
            else:
                values += self._read(line)
        if len(self._rest) > MAX_LINE_BYTES:
            if not self._skips:
                values += self._refused("overlong lines")
            self._rest, self._skips = b"", True
        return Parsed(np.array(values, dtype=np.float32))

    def _read(self, line: bytes) -> list[float]:
        """Return the sample of a line; none if it is not meant to hold one."""
        text = line.decode("ascii", errors="replace").strip().strip(",;")
        if not text or text.startswith("#"):
            return []
        cells = _SEPARATOR.split(_ASSIGNMENT.sub(":", text))
        found = [_CELL.fullmatch(cell) for cell in cells]
        if not any(found):
            return self._read_words(cells)
        numbers = [(match[1] or "", float(match[2])) for match in found if match is not None]
        labels = [label for label, _ in numbers]
        if len(numbers) < len(cells):
            return self._refused("unreadable lines")
        if len(cells) == 1 and labels[0] in _BEAT_LABELS and self._column != labels[0]:
            return []
        chosen = self._choose(labels)
        if chosen is None:
            self.columns_seen = tuple(label or str(i) for i, label in enumerate(self._headings or labels))
            return self._refused("lines without the column")
        if (self._n_cells and self._n_cells != len(cells)) or abs(numbers[chosen][1]) > _MAX_VALUE:
            return self._refused("unreadable lines")
        self._n_cells = len(cells)
        self.n_good += 1
        return [numbers[chosen][1]]

    def _read_words(self, cells: list[str]) -> list[float]:
        """Take a line without a number: headings at the start, else a garbled sample."""
        if all(_WORD.fullmatch(cell) for cell in cells):
            if not self.n_good:
                self._headings = cells
            return []
        return self._refused("unreadable lines")

    def _choose(self, labels: list[str]) -> int | None:
        names = [name.casefold() for name in (labels if any(labels) else self._headings)]
        if not self._column:
            return 0 if len(labels) == 1 else None
        if len(names) == len(labels) and names.count(self._column.casefold()) == 1:
            return names.index(self._column.casefold())
        if self._column.isdecimal() and int(self._column) < len(labels):
            return int(self._column)
        return None

    def _refused(self, why: str) -> list[float]:
        self.errors[why] += 1
        return [math.nan] if self.n_good else []


class BinaryParser:
    """Frames with a counter and a checksum; their layout stands in the README beside this file."""

    def __init__(self) -> None:
        self._rest = b""
        self._counter = CounterUnwrapper(_COUNTER_BITS)
        self.n_good = 0
        self.errors: Counter[str] = Counter()

    def feed(self, data: bytes) -> Parsed:
        """Take the bytes that came next and return the samples that they complete."""
        buffer = self._rest + data
        samples: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
        counter: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        at = 0
        while True:
            found = buffer.find(SYNC, at)
            if found < 0:
                # The first half of a sync may be the last byte here.
                self._rest = buffer[-1:] if buffer[at:].endswith(SYNC[:1]) else b""
                break
            at = found
            if len(buffer) - at < _HEADER.size:
                self._rest = buffer[at:]
                break
            _, n_samples, first = _HEADER.unpack_from(buffer, at)
            if not 1 <= n_samples <= MAX_FRAME_SAMPLES:
                self.errors["bad frames"] += 1
                at += 1
                continue
            body = at + _HEADER.size
            end = body + 4 * n_samples
            if len(buffer) < end + _CRC_BYTES:
                self._rest = buffer[at:]
                break
            if frame_crc(buffer[at + len(SYNC) : end]) != int.from_bytes(buffer[end : end + 2], "little"):
                self.errors["bad checksums"] += 1
                at += 1
                continue
            samples.append(np.frombuffer(buffer, "<i4", n_samples, body).astype(np.float32))
            counter.append(self._counter.unwrap(first) + np.arange(n_samples, dtype=np.int64))
            self.n_good += 1
            at = end + _CRC_BYTES
        return Parsed(np.concatenate(samples), np.concatenate(counter))


class AutoParser:
    """Finds out from the first lines or frames which of the two it is; those are not handed on."""

    def __init__(self, column: str = "") -> None:
        self._text = TextParser(column)
        self._binary = BinaryParser()
        self._chosen: Parser | None = None

    @property
    def columns_seen(self) -> tuple[str, ...]:
        """See `TextParser`."""
        return self._text.columns_seen

    @property
    def n_good(self) -> int:
        """Lines or frames that held samples."""
        return max(self._text.n_good, self._binary.n_good) if self._chosen is None else self._chosen.n_good

    @property
    def errors(self) -> Counter[str]:
        """What could not be read; nothing before the choice."""
        return Counter() if self._chosen is None else self._chosen.errors

    def feed(self, data: bytes) -> Parsed:
        """Take the bytes that came next and return the samples that they complete."""
        if self._chosen is not None:
            return self._chosen.feed(data)
        self._text.feed(data)
        self._binary.feed(data)
        if self._binary.n_good >= _AUTO_FRAMES:
            self._chosen = self._binary
        elif self._text.n_good >= _AUTO_LINES and not self._binary.n_good:
            self._chosen = self._text
        return Parsed(np.empty(0, np.float32))


def frame_crc(content: bytes) -> int:
    """Return the checksum of a frame without its sync bytes: CRC-16/CCITT-FALSE."""
    return binascii.crc_hqx(content, 0xFFFF)


def encode_frame(first: int, samples: NDArray[np.int32]) -> bytes:
    """Return one binary frame, as a device writes it.

    Parameters
    ----------
    first : int
        Running number of the first sample; its low 16 bits are sent.
    samples : ndarray of shape (n_samples,), int32
        1 to 64 samples.
    """
    content = _HEADER.pack(SYNC, len(samples), first % (1 << _COUNTER_BITS))[len(SYNC) :]
    content += samples.astype("<i4").tobytes()
    return SYNC + content + frame_crc(content).to_bytes(_CRC_BYTES, "little")
