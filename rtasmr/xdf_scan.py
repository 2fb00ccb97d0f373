"""Check an XDF file chunk by chunk before a reader trusts any number in it.

A recording may come from anywhere. The scan follows every length to its end, so that what passes holds
as many samples as it claims, in a format and with metadata of sane size. Only the last chunk may be cut
off: that is what a killed writer leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.xdf_format import BOUNDARY_UUID, MAGIC, MAX_XML_BYTES, NUMPY_FORMATS, STAMP_BYTES, STRING, Tag

MAX_STREAMS = 64
MAX_CHANNELS = 2**18
MAX_CHUNK_BYTES = 2**30
MAX_TEXTS = 1_000_000
MAX_XML_DEPTH = 32
MAX_XML_ELEMENTS = 200_000


@dataclass(slots=True)
class StreamScan:
    """What the header of a stream says, and how many samples its chunks hold."""

    n_channels: int
    dtype: str
    n_samples: int = 0
    has_footer: bool = False


@dataclass(slots=True)
class Scan:
    """Result of `scan`.

    ``n_bytes`` is where the last whole chunk ends, ``truncated`` whether more follows it.
    """

    n_bytes: int = 0
    truncated: bool = False
    streams: dict[int, StreamScan] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the writer closed the file: nothing cut off and every stream with its footer."""
        return not self.truncated and all(stream.has_footer for stream in self.streams.values())


class _CorruptError(Exception):
    """What is wrong with the chunk at hand."""


def scan(content: bytes, name: str) -> Scan:
    """Return where the last whole chunk of an XDF file ends and what its streams hold.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str
        Name of the file, for messages.

    Raises
    ------
    DataError
        The content is no XDF file, corrupt before its last chunk, or beyond any sane size.
    """
    if not content.startswith(MAGIC):
        raise DataError(
            f"{name}: expected an XDF file (it starts with {MAGIC.decode()!r}), got {content[:4]!r}; "
            "decompress it or choose another file"
        )
    result = Scan(n_bytes=len(MAGIC))
    try:
        while result.n_bytes < len(content):
            bounds = _chunk_bounds(content, result.n_bytes)
            if bounds is None:
                result.truncated = True
                break
            start, end = bounds
            _check_chunk(content[start:end], result)
            result.n_bytes = end
    except _CorruptError as error:
        raise DataError(
            f"{name}: expected an intact chunk at byte {result.n_bytes}, got {error}; "
            "the file is corrupt, use a copy"
        ) from error
    if result.n_bytes == len(MAGIC):
        raise DataError(f"{name}: expected a file header, the file ends before it; nothing was recorded")
    return result


def read_varint(content: bytes, position: int) -> tuple[int, int]:
    """Return a length and the position behind it; IndexError where the content ends within it."""
    n_bytes = content[position]
    if n_bytes not in (1, 4, 8):
        raise _CorruptError(f"a length of {n_bytes} bytes")
    end = position + 1 + n_bytes
    if end > len(content):
        raise IndexError(end)
    return int.from_bytes(content[position + 1 : end], "little"), end


def _chunk_bounds(content: bytes, position: int) -> tuple[int, int] | None:
    """Return where a chunk's tag begins and the chunk ends; None if the file ends within the chunk."""
    try:
        length, start = read_varint(content, position)
    except IndexError:
        return None
    if not 2 <= length <= MAX_CHUNK_BYTES:
        raise _CorruptError(f"a chunk of {length} bytes")
    if start + length <= len(content):
        return start, start + length
    # A cut file ends here. In a corrupt one the length is wrong and other chunks follow.
    if content.find(BOUNDARY_UUID, start) != -1:
        raise _CorruptError(f"a chunk of {length} bytes, more than the file holds")
    return None


def _check_chunk(chunk: bytes, result: Scan) -> None:
    """Check tag and content of one chunk and count it in `result`."""
    tag = int.from_bytes(chunk[:2], "little")
    first = result.n_bytes == len(MAGIC)
    if first != (tag == Tag.FILE_HEADER):
        raise _CorruptError(f"a chunk of kind {tag} where {'the file header' if first else 'data'} belongs")
    if tag == Tag.FILE_HEADER:
        parse_xml(chunk[2:])
        return
    if tag == Tag.BOUNDARY:
        if chunk[2:] != BOUNDARY_UUID:
            raise _CorruptError("a boundary without its mark")
        return
    if tag not in tuple(Tag):
        raise _CorruptError(f"a chunk of unknown kind {tag}")
    if len(chunk) < 6:
        raise _CorruptError("a chunk without a stream number")
    stream_id = int.from_bytes(chunk[2:6], "little")
    body = chunk[6:]
    if tag == Tag.STREAM_HEADER:
        if stream_id in result.streams or len(result.streams) == MAX_STREAMS:
            raise _CorruptError(f"stream {stream_id} twice, or more than {MAX_STREAMS} streams")
        result.streams[stream_id] = _scan_header(body)
        return
    stream = result.streams.get(stream_id)
    if stream is None:
        raise _CorruptError(f"data of stream {stream_id}, which has no header")
    if tag == Tag.SAMPLES:
        stream.n_samples += _count_samples(body, stream)
        if stream.dtype == STRING and stream.n_samples * stream.n_channels > MAX_TEXTS:
            raise _CorruptError(f"more than {MAX_TEXTS} texts in stream {stream_id}")
    elif tag == Tag.CLOCK_OFFSET:
        if len(body) != 16:
            raise _CorruptError(f"a clock offset of {len(body)} bytes, not 16")
    else:
        if stream.has_footer:
            raise _CorruptError(f"a second footer of stream {stream_id}")
        parse_xml(body)
        stream.has_footer = True


