"""The XML in XDF files, read as text from a stranger: bounded, with no document type and no entity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from rtasmr.types import StreamSpec
from rtasmr.xdf_format import MAX_XML_BYTES, NUMPY_FORMATS, STRING

MAX_CHANNELS = 2**18
MAX_XML_DEPTH = 32
MAX_XML_ELEMENTS = 200_000


class CorruptError(Exception):
    """What is wrong with the chunk at hand; becomes a `DataError` that names file and place."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a stream header says.

    ``n_elements`` counts its XML elements: what it takes in memory.
    """

    spec: StreamSpec
    n_elements: int


def parse_xml(content: bytes) -> Element:
    """Parse the XML of a header or footer; no document type, no entity, no encoding but UTF-8.

    Raises
    ------
    CorruptError
        The XML is malformed, too large, too deep, or declares a document type or an entity.
    """
    if len(content) > MAX_XML_BYTES:
        raise CorruptError(f"{len(content)} bytes of XML")
    builder = TreeBuilder()
    depth = n_elements = 0

    def refuse(*_: Any) -> None:
        raise CorruptError("XML with a document type or an entity, which may expand without end")

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
            raise CorruptError(f"XML in {encoding[:20]!r} instead of UTF-8")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, n_elements
        depth += 1
        n_elements += 1
        if depth > MAX_XML_DEPTH or n_elements > MAX_XML_ELEMENTS:
            raise CorruptError(f"XML of more than {MAX_XML_ELEMENTS} elements or {MAX_XML_DEPTH} levels")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    # Namespaces on, as ElementTree has them, with which other readers of XDF parse: both must take and
    # refuse the same texts.
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
        raise CorruptError(f"malformed XML ({error})") from error
    root: Element = builder.close()
    if root.tag != "info":
        raise CorruptError(f"XML of {root.tag[:20]!r} instead of 'info'")
    return root


def stream_info(xml: bytes) -> StreamInfo:
    """Return what a stream header says.

    Raises
    ------
    CorruptError
        The XML is refused by `parse_xml`, or name, rate, format or channel count is missing or absurd.
    """
    info = parse_xml(xml)
    dtype = (info.findtext("channel_format") or "").strip()
    if info.find("name") is None:
        raise CorruptError("a stream without a name")
    if dtype != STRING and dtype not in NUMPY_FORMATS:
        raise CorruptError(f"the channel format {dtype[:20]!r}")
    try:
        n_channels = int(info.findtext("channel_count") or "")
        sfreq = float(info.findtext("nominal_srate") or "")
    except ValueError as error:
        raise CorruptError(f"a stream with no channel count or rate ({error})") from error
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise CorruptError(f"{n_channels} channels")
    if not (math.isfinite(sfreq) and sfreq >= 0):
        raise CorruptError(f"a rate of {sfreq} Hz")
    channels = info.findall("desc/channels/channel")
    if len(channels) != n_channels:
        channels = []
    spec = StreamSpec(
        name=info.findtext("name") or "",
        stype=info.findtext("type") or "",
        source_id=info.findtext("source_id") or "",
        sfreq=sfreq,
        dtype=dtype,
        ch_names=_texts(channels, "label") or tuple(f"ch{i}" for i in range(1, n_channels + 1)),
        ch_types=_texts(channels, "type") or ("",) * n_channels,
        ch_units=_texts(channels, "unit") or ("",) * n_channels,
        desc=_described(info.find("desc")),
        hostname=info.findtext("hostname") or "",
    )
    return StreamInfo(spec, sum(1 for _ in info.iter()))


def flat(element: Element, prefix: str = "") -> dict[str, str]:
    """Flatten nested elements to ``outer.inner`` keys; of several of one name the first counts."""
    entries: dict[str, str] = {}
    for child in element:
        if len(child):
            for key, value in flat(child, f"{prefix}{child.tag}.").items():
                entries.setdefault(key, value)
        else:
            entries.setdefault(prefix + child.tag, child.text or "")
    return entries


def _texts(channels: list[Element], key: str) -> tuple[str, ...]:
    texts = (channel.findtext(key) or "" for channel in channels)
    if key == "label":
        return tuple(text or f"ch{i}" for i, text in enumerate(texts, start=1))
    return tuple(texts)


def _described(desc: Element | None) -> dict[str, str]:
    """Return the flat metadata of a stream; LSL's place for can_drop_samples loses its prefix."""
    if desc is None:
        return {}
    entries: dict[str, str] = {}
    for child in desc:
        if child.tag == "channels":
            continue
        if child.tag == "synchronization" and len(child):
            inner = flat(child)
        elif len(child):
            inner = flat(child, f"{child.tag}.")
        else:
            inner = {child.tag: child.text or ""}
        entries |= {key: value for key, value in inner.items() if key not in entries}
    return entries
