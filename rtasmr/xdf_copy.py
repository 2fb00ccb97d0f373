"""Copies of recordings, chunk by chunk: repaired, with fewer streams, or without what identifies a person.

What is kept is kept byte for byte, clock offsets and foreign metadata too. Footers are written anew from
what was found in the file. The original is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args
from xml.etree.ElementTree import SubElement, tostring

from rtasmr.errors import ConfigError, DataError
from rtasmr.questions import question_entries, stated_questions
from rtasmr.session import read_content
from rtasmr.types import StreamSpec
from rtasmr.xdf_file import RecordingFailedError, RecordingFile
from rtasmr.xdf_format import (
    MAGIC,
    MAX_LABELLED_CHANNELS,
    STRING,
    Tag,
    chunk,
    stream_footer,
    stream_header,
    u32,
    xml_document,
    xml_elements,
)
from rtasmr.xdf_scan import Scan, StreamScan
from rtasmr.xdf_xml import flat, parse_xml

DateDetail = Literal["day", "month", "year", "none"]

STREAM_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sound": ("Audio",),
        "picture": ("VideoRaw", "VideoCompressed"),
        "features": ("Features",),
        "ppg": ("PPG",),
        "markers": ("Markers",),
    }
)
"""Words for streams to leave out, with the LSL content types they stand for."""

_KEPT_HEADER = ("version", "consent", "clock", "model", "demo", "warnings", "fingerprint", "card")
_KEPT_METADATA = (
    *("filter", "burst_s", "stamps", "can_drop_samples", "layout"),
    *("clock_t0", "clock_start", "clock_speed"),
    *("model", "demo", "lookahead_frames", "window_frames", "threshold", "warnings"),
    *("feature_set", "feature_version", "fingerprint", "lookahead_s", "encoder_sha256"),
    *("acquisition.manufacturer", "acquisition.model"),
)
"""What a redacted stream still says of itself: what reading its numbers takes. All else may name a person."""

_NETWORK_ENTRIES = (
    *("hostname", "uid", "session_id"),
    *("v4address", "v4data_port", "v4service_port", "v6address", "v6data_port", "v6service_port"),
)
"""Where a stream came from when it was recorded."""

_OWN_TEXTS = ("rtasmr-rating", "rtasmr-clip", "rtasmr-segments")
"""Streams whose texts this program makes. Incidents are not among them: they repeat what sources said."""

_OWN_NAMES = (
    *_OWN_TEXTS,
    *("rtasmr-ppg", "rtasmr-sound", "rtasmr-picture", "rtasmr-rating-continuous"),
    *("rtasmr-tingle", "rtasmr-features", "rtasmr-incidents", "rtasmr-latency"),
    *("rtasmr-distance", "rtasmr-pulse"),
)
"""Names that say what a stream is; a stranger's may be that of a device, which is called as its owner."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy came to.

    Parameters
    ----------
    path : Path
        The new file.
    streams : tuple of (str, int)
        Name and number of samples of each stream in it.
    left_out : tuple of str
        Names of the streams that were not copied.
    n_lost_bytes : int
        Bytes of the original that no reader can make sense of.
    free_texts : tuple of str
        Streams of text in the copy that anybody may have written anything into, as the original names them.
    """

    path: Path
    streams: tuple[tuple[str, int], ...]
    left_out: tuple[str, ...]
    n_lost_bytes: int
    free_texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Edit:
    """What to change on the way; by default nothing."""

    keeps: Callable[[StreamSpec], bool] = lambda _spec: True
    file_header: Callable[[bytes], bytes] = bytes
    stream_header: Callable[[bytes, StreamSpec, int], bytes] = lambda xml, _spec, _number: xml
    name: Callable[[StreamSpec, int], str] = lambda spec, _number: spec.name


def repair(path: Path, out: Path | None = None) -> Copied:
    """Copy what can be read of a damaged or unfinished recording, with footers, to a new file.

    A torn tail is dropped. Behind a corrupt chunk the copy goes on at the next boundary, and with the first
    sample of each stream that has a stamp of its own.

    Parameters
    ----------
    path : Path
        A recording, also a ``.part`` file that nobody writes to any more.
    out : Path, optional
        Wanted name; by default ``session_repaired.xdf`` for ``session.xdf`` and ``session.xdf.part``. A
        name that is taken is numbered.

    Raises
    ------
    DataError
        The file is no recording, holds nothing, or needs no repair.
    """
    source = _Source.read(path, salvage=True)
    if source.found.complete and path.suffix != ".part":
        raise DataError(f"{path.name}: expected a damaged or unfinished recording, it is whole; use it so")
    if out is None:
        wanted = path.with_suffix("") if path.suffix == ".part" else path
        out = wanted.with_stem(f"{wanted.stem}_repaired")
    return _copy(source, out, _Edit())


def export(path: Path, out: Path, without: tuple[str, ...] = ()) -> Copied:
    """Copy a recording for readers that want less of it.

    Channels get labels where they have none, as NeuroKit2's ``read_xdf`` needs it; host names and addresses
    go. Streams without samples stay: one of ratings says that nobody pressed a key, not that nobody could.

    Parameters
    ----------
    path, out : Path
    without : tuple of str
        Streams to leave out: words of `STREAM_KINDS`, LSL content types, or names.

    Raises
    ------
    ConfigError
        One of ``without`` means no stream of the file and is no word of `STREAM_KINDS`.
    DataError
        The file is no recording or corrupt, or nothing is left of it.
    """
    source = _Source.read(path)
    unwanted = _unwanted(source, without)
    edit = _Edit(
        keeps=lambda spec: not unwanted(spec),
        stream_header=lambda xml, spec, _number: _for_other_readers(xml, spec),
    )
    return _copy(source, out, edit)


def date_detail(text: str) -> DateDetail:
    """Return what `redact` takes for a user's word; ConfigError for another."""
    for detail in get_args(DateDetail):
        if text == detail:
            return detail  # type: ignore[no-any-return]
    raise ConfigError(f"--date: expected {', '.join(get_args(DateDetail))}, got {text[:40]!r}.")


