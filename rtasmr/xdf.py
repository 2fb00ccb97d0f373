"""Writer of XDF recordings.

Every chunk reaches the operating system before `XdfWriter.write` returns, so that a killed process loses
nothing that was written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from rtasmr.errors import DataError
from rtasmr.types import StreamSpec
from rtasmr.xdf_format import (
    BOUNDARY_UUID,
    MAGIC,
    StreamTotals,
    Tag,
    check_spec,
    checked_samples,
    chunk,
    pack_samples,
    stream_footer,
    stream_header,
    u32,
    xml_document,
    xml_elements,
)

CLOCK_OFFSET_INTERVAL_S = 5.0
BOUNDARY_INTERVAL_S = 5.0


class RecordingFailedError(DataError):
    """The recording can not be written any further; what stands on disk can be read."""


class XdfWriter:
    """Write one XDF file, chunk by chunk.

    The file is called ``<path>.part`` until `close`, is readable by its owner only, and never replaces
    another: where ``session.xdf`` or its ``.part`` exists, the recording becomes ``session_2.xdf``.
    Nothing names the host: a stream's ``hostname`` is left out.

    Parameters
    ----------
    path : Path
        Wanted name, in a folder that exists.
    header : mapping of str to str
        Entries of the file header, such as ``participant`` (a pseudonymous code) and ``consent``.
    clock : callable
        Seconds, monotonic; times the boundary chunks and stamps ``created_at``.

    Raises
    ------
    DataError
        The folder does not exist or can not be written to.
    """

    def __init__(
        self, path: Path, *, header: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        if path.is_dir():
            raise DataError(f"cannot record to {path}: it is a folder; name a file in it")
        self._clock = clock
        self._streams: list[tuple[StreamSpec, StreamTotals]] = []
        self._n_bytes = 0
        self._failure: str | None = None
        self._wanted = path
        self._path, self._file = _open_part(path)
        self._part = _part_of(self._path)
        self._last_boundary = clock()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        entries = {"version": "1.0", "datetime": now} | dict(header)
        try:
            self._emit(MAGIC + chunk(Tag.FILE_HEADER, xml_document(xml_elements(entries))))
        except RecordingFailedError:
            self._file.close()
            raise

    @property
    def path(self) -> Path:
        """The name the file will have once closed."""
        return self._path

    @property
    def part_path(self) -> Path:
        """The name the file has until then."""
        return self._part

    @property
    def n_bytes(self) -> int:
        """Bytes written so far."""
        return self._n_bytes

    def add_stream(self, spec: StreamSpec) -> int:
        """Add a stream, at any time before `close`, and return its number for `write`.

        Raises
        ------
        DataError
            The format is none of XDF's, there is no channel, or the metadata are too large.
        RecordingFailedError
            The file can not be written.
        """
        check_spec(spec)
        stream_id = len(self._streams) + 1
        header = stream_header(spec, created_at=self._clock())
        self._emit(chunk(Tag.STREAM_HEADER, u32(stream_id) + header))
        self._streams.append((spec, StreamTotals()))
        return stream_id

    def write(self, stream_id: int, times: ArrayLike, data: ArrayLike) -> None:
        """Append samples.

        Parameters
        ----------
        stream_id : int
            What `add_stream` returned.
        times : array-like of shape (n_samples,), float64
            Stamps in seconds on the session clock.
        data : array-like of shape (n_samples, n_channels), or (n_samples,) for one channel
            Numbers that fit the stream's format (uint8 goes into int8 byte for byte), or str.

        Raises
        ------
        DataError
            Shape, type or stamps do not fit; nothing is written.
        RecordingFailedError
            The file can not be written.
        """
        spec, totals = self._streams[stream_id - 1]
        stamps, values = checked_samples(spec, np.asarray(times, dtype=np.float64), np.asarray(data))
        if stamps.size == 0:
            return
        now = self._clock()
        if now - self._last_boundary >= BOUNDARY_INTERVAL_S:
            self._emit(chunk(Tag.BOUNDARY, BOUNDARY_UUID))
            self._sync()
            self._last_boundary = now
        for content in pack_samples(spec, stamps, values):
            self._emit(chunk(Tag.SAMPLES, u32(stream_id) + content))
        if totals.n_samples == 0:
            totals.first_stamp = float(stamps[0])
        totals.last_stamp = float(stamps[-1])
        totals.n_samples += stamps.size
        newest = float(stamps.max())
        offsets = totals.clock_offsets
        if not offsets or newest - offsets[-1][0] >= CLOCK_OFFSET_INTERVAL_S:
            # Stamps are corrected where they enter the program, so what is left to correct is zero.
            self.write_clock_offset(stream_id, newest, 0.0)

    def write_clock_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Note what is to be added to a stream's stamps at ``time_s``, both in seconds.

        `write` does so by itself (offset 0) where none came for 5 s.
        """
        content = np.array([time_s, offset_s], dtype="<f8").tobytes()
        self._emit(chunk(Tag.CLOCK_OFFSET, u32(stream_id) + content))
        self._streams[stream_id - 1][1].clock_offsets.append((time_s, offset_s))

    def close(self) -> Path:
        """Write the footers, give the file its name and return that name; again: the same name.

        Raises
        ------
        RecordingFailedError
            The file could not be written to its end and keeps its ``.part`` name.
        """
        if self._file.closed:
            self._refuse_if_failed()
            return self._path
        try:
            self._refuse_if_failed()
            for stream_id, (_, totals) in enumerate(self._streams, start=1):
                self._emit(chunk(Tag.STREAM_FOOTER, u32(stream_id) + stream_footer(totals)))
            self._sync()
        finally:
            self._file.close()
        if self._path.exists():  # somebody else took the name meanwhile
            self._path = next(_free_names(self._wanted))
        try:
            self._part.rename(self._path)
        except OSError as error:
            raise self._failed(error) from error
        return self._path

    def _refuse_if_failed(self) -> None:
        if self._failure is not None:
            raise RecordingFailedError(self._failure)

    def _emit(self, content: bytes) -> None:
        """Write whole chunks, or leave the file as it was before."""
        self._refuse_if_failed()
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):  # a reader copes with half a chunk at the end, too
                self._file.truncate(self._n_bytes)
            raise self._failed(error) from error
        self._n_bytes += len(content)

    def _sync(self) -> None:
        """Have the disk hold what was written, against loss of power."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> RecordingFailedError:
        self._failure = (
            f"recording {self._part.name} stopped after {self._n_bytes} bytes: {error.strerror}; "
            "free space or choose another folder, what is written can be read"
        )
        return RecordingFailedError(self._failure)


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _free_names(wanted: Path) -> Iterator[Path]:
    """Those of ``session.xdf``, ``session_2.xdf``, ``session_3.xdf``, ... that nobody has or records to."""
    numbered = (wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}") for number in count(2))
    for path in chain([wanted], numbered):
        if not path.exists() and not _part_of(path).exists():
            yield path


def _open_part(wanted: Path) -> tuple[Path, FileIO]:
    """Return the first free name and its ``.part`` file, created and open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for path in _free_names(wanted):
        try:
            return path, FileIO(os.open(_part_of(path), flags, 0o600), "wb")
        except FileExistsError:
            continue  # another writer was faster
        except OSError as error:
            raise DataError(
                f"cannot record to {path}: {error.strerror}; name a file in a folder that exists and is yours"
            ) from error
    raise AssertionError("free names never end")
