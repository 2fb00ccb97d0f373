"""The XDF 1.0 format: constants, and values to the bytes of chunks. No files here.

A file is the magic ``XDF:`` and then chunks ``[NumLengthBytes][Length][Tag][Content]``. Every sample
carries its own stamp, also in regular streams: eight bytes more per sample than a deduced stamp, and
what is read back is bit for bit what was stamped, through any gap.

References
----------
XDF 1.0 specification, https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.privacy import without_places
from rtasmr.types import StreamSpec

MAGIC = b"XDF:"
BOUNDARY_UUID = bytes.fromhex("43A546DCCBF5410FB30ED5467383CBE4")
STRING = "string"
NUMPY_FORMATS: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "float32": np.dtype("<f4"),
        "double64": np.dtype("<f8"),
        "int8": np.dtype("i1"),
        "int16": np.dtype("<i2"),
        "int32": np.dtype("<i4"),
        "int64": np.dtype("<i8"),
    }
)
"""LSL channel formats other than ``string``, with how XDF stores them."""

STAMP_BYTES = 8
MAX_LABELLED_CHANNELS = 4096
"""Above this (a picture has 150 528) the header holds no list of channels: it would be 12 MB of XML."""

MAX_XML_BYTES = 8 * 2**20
MAX_METADATA_CHARS = 2**20
"""Of one stream; escaped, in UTF-8 and with their tags they stay below `MAX_XML_BYTES`."""

MAX_NESTING = 8
"""Levels of metadata below a stream's description."""

_MAX_SAMPLES_CHUNK_BYTES = 4 * 2**20
_STRUCTURED = ("channels", "synchronization")
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_.-]")


class Tag(IntEnum):
    """Kinds of chunk."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


@dataclass(slots=True)
class StreamTotals:
    """What a footer tells about a stream: samples, stamps [s], clock offsets as (time, offset) [s]."""

    n_samples: int = 0
    first_stamp: float = math.nan
    last_stamp: float = math.nan
    clock_offsets: list[tuple[float, float]] = field(default_factory=list)

    def note_offset(self, time_s: float, offset_s: float) -> None:
        """Add a clock offset; of a run of equal ones the first and the last are kept, however long it is."""
        if [value for _, value in self.clock_offsets[-2:]] == [offset_s, offset_s]:
            self.clock_offsets.pop()
        self.clock_offsets.append((time_s, offset_s))


def u32(number: int) -> bytes:
    """Encode a stream number."""
    return number.to_bytes(4, "little")


def _varint(number: int) -> bytes:
    """Encode a length: how many bytes it takes, then the number."""
    n_bytes = 1 if number < 2**8 else 4 if number < 2**32 else 8
    return bytes([n_bytes]) + number.to_bytes(n_bytes, "little")


def chunk(tag: Tag, content: bytes) -> bytes:
    """Return a whole chunk."""
    return _varint(2 + len(content)) + tag.to_bytes(2, "little") + content


def check_spec(spec: StreamSpec) -> None:
    """Raise DataError unless the stream can be recorded."""
    if spec.dtype != STRING and spec.dtype not in NUMPY_FORMATS:
        raise DataError(
            f"stream {spec.name!r}: channel format expected among {', '.join((*NUMPY_FORMATS, STRING))}, "
            f"got {spec.dtype!r}; convert it before recording"
        )
    if spec.n_channels == 0 or any(
        len(texts) not in (0, spec.n_channels) for texts in (spec.ch_types, spec.ch_units)
    ):
        raise DataError(
            f"stream {spec.name!r}: expected one name, type and unit per channel, got {spec.n_channels}, "
            f"{len(spec.ch_types)} and {len(spec.ch_units)}; describe every channel"
        )
    texts = [spec.name, spec.stype, spec.source_id, *spec.desc.values(), *spec.desc, *spec.desc]
    if spec.n_channels <= MAX_LABELLED_CHANNELS:
        texts += [*spec.ch_names, *spec.ch_types, *spec.ch_units]
    n_chars = sum(map(len, texts))
    if n_chars > MAX_METADATA_CHARS:
        raise DataError(
            f"stream {spec.name[:40]!r}: expected at most {MAX_METADATA_CHARS} characters of metadata, "
            f"got {n_chars}; shorten its description"
        )


def checked_samples(
    spec: StreamSpec, times: NDArray[np.float64], data: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Return stamps (n,) and data (n, n_channels) in the stream's format, or raise DataError."""
    if data.ndim == 1 and spec.n_channels == 1:
        data = data[:, np.newaxis]
    if times.ndim != 1 or data.shape != (times.size, spec.n_channels):
        raise DataError(
            f"stream {spec.name!r}: expected {times.size} x {spec.n_channels} values for stamps of shape "
            f"{times.shape}, got {data.shape}; give one stamp per row"
        )
    if not np.isfinite(times).all():
        raise DataError(
            f"stream {spec.name!r}: expected finite stamps, got NaN or infinity; stamp every sample"
        )
    if spec.dtype == STRING:
        if not all(isinstance(text, str) for text in data.flat):
            raise DataError(f"stream {spec.name!r}: expected str, got {data.dtype}; format markers as text")
        return times, data
    stored = NUMPY_FORMATS[spec.dtype]
    if data.dtype == np.uint8 and stored.itemsize == 1:
        data = data.view(np.int8)
    if not np.can_cast(data.dtype, stored, casting="same_kind"):
        raise DataError(
            f"stream {spec.name!r}: expected values that fit {spec.dtype}, got {data.dtype}; convert them"
        )
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite there
        return times, data.astype(stored, copy=False)