def parse_xml(content: bytes) -> Element:
    """Parse the XML of a header or footer; no document type, no entity, no encoding but UTF-8.

    Raises
    ------
    _CorruptError
        The XML is malformed, too large, too deep, or declares a document type or an entity.
    """
    if len(content) > MAX_XML_BYTES:
        raise _CorruptError(f"{len(content)} bytes of XML")
    builder = TreeBuilder()
    depth = n_elements = 0

    def refuse(*_: Any) -> None:
        raise _CorruptError("XML with a document type or an entity, which may expand without end")

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
            raise _CorruptError(f"XML in {encoding[:20]!r} instead of UTF-8")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, n_elements
        depth += 1
        n_elements += 1
        if depth > MAX_XML_DEPTH or n_elements > MAX_XML_ELEMENTS:
            raise _CorruptError(f"XML of more than {MAX_XML_ELEMENTS} elements or {MAX_XML_DEPTH} levels")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    # Namespaces on, as the reader behind this one has them: both must take and refuse the same texts.
    parser = expat.ParserCreate("utf-8", "}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.XmlDeclHandler = declared
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content.decode("utf-8"), True)
    except (expat.ExpatError, UnicodeDecodeError, ParseError) as error:
        raise _CorruptError(f"malformed XML ({error})") from error
    root: Element = builder.close()
    if root.tag != "info":
        raise _CorruptError(f"XML of {root.tag[:20]!r} instead of 'info'")
    return root


def _scan_header(xml: bytes) -> StreamScan:
    info = parse_xml(xml)
    facts = {
        key: (info.findtext(key) or "").strip()
        for key in ("channel_count", "channel_format", "nominal_srate")
    }
    dtype = facts["channel_format"]
    if info.find("name") is None:
        raise _CorruptError("a stream without a name")
    if dtype != STRING and dtype not in NUMPY_FORMATS:
        raise _CorruptError(f"the channel format {dtype[:20]!r}")
    try:
        n_channels = int(info.findtext("channel_count") or "")
        sfreq = float(info.findtext("nominal_srate") or "")
    except ValueError as error:
        raise _CorruptError(f"a stream with no channel count or rate ({error})") from error
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise _CorruptError(f"{n_channels} channels")
    if not (math.isfinite(sfreq) and sfreq >= 0):
        raise _CorruptError(f"a rate of {sfreq} Hz")
    return StreamScan(n_channels, dtype)


def _count_samples(body: bytes, stream: StreamScan) -> int:
    """Return how many samples a chunk holds, having found that they fill it exactly."""
    try:
        n_samples, start = read_varint(body, 0)
        if n_samples > len(body) - start:
            raise _CorruptError(f"{n_samples} samples in {len(body)} bytes")
        end = _end_of_samples(body, start, n_samples, stream)
    except IndexError as error:
        raise _CorruptError("samples that reach beyond their chunk") from error
    if end != len(body):
        raise _CorruptError(f"{len(body)} bytes of samples where {n_samples} samples take {end}")
    return n_samples


def _end_of_samples(body: bytes, start: int, n_samples: int, stream: StreamScan) -> int:
    if stream.dtype == STRING:
        position = start
        for _ in range(n_samples):
            position += _stamp_bytes(body[position])
            for _ in range(stream.n_channels):
                n_bytes, position = read_varint(body, position)
                position += n_bytes
        return position
    width = stream.n_channels * NUMPY_FORMATS[stream.dtype].itemsize
    if len(body) - start == n_samples * (1 + STAMP_BYTES + width):
        # Every sample stamped, as our own writer does it: the stamp marks stand at equal distances.
        marks: NDArray[np.uint8] = np.frombuffer(body, np.uint8, offset=start)[:: 1 + STAMP_BYTES + width]
        if (marks == STAMP_BYTES).all():
            return len(body)
    position = start
    for _ in range(n_samples):
        position += _stamp_bytes(body[position]) + width
    return position


def _stamp_bytes(mark: int) -> int:
    """Return the size of a sample's mark with its stamp, from the mark's value (0: deduced stamp)."""
    if mark not in (0, STAMP_BYTES):
        raise _CorruptError(f"a stamp of {mark} bytes")
    return 1 + mark
