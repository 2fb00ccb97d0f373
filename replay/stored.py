"""Streams of an XDF file, read where they are needed: what is in memory is an index, not the samples."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from replay.schedule import NominalStamps
from rtasmr.clock_offsets import HostClock
from rtasmr.errors import DataError
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec
from rtasmr.xdf_decode import SampleDecoder, Samples
from rtasmr.xdf_format import STRING, Tag
from rtasmr.xdf_scan import Scan

logger = logging.getLogger(__name__)

WALKED_BYTES = 64 * 2**20
"""After so many bytes of the walk the file's pages are given back to the system."""

Times = TypeVar("Times", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """Where a chunk of samples lies in the file, what its stamps span, and what decoding it rests on.

    ``first_s`` and ``last_s`` are the least and the greatest stamp, on the clock of the recording machine
    once the clock of the stream is known. ``ends`` are the stamps of the first and the last sample as they
    stand in the file, ``stamp_before`` is that of the sample before the chunk; ``nominal`` and ``part`` are
    the states of the stream's nominal stamps and of its clock there.
    """

    start: int
    end: int
    first_s: float
    last_s: float
    ends: tuple[float, float]
    stamp_before: float
    nominal: NominalStamps
    part: int = 0

    def placed(self, clock: HostClock) -> StoredChunk:
        """Return it on the clock of the recording machine; ``clock`` goes on behind it."""
        part = clock.part
        ends = clock.move(np.array(self.ends))
        if clock.part == part:
            ends = replace(clock).move(np.array([self.first_s, self.last_s]))
        return replace(self, first_s=float(ends.min()), last_s=float(ends.max()), part=part)


@dataclass(slots=True)
class StoredStream:
    """One stream of a file.

    Parameters
    ----------
    path : Path
    spec : StreamSpec
        As recorded.
    chunks : list of StoredChunk
        In the order of the file.
    clock : HostClock
        What moves the stamps of another machine.
    """

    path: Path
    spec: StreamSpec
    chunks: list[StoredChunk]
    clock: HostClock

    @property
    def first_s(self) -> float:
        """Session second of the earliest sample."""
        return self._to_session(min(chunk.first_s for chunk in self.chunks))

    @property
    def last_s(self) -> float:
        """Session second of the latest sample."""
        return self._to_session(max(chunk.last_s for chunk in self.chunks))

    def read(self, start_s: float, stop_s: float, *, nominal: bool = False) -> Iterator[Samples]:
        """Yield stamps and values between two session seconds, one chunk of the file at a time.

        Parameters
        ----------
        start_s, stop_s : float
        nominal : bool
            Lay the stamps of a regular stream on its nominal rate.
        """
        with self.path.open("rb") as file:
            for chunk in self.chunks:
                if self._to_session(chunk.last_s) < start_s or self._to_session(chunk.first_s) >= stop_s:
                    continue
                file.seek(chunk.start)
                decoder = SampleDecoder(self.spec.dtype, self.spec.n_channels, self.spec.sfreq)
                decoder.last_stamp = chunk.stamp_before
                stamps, values = decoder.decode(file.read(chunk.end - chunk.start))
                if nominal and self.spec.sfreq > 0:
                    stamps = replace(chunk.nominal).lay(stamps)
                times = self._to_session(replace(self.clock, part=chunk.part).move(stamps))
                keep = (times >= start_s) & (times < stop_s)
                if keep.any():
                    is_text = self.spec.dtype == STRING and self.spec.n_channels == 1
                    yield times[keep], (values[:, 0] if is_text else values)[keep]

    def _to_session(self, stamps: Times) -> Times:
        base = TimeBase.from_desc(self.spec.desc) or TimeBase()
        return base.to_session(stamps)


def index_xdf(path: Path) -> list[StoredStream]:
    """Walk through a recording once and note where the samples of each stream lie.

    Raises
    ------
    DataError
        The file is missing, no XDF file, or corrupt.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: expected an XDF file, got an empty one; name another recording")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            walk = Scan(content, path.name)
            chunks = _index(walk, content)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; name an XDF recording") from error
    if walk.truncated:
        logger.warning("%s was cut off: read up to its last whole chunk, byte %d", path.name, walk.n_bytes)
    elif not walk.complete:
        logger.warning("%s was not closed by its writer: read what there is", path.name)
    streams = []
    for stream_id, found in walk.streams.items():
        clock = HostClock.fit(np.array(found.totals.clock_offsets, dtype=np.float64).reshape(-1, 2))
        placed = [chunk.placed(clock) for chunk in chunks[stream_id]]
        streams.append(StoredStream(path, found.spec, placed, clock))
    return streams


def _index(walk: Scan, content: mmap.mmap) -> dict[int, list[StoredChunk]]:
    chunks: dict[int, list[StoredChunk]] = {}
    nominal: dict[int, NominalStamps] = {}
    stamp_before: dict[int, float] = {}
    given_back = 0
    for chunk in walk.chunks():
        if chunk.start - given_back > WALKED_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            given_back = chunk.start - chunk.start % mmap.PAGESIZE
            content.madvise(mmap.MADV_DONTNEED, 0, given_back)
        number = chunk.stream_id
        if chunk.tag is Tag.STREAM_HEADER:  # comes before the samples: the walk sees to that
            chunks[number] = []
            nominal[number] = NominalStamps(walk.streams[number].spec.sfreq)
            stamp_before[number] = 0.0
        if chunk.samples is None or len(times := chunk.samples[0]) == 0:
            continue
        state = replace(nominal[number])
        if state.sfreq > 0:
            nominal[number].lay(times)
        span = float(times.min()), float(times.max())
        ends = float(times[0]), float(times[-1])
        chunks[number].append(StoredChunk(chunk.start, chunk.end, *span, ends, stamp_before[number], state))
        stamp_before[number] = float(times[-1])
    return chunks