def redact(
    path: Path,
    out: Path,
    *,
    participant: str = "",
    without: tuple[str, ...] = ("sound", "picture"),
    detail: DateDetail = "month",
) -> Copied:
    """Copy a recording without what may identify the person or the place.

    Headers are reduced to what reading the numbers takes: hosts, names and identities of devices, settings
    and foreign metadata go; a stream of another program is called by its type and number. The
    texts of marker streams are kept and their names returned, since only a person can judge them.

    Parameters
    ----------
    path, out : Path
    participant : str
        Pseudonymous code for the header; empty leaves none.
    without : tuple of str
        As in `export`; by default uncompressed sound and pictures, which may show the person.
    detail : str
        How much of the date stays: ``day``, ``month``, ``year``, or ``none``.

    Raises
    ------
    ConfigError, DataError
        As in `export`.
    """
    source = _Source.read(path)
    unwanted = _unwanted(source, without)

    def file_header(xml: bytes) -> bytes:
        known = flat(parse_xml(xml))
        entries = {key: known[key] for key in _KEPT_HEADER if key in known}
        moment = _coarse(known.get("datetime", ""), detail)
        entries |= {key: text for key, text in (("datetime", moment), ("participant", participant)) if text}
        return xml_document(xml_elements(entries))

    def header(_xml: bytes, spec: StreamSpec, number: int) -> bytes:
        desc = {key: spec.desc[key] for key in _KEPT_METADATA if key in spec.desc}
        # Without what was asked, a rating of pleasantness could be read as one of tingling.
        desc |= question_entries(stated_questions(spec.desc))
        anonymous = replace(spec, name=name(spec, number), source_id=f"stream-{number}", desc=desc)
        return stream_header(anonymous, created_at=0.0)

    def name(spec: StreamSpec, number: int) -> str:
        return spec.name if spec.name in _OWN_NAMES else f"{spec.stype}-{number}"

    edit = _Edit(
        keeps=lambda spec: not unwanted(spec), file_header=file_header, stream_header=header, name=name
    )
    return _copy(source, out, edit)


@dataclass(frozen=True, slots=True)
class _Source:
    """A recording in memory, walked once: where its chunks lie and what its streams hold."""

    path: Path
    content: bytes
    found: Scan
    places: tuple[tuple[Tag, int, int, int], ...]

    @classmethod
    def read(cls, path: Path, *, salvage: bool = False) -> _Source:
        content = read_content(path)
        found = Scan(content, path.name, salvage=salvage)
        places = tuple((c.tag, c.stream_id, c.start, c.end) for c in found.chunks())
        return cls(path, content, found, places)


