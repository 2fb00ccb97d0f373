"""Recordings on disk: reading XDF files back, as written by us or by LabRecorder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.types import StreamSpec
from rtasmr.xdf import XdfWriter
from rtasmr.xdf_format import NUMPY_FORMATS, STRING
from rtasmr.xdf_scan import scan

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """One stream of a recording.

    Parameters
    ----------
    spec : StreamSpec
        What the stream said about itself. Channels without labels in the file are called ``ch1``, ...
    times : ndarray of shape (n_samples,), float64
        Stamps in seconds as recorded: neither dejittered nor moved to another clock.
    data : ndarray of shape (n_samples, n_channels), or (n_samples,) of str for one channel of text
        In the stream's own format; a picture is int8, to be viewed as uint8.
    """

    spec: StreamSpec
    times: NDArray[np.float64]
    data: NDArray[Any]


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


def read_xdf(path: Path) -> Recording:
    """Read a recording, also an unfinished one (``.part``) up to its last whole chunk.

    An unfinished recording is named in a warning and has ``complete`` False.

    Raises
    ------
    DataError
        The file is missing, no XDF file, or corrupt.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; name an XDF recording") from error
    checked = scan(content, path.name)
    if checked.truncated:
        logger.warning(
            "%s was cut off: read up to its last whole chunk, %d of %d bytes",
            path.name, checked.n_bytes, len(content),
        )  # fmt: skip
    elif not checked.complete:
        logger.warning("%s was not closed by its writer: read what there is", path.name)
    # pyxdf also divides by a stream's duration, which is zero where all stamps are equal.
    with np.errstate(divide="ignore", invalid="ignore"):
        raw_streams, raw_header = pyxdf.load_xdf(
            BytesIO(content[: checked.n_bytes]), synchronize_clocks=False, dejitter_timestamps=False
        )
    streams = tuple(_recorded(raw) for raw in raw_streams)
    for stream, expected in zip(streams, checked.streams.values(), strict=True):
        if stream.times.size != expected.n_samples:
            raise DataError(
                f"{path.name}: expected {expected.n_samples} samples of stream {stream.spec.name!r}, "
                f"the reader gave {stream.times.size}; the file is corrupt, use a copy"
            )
    return Recording(path, _flat(raw_header["info"]), streams, checked.complete)


def write_xdf(recording: Recording, path: Path) -> Path:
    """Write a recording anew, with footers, and return the name it got: repairs a ``.part`` file.

    The header's own entries stay, its ``datetime`` too.
    """
    with closing(XdfWriter(path, header=recording.header)) as writer:
        for stream in recording.streams:
            writer.write(writer.add_stream(stream.spec), stream.times, stream.data)
    return writer.path


def _recorded(raw: Mapping[str, Any]) -> RecordedStream:
    info = raw["info"]
    dtype = _text(info, "channel_format")
    n_channels = int(_text(info, "channel_count"))
    desc = _first_mapping(info.get("desc"))
    channels = _first_mapping(desc.get("channels")).get("channel", [])
    channels = [channel if isinstance(channel, Mapping) else {} for channel in channels]
    if len(channels) != n_channels:
        channels = [{}] * n_channels
    spec = StreamSpec(
        name=_text(info, "name"),
        stype=_text(info, "type"),
        source_id=_text(info, "source_id"),
        sfreq=float(_text(info, "nominal_srate")),
        dtype=dtype,
        ch_names=tuple(_text(channel, "label") or f"ch{i}" for i, channel in enumerate(channels, start=1)),
        ch_types=tuple(_text(channel, "type") for channel in channels),
        ch_units=tuple(_text(channel, "unit") for channel in channels),
        desc=_flat({key: value for key, value in desc.items() if key != "channels"}),
        hostname=_text(info, "hostname"),
    )
    times = np.asarray(raw["time_stamps"], dtype=np.float64)
    if dtype != STRING:
        return RecordedStream(spec, times, np.asarray(raw["time_series"], dtype=NUMPY_FORMATS[dtype]))
    data = np.empty((times.size, n_channels), dtype=object)
    for row, texts in zip(data, raw["time_series"], strict=True):
        row[:] = texts
    return RecordedStream(spec, times, data[:, 0] if n_channels == 1 else data)


def _text(entries: Mapping[str, Any], key: str) -> str:
    """Return the text of the first element `key` of what pyxdf read, or an empty string."""
    values = entries.get(key) or [None]
    return values[0] if isinstance(values[0], str) else ""


def _first_mapping(values: object) -> Mapping[str, Any]:
    if isinstance(values, list) and values and isinstance(values[0], Mapping):
        return values[0]
    return {}


def _flat(entries: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten nested elements to ``outer.inner`` keys; LSL's place for can_drop_samples loses its prefix."""
    flat: dict[str, str] = {}
    for key, values in entries.items():
        for value in values:
            if isinstance(value, Mapping):
                flat |= _flat(value, "" if key == "synchronization" else f"{prefix}{key}.")
            else:
                flat.setdefault(prefix + key, value or "")
    return flat