def sample_record(dtype: str, n_channels: int) -> np.dtype[Any]:
    """Return the layout of a stamped sample of numbers: ``n_stamp_bytes``, ``stamp``, ``values``."""
    layout = [("n_stamp_bytes", "u1"), ("stamp", "<f8"), ("values", NUMPY_FORMATS[dtype], (n_channels,))]
    return np.dtype(layout)


def pack_samples(spec: StreamSpec, times: NDArray[np.float64], data: NDArray[Any]) -> list[bytes]:
    """Encode samples as the contents of one or more chunks, without the stream's number."""
    if spec.dtype == STRING:
        return [_pack_strings(times, data)]
    record = sample_record(spec.dtype, spec.n_channels)
    step = max(1, _MAX_SAMPLES_CHUNK_BYTES // record.itemsize)
    contents = []
    for start in range(0, times.size, step):
        part = slice(start, start + step)
        samples = np.empty(times[part].size, dtype=record)
        samples["n_stamp_bytes"] = STAMP_BYTES
        samples["stamp"] = times[part]
        samples["values"] = data[part]
        contents.append(_varint(samples.size) + samples.tobytes())
    return contents


def _pack_strings(times: NDArray[np.float64], data: NDArray[Any]) -> bytes:
    parts = [_varint(times.size)]
    for stamp, texts in zip(times.astype("<f8"), data, strict=True):
        parts.append(bytes([STAMP_BYTES]) + stamp.tobytes())
        for text in texts:
            encoded = text.encode("utf-8", errors="replace")
            parts += [_varint(len(encoded)), encoded]
    return b"".join(parts)


def xml_elements(entries: Mapping[str, str]) -> str:
    """Return flat XML elements; names become valid ones, control characters go."""
    return "".join(f"<{_name(key)}>{_text(value)}</{_name(key)}>" for key, value in entries.items())


def _text(value: str) -> str:
    return escape(_NOT_TEXT.sub("", value))


def _name(key: str) -> str:
    name = _NOT_NAME.sub("_", key)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def _nested(entries: Mapping[str, str], depth: int = MAX_NESTING) -> str:
    """Return XML elements in which a key ``outer.inner`` stands inside ``outer``, as other readers expect.

    The key stays dotted below ``depth`` levels, and where the outer name is taken: by a value, or by what
    `stream_header` writes itself.
    """
    groups: dict[str, dict[str, str]] = {}
    plain: dict[str, str] = {}
    for key, value in entries.items():
        outer, _, inner = key.partition(".")
        splits = outer and inner[:1] not in ("", ".") and outer not in entries and outer not in _STRUCTURED
        if depth and splits:
            groups.setdefault(outer, {})[inner] = value
        else:
            plain[f"_{key}" if key in _STRUCTURED else key] = value
    nested = "".join(
        f"<{_name(outer)}>{_nested(inner, depth - 1)}</{_name(outer)}>" for outer, inner in groups.items()
    )
    return xml_elements(plain) + nested


def xml_document(inner: str) -> bytes:
    """Return the XML of a header or footer around its elements."""
    return f'<?xml version="1.0"?><info>{inner}</info>'.encode()


def stream_header(spec: StreamSpec, created_at: float) -> bytes:
    """Return the XML of a stream header; a host name is left out on purpose.

    Channels have label, unit and type on every stream, markers too: other readers need them.
    """
    desc = {key: without_places(value) for key, value in spec.desc.items()}
    can_drop = desc.pop("can_drop_samples", None)
    described = _nested(desc)
    if can_drop is not None:
        described += f"<synchronization>{xml_elements({'can_drop_samples': can_drop})}</synchronization>"
    if spec.n_channels <= MAX_LABELLED_CHANNELS:
        described += f"<channels>{_channels(spec)}</channels>"
    facts = {
        "name": spec.name,
        "type": spec.stype,
        "channel_count": str(spec.n_channels),
        "nominal_srate": repr(float(spec.sfreq)),
        "channel_format": spec.dtype,
        "source_id": without_places(spec.source_id),
        "created_at": repr(float(created_at)),
    }
    return xml_document(f"{xml_elements(facts)}<desc>{described}</desc>")


def _channels(spec: StreamSpec) -> str:
    units = spec.ch_units or ("",) * spec.n_channels
    kinds = spec.ch_types or (spec.stype,) * spec.n_channels
    columns = zip(spec.ch_names, units, kinds, strict=True)
    return "".join(
        f"<channel>{xml_elements({'label': label, 'unit': unit, 'type': kind})}</channel>"
        for label, unit, kind in columns
    )


def stream_footer(totals: StreamTotals) -> bytes:
    """Return the XML of a stream footer."""
    facts: dict[str, str] = {}
    if totals.n_samples:
        facts = {"first_timestamp": repr(totals.first_stamp), "last_timestamp": repr(totals.last_stamp)}
    facts["sample_count"] = str(totals.n_samples)
    kept = StreamTotals()
    for when, value in totals.clock_offsets:
        kept.note_offset(when, value)
    offsets = "".join(
        f"<offset>{xml_elements({'time': repr(when), 'value': repr(value)})}</offset>"
        for when, value in kept.clock_offsets
    )
    return xml_document(f"{xml_elements(facts)}<clock_offsets>{offsets}</clock_offsets>")
