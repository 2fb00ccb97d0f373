"""Recordings on disk: reading XDF files back, as written by us or by LabRecorder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.clock_offsets import synchronized
from rtasmr.errors import DataError
from rtasmr.types import StreamSpec
from rtasmr.xdf_decode import Samples
from rtasmr.xdf_format import NUMPY_FORMATS, STRING, Tag
from rtasmr.xdf_scan import Scan, StreamScan
from rtasmr.xdf_xml import flat, parse_xml

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """One stream of a recording.

    Parameters
    ----------
    spec : StreamSpec
        What the stream said about itself. Channels without labels in the file are called ``ch1``, ...
    times : ndarray of shape (n_samples,), float64
        Stamps in seconds on the clock of the recording machine, not dejittered.
    data : ndarray of shape (n_samples, n_channels), or (n_samples,) of str for one channel of text
        In the stream's own format; a picture is int8, to be viewed as uint8.
    clock_offsets : ndarray of shape (n_offsets, 2), float64
        When the clock of the source was compared, and what was to be added to its stamps, in seconds:
        zeros for a source of the recording machine, as for all that this program records.
    """

    spec: StreamSpec
    times: NDArray[np.float64]
    data: NDArray[Any]
    clock_offsets: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in memory.

    ``header`` holds the flat entries of the file header, ``complete`` whether its writer closed it.
    """

    path: Path
    header: Mapping[str, str]
    streams: tuple[RecordedStream, ...]
    complete: bool

    def stream(self, name: str) -> RecordedStream:
        """Return the stream of that name; DataError unless there is exactly one."""
        found = [stream for stream in self.streams if stream.spec.name == name]
        if len(found) != 1:
            names = ", ".join(sorted(stream.spec.name for stream in self.streams)) or "no stream"
            raise DataError(
                f"{self.path.name}: expected one stream {name!r}, got {len(found)}; the recording has {names}"
            )
        return found[0]


def is_recording(path: Path) -> bool:
    """Whether a name is that of a recording, ``.xdf`` or ``.xdf.part``."""
    return ".xdf" in (suffix.lower() for suffix in path.suffixes[-2:])


def read_xdf(path: Path, *, synchronize: bool = True) -> Recording:
    """Read a recording, also an unfinished one (``.part``) up to its last whole chunk.

    An unfinished recording is named in a warning and has ``complete`` False.

    Parameters
    ----------
    path : Path
    synchronize : bool
        Put the stamps of other hosts on the clock of the recording machine; False leaves them as recorded.

    Raises
    ------
    DataError
        The file is missing, no XDF file, or corrupt.
    """
    content = read_content(path)
    walk = Scan(content, path.name)
    header: dict[str, str] = {}
    parts: dict[int, list[Samples]] = {}
    for chunk in walk.chunks():
        if chunk.tag is Tag.FILE_HEADER:
            header = flat(parse_xml(content[chunk.start : chunk.end]))
        elif chunk.tag is Tag.STREAM_HEADER:
            parts[chunk.stream_id] = []
        elif chunk.samples is not None:
            parts[chunk.stream_id].append(chunk.samples)
    if walk.truncated:
        logger.warning(
            "%s was cut off: read up to its last whole chunk, %d of %d bytes",
            path.name, walk.n_bytes, len(content),
        )  # fmt: skip
    elif not walk.complete:
        logger.warning("%s was not closed by its writer: read what there is", path.name)
    streams = tuple(
        _recorded(found, parts.pop(stream_id), synchronize) for stream_id, found in walk.streams.items()
    )
    return Recording(path, header, streams, walk.complete)


def read_content(path: Path) -> bytes:
    """Return the bytes of a recording; DataError where it cannot be read."""
    if path.is_char_device():  # some never end
        raise DataError(f"cannot read {path}: it is a device; name an XDF recording")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; name an XDF recording") from error


def _recorded(found: StreamScan, parts: list[Samples], synchronize: bool) -> RecordedStream:
    """Join the samples of a stream; one channel of text becomes one-dimensional."""
    spec = found.spec
    dtype = np.dtype(object) if spec.dtype == STRING else NUMPY_FORMATS[spec.dtype]
    empty = np.empty(0), np.empty((0, spec.n_channels), dtype)
    times, values = zip(*parts, strict=True) if parts else ((empty[0],), (empty[1],))
    data = np.concatenate(values)
    is_text_of_one = spec.dtype == STRING and spec.n_channels == 1
    stamps = np.concatenate(times)
    offsets = np.array(found.totals.clock_offsets, dtype=np.float64).reshape(-1, 2)
    return RecordedStream(
        spec,
        synchronized(stamps, offsets) if synchronize else stamps,
        data[:, 0] if is_text_of_one else data,
        offsets,
    )
