"""Writer of XDF recordings.

Every chunk reaches the operating system before `XdfWriter.write` returns, so that a killed process loses
nothing that was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from rtasmr.privacy import without_places
from rtasmr.types import StreamSpec
from rtasmr.xdf_file import RecordingFailedError, RecordingFile
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

__all__ = ["RecordingFailedError", "XdfWriter"]

CLOCK_OFFSET_INTERVAL_S = 5.0
BOUNDARY_INTERVAL_S = 5.0


class XdfWriter:
    """Write one XDF file, chunk by chunk.

    The file is called ``<path>.part`` until `close`, is readable by its owner only, and never replaces
    another: where ``session.xdf`` or its ``.part`` exists, the recording becomes ``session_2.xdf``.
    Nothing names the host or its user: a stream's ``hostname`` is left out, and so is what
    `without_places` finds in the header, in source ids and in metadata.

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
        self._clock = clock
        self._streams: list[tuple[StreamSpec, StreamTotals]] = []
        self._file = RecordingFile(path)
        self._last_boundary = clock()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        kept = {key: without_places(value) for key, value in header.items()}
        entries = {"version": "1.0", "datetime": now} | kept
        try:
            self._file.write(MAGIC + chunk(Tag.FILE_HEADER, xml_document(xml_elements(entries))))
        except RecordingFailedError:
            self._file.abandon()
            raise

    @property
    def path(self) -> Path:
        """The name the file will have once closed."""
        return self._file.path

    @property
    def part_path(self) -> Path:
        """The name the file has until then."""
        return self._file.part_path

    @property
    def n_bytes(self) -> int:
        """Bytes written so far."""
        return self._file.n_bytes

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
        self._file.write(chunk(Tag.STREAM_HEADER, u32(stream_id) + header))
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
            self._file.write(chunk(Tag.BOUNDARY, BOUNDARY_UUID))
            self._file.sync()
            self._last_boundary = now
        for content in pack_samples(spec, stamps, values):
            self._file.write(chunk(Tag.SAMPLES, u32(stream_id) + content))
        if totals.n_samples == 0:
            totals.first_stamp = float(stamps[0])
        totals.last_stamp = float(stamps[-1])
        totals.n_samples += stamps.size
        newest = float(stamps.max())
        offsets = totals.clock_offsets
        # Also where the clock of the source was set back.
        if not offsets or abs(newest - offsets[-1][0]) >= CLOCK_OFFSET_INTERVAL_S:
            # Stamps are corrected where they enter the program, so what is left to correct is zero.
            self.write_clock_offset(stream_id, newest, 0.0)

    def write_clock_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Note what is to be added to a stream's stamps at ``time_s``, both in seconds.

        `write` does so by itself (offset 0) where none came for 5 s.
        """
        content = np.array([time_s, offset_s], dtype="<f8").tobytes()
        self._file.write(chunk(Tag.CLOCK_OFFSET, u32(stream_id) + content))
        self._streams[stream_id - 1][1].note_offset(time_s, offset_s)

    def close(self) -> Path:
        """Write the footers, give the file its name and return that name; again: the same name.

        Raises
        ------
        RecordingFailedError
            The file could not be written to its end and keeps its ``.part`` name.
        """
        if not self._file.closed:
            try:
                for stream_id, (_, totals) in enumerate(self._streams, start=1):
                    self._file.write(chunk(Tag.STREAM_FOOTER, u32(stream_id) + stream_footer(totals)))
            except RecordingFailedError:
                self._file.abandon()
                raise
        return self._file.close()
