"""Walk an XDF file chunk by chunk and trust no number in it.

A recording may come from anywhere. Every length is followed to its end, so that what passes holds as
many samples as it claims, in a format and with metadata of sane size. Only the last chunk may be cut off:
that is what a killed writer leaves.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.types import StreamSpec
from rtasmr.xdf_decode import SampleDecoder, Samples, read_varint
from rtasmr.xdf_format import BOUNDARY_UUID, MAGIC, STRING, StreamTotals, Tag
from rtasmr.xdf_xml import MAX_XML_ELEMENTS, CorruptError, parse_xml, stream_info

MAX_STREAMS = 64
MAX_ALL_CHANNELS = 2**20
"""Of all streams together: five uncompressed pictures. Each channel has a name in memory."""

MAX_CHUNK_BYTES = 2**30
MAX_TEXTS = 1_000_000

MIN_TIME_S, MAX_TIME_S = 1e-15, 1e11
"""No clock tells a time beyond, nor so near to 0 and not 0: such bytes are no time, as most are not."""

_OFFSET = struct.Struct("<dd")


@dataclass(slots=True)
class StreamScan:
    """One stream: its header, and what was found of it so far.

    ``totals`` holds what a footer tells; ``lacks_stamp`` whether samples were lost before, so that a
    sample with no stamp of its own can not be dated.
    """

    spec: StreamSpec
    decoder: SampleDecoder
    totals: StreamTotals = field(default_factory=StreamTotals)
    has_footer: bool = False
    lacks_stamp: bool = False

    @property
    def n_samples(self) -> int:
        """Samples found."""
        return self.totals.n_samples

    def count(self, samples: Samples) -> None:
        """Add samples to the totals."""
        times = samples[0]
        if times.size == 0:
            return
        if self.totals.n_samples == 0:
            self.totals.first_stamp = float(times[0])
        self.totals.last_stamp = float(times[-1])
        self.totals.n_samples += times.size


@dataclass(frozen=True, slots=True)
class FileChunk:
    """One intact chunk.

    Parameters
    ----------
    tag : Tag
    stream_id : int
        0 for the file header and boundaries.
    start, end : int
        Where the content lies in the file, behind tag and stream number.
    samples : tuple of ndarray, or None
        Stamps and values of a chunk of samples.
    """

    tag: Tag
    stream_id: int
    start: int
    end: int
    samples: Samples | None = None


class Scan:
    """A walk through a file.

    Parameters
    ----------
    content : bytes or mmap
        The whole file.
    name : str
        Name of the file, for messages.
    salvage : bool
        Go on behind a corrupt chunk, at the next boundary, instead of raising; leave out chunks whose
        bytes are in order but whose times are none.

    Attributes
    ----------
    streams : dict of int to StreamScan
        By stream number, in the order of their headers.
    n_bytes : int
        Where the last whole chunk ends.
    truncated : bool
        Whether the file ends within a chunk.
    n_skipped : int
        Corrupt bytes that were left out.
    """

    def __init__(self, content: bytes | mmap, name: str, *, salvage: bool = False) -> None:
        self.streams: dict[int, StreamScan] = {}
        self.n_bytes = 0
        self.truncated = False
        self.n_skipped = 0
        self._content = content
        self._name = name
        self._salvage = salvage
        self._has_header = False
        self._n_elements = self._n_channels = self._n_texts = 0

    @property
    def complete(self) -> bool:
        """Whether the writer closed the file: nothing missing, every stream with its footer."""
        whole = not self.truncated and self.n_skipped == 0
        return whole and all(stream.has_footer for stream in self.streams.values())

    def chunks(self) -> Iterator[FileChunk]:
        """Yield the chunks in the order of the file, once.

        Raises
        ------
        DataError
            The content is no XDF file, corrupt before its last chunk, or beyond any sane size.
        """
        content = self._content
        if len(content) == 0:
            raise DataError(f"{self._name}: expected an XDF file, got an empty one; nothing was recorded")
        if content[: len(MAGIC)] != MAGIC:
            raise DataError(
                f"{self._name}: expected an XDF file (it starts with {MAGIC.decode()!r}), "
                f"got {content[:4]!r}; decompress it or choose another file"
            )
        self.n_bytes = position = len(MAGIC)
        while position < len(content):
            try:
                bounds = _chunk_bounds(content, position)
                if bounds is None:
                    self.truncated = True
                    break
                found = self._chunk(*bounds)
            except CorruptError as error:
                # The header of the file is what says that the rest belongs together.
                if not (self._salvage and self._has_header):
                    advice = (
                        "the file is corrupt, use a copy or 'rtasmr repair'"
                        if self._has_header
                        else "its file header is corrupt, which 'rtasmr repair' cannot make anew; use a copy"
                    )
                    raise DataError(
                        f"{self._name}: expected an intact chunk at byte {position}, got {error}; {advice}"
                    ) from error
                position = self._behind_damage(position)
                continue
            self.n_bytes = position = bounds[1]
            if found is not None:
                yield found
        if not self._has_header:
            raise DataError(
                f"{self._name}: expected a file header, the file ends before it; nothing was recorded"
            )

    def _behind_damage(self, position: int) -> int:
        """Return where the next chunk behind a boundary begins, and count what lies before it."""
        mark = self._content.find(BOUNDARY_UUID, position + 1)
        end = len(self._content) if mark == -1 else mark + len(BOUNDARY_UUID)
        self.n_skipped += end - position
        for stream in self.streams.values():
            stream.lacks_stamp = True
        return end

    def _chunk(self, start: int, end: int) -> FileChunk | None:
        """Check tag and content of one chunk and count it; None for one that is left out."""
        number = int.from_bytes(self._content[start : start + 2], "little")
        if self._has_header == (number == Tag.FILE_HEADER):
            belongs = "data" if self._has_header else "the file header"
            raise CorruptError(f"a chunk of kind {number} where {belongs} belongs")
        if number not in tuple(Tag):
            raise CorruptError(f"a chunk of unknown kind {number}")
        tag = Tag(number)
        if tag is Tag.FILE_HEADER:
            self._count_elements(sum(1 for _ in parse_xml(self._content[start + 2 : end]).iter()))
            self._has_header = True
            return FileChunk(tag, 0, start + 2, end)
        if tag is Tag.BOUNDARY:
            if self._content[start + 2 : end] != BOUNDARY_UUID:
                raise CorruptError("a boundary without its mark")
            return FileChunk(tag, 0, start + 2, end)
        if end - start < 6:
            raise CorruptError("a chunk without a stream number")
        stream_id = int.from_bytes(self._content[start + 2 : start + 6], "little")
        body = self._content[start + 6 : end]
        if tag is Tag.STREAM_HEADER:
            self._add_stream(stream_id, body)
            return FileChunk(tag, stream_id, start + 6, end)
        stream = self.streams.get(stream_id)
        if stream is None:
            raise CorruptError(f"data of stream {stream_id}, which has no header")
        samples = None
        if tag is Tag.SAMPLES:
            samples = self._samples(stream_id, stream, body)
            if samples is None:
                return None
        elif tag is Tag.CLOCK_OFFSET:
            if len(body) != _OFFSET.size:
                raise CorruptError(f"a clock offset of {len(body)} bytes, not {_OFFSET.size}")
            offset = _OFFSET.unpack(body)
            if self._salvage and not _are_times(np.array(offset)):
                self.n_skipped += len(body)
                return None
            stream.totals.clock_offsets.append(offset)
        else:
            if stream.has_footer:
                raise CorruptError(f"a second footer of stream {stream_id}")
            parse_xml(body)
            stream.has_footer = True
        return FileChunk(tag, stream_id, start + 6, end, samples)

    def _add_stream(self, stream_id: int, xml: bytes) -> None:
        if stream_id in self.streams or len(self.streams) == MAX_STREAMS:
            raise CorruptError(f"stream {stream_id} twice, or more than {MAX_STREAMS} streams")
        info = stream_info(xml)
        spec = info.spec
        self._count_elements(info.n_elements)
        self._n_channels += spec.n_channels
        if self._n_channels > MAX_ALL_CHANNELS:
            raise CorruptError(f"more than {MAX_ALL_CHANNELS} channels")
        self.streams[stream_id] = StreamScan(spec, SampleDecoder(spec.dtype, spec.n_channels, spec.sfreq))

    def _samples(self, stream_id: int, stream: StreamScan, body: bytes) -> Samples | None:
        if stream.lacks_stamp:
            stream.decoder.last_stamp = math.nan
        samples = stream.decoder.decode(body)
        if stream.lacks_stamp and np.isnan(samples[0]).any():
            self.n_skipped += len(body)
            return None
        if self._salvage and not _are_times(samples[0]):
            self.n_skipped += len(body)
            stream.lacks_stamp = True
            return None
        stream.lacks_stamp = False
        if stream.spec.dtype == STRING:
            self._n_texts += samples[1].size
            if self._n_texts > MAX_TEXTS:
                raise CorruptError(f"more than {MAX_TEXTS} texts in stream {stream_id}")
        stream.count(samples)
        return samples

    def _count_elements(self, n_elements: int) -> None:
        self._n_elements += n_elements
        if self._n_elements > MAX_XML_ELEMENTS:
            raise CorruptError(f"more than {MAX_XML_ELEMENTS} elements of XML in all headers")


def scan(content: bytes, name: str, *, salvage: bool = False) -> Scan:
    """Return what a whole file holds; see `Scan`."""
    result = Scan(content, name, salvage=salvage)
    for _ in result.chunks():
        pass
    return result


def _are_times(seconds: NDArray[np.float64]) -> bool:
    size = np.abs(seconds)
    return bool(((size == 0) | ((size > MIN_TIME_S) & (size < MAX_TIME_S))).all())


def _chunk_bounds(content: bytes | mmap, position: int) -> tuple[int, int] | None:
    """Return where a chunk's tag begins and the chunk ends; None if the file ends within the chunk."""
    try:
        length, start = read_varint(content, position)
    except IndexError:
        return None
    if not 2 <= length <= MAX_CHUNK_BYTES:
        raise CorruptError(f"a chunk of {length} bytes")
    if start + length <= len(content):
        return start, start + length
    # A cut file ends here. In a corrupt one the length is wrong and other chunks follow.
    if content.find(BOUNDARY_UUID, start) != -1:
        raise CorruptError(f"a chunk of {length} bytes, more than the file holds")
    return None