def _copy(source: _Source, out: Path, edit: _Edit) -> Copied:
    found = source.found
    kept = {n: s for n, s in found.streams.items() if edit.keeps(s.spec)}
    if not any(stream.n_samples for stream in kept.values()):
        raise DataError(f"{source.path.name}: expected samples to keep, none are left; leave out less of it")
    file = RecordingFile(out)
    try:
        file.write(MAGIC)
        for piece in _pieces(source, kept, edit):
            file.write(piece)
        for number, stream in kept.items():
            file.write(chunk(Tag.STREAM_FOOTER, u32(number) + stream_footer(stream.totals)))
        path = file.close()
    except RecordingFailedError:
        file.discard()
        raise
    return Copied(
        path=path,
        streams=tuple((edit.name(stream.spec, n), stream.n_samples) for n, stream in kept.items()),
        left_out=tuple(s.spec.name for n, s in found.streams.items() if n not in kept),
        n_lost_bytes=found.n_skipped + (len(source.content) - found.n_bytes if found.truncated else 0),
        free_texts=tuple(
            s.spec.name
            for s in kept.values()
            if s.spec.dtype == STRING and s.n_samples and s.spec.name not in _OWN_TEXTS
        ),
    )


def _pieces(source: _Source, kept: Mapping[int, StreamScan], edit: _Edit) -> Iterator[bytes]:
    """Yield the chunks of the copy, up to the footers."""
    for tag, stream_id, start, end in source.places:
        content = source.content[start:end]
        if tag is Tag.FILE_HEADER:
            yield chunk(tag, edit.file_header(content))
        elif tag is Tag.BOUNDARY:
            yield chunk(tag, content)
        elif stream_id in kept and tag is not Tag.STREAM_FOOTER:
            if tag is Tag.STREAM_HEADER:
                content = edit.stream_header(content, kept[stream_id].spec, stream_id)
            yield chunk(tag, u32(stream_id) + content)


def _unwanted(source: _Source, without: Sequence[str]) -> Callable[[StreamSpec], bool]:
    """Return what says whether a stream is to be left out."""
    specs = [stream.spec for stream in source.found.streams.values()]
    for word in without:
        if word not in STREAM_KINDS and not any(word in (spec.name, spec.stype) for spec in specs):
            names = ", ".join(sorted({repr(spec.name[:40]) for spec in specs})) or "no stream"
            raise ConfigError(
                f"--without: expected some of {', '.join(STREAM_KINDS)} or a name or type of a stream, "
                f"got {word[:40]!r}; {source.path.name} has {names}."
            )
    words = set(without)
    types = {stype for word in words & set(STREAM_KINDS) for stype in STREAM_KINDS[word]}
    return lambda spec: spec.stype in types | words or spec.name in words


def _for_other_readers(xml: bytes, spec: StreamSpec) -> bytes:
    """Return a stream header without the network's entries and with a label for every channel."""
    info = parse_xml(xml)
    for tag in _NETWORK_ENTRIES:
        for element in info.findall(tag):
            info.remove(element)
    channels = info.findall("desc/channels/channel")
    if len(channels) != spec.n_channels <= MAX_LABELLED_CHANNELS:
        desc = info.find("desc")
        desc = SubElement(info, "desc") if desc is None else desc
        for other in desc.findall("channels"):
            desc.remove(other)
        listed = SubElement(desc, "channels")
        channels = [SubElement(listed, "channel") for _ in spec.ch_names]
    for channel, name in zip(channels, spec.ch_names, strict=False):
        if not channel.findtext("label"):
            for empty in channel.findall("label"):
                channel.remove(empty)
            SubElement(channel, "label").text = name
    return bytes(tostring(info, encoding="utf-8"))


def _coarse(moment: str, detail: DateDetail) -> str:
    """Return a date and time with only so much detail; empty where it cannot be read."""
    try:
        day = date.fromisoformat(moment[:10])
    except ValueError:
        return ""
    return {"day": f"{day:%Y-%m-%d}", "month": f"{day:%Y-%m}", "year": f"{day:%Y}", "none": ""}[detail]
