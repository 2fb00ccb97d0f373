"""Marker streams of any program in, our own markers out, nothing lost on the way.

What a foreign stream sent is recorded as it came; what it means is recorded beside it, under the names
that the rest of the project reads. A text that means nothing is counted and named once.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rtasmr.marker_map import NAME_WORDS, MarkerMap, meaning
from rtasmr.query import DEFAULT_QUERIES, printable
from rtasmr.stream_specs import clip_spec, rating_spec
from rtasmr.types import Chunk, Role, StreamSpec

logger = logging.getLogger(__name__)

MAX_NAMED = 20
"""Different unknown texts that are named; further ones are only counted."""

_TRANSLATED = {"translated": "true"}
_OURS = MarkerMap()


@dataclass(frozen=True, slots=True)
class MarkerRecord:
    """Markers to record: ``key`` stands for one stream of the recording, described by ``spec``."""

    key: str
    spec: StreamSpec
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class TakenMarkers:
    """What became of a chunk: our markers of its role, if there are any, and what to record."""

    known: Chunk | None
    records: tuple[MarkerRecord, ...]


class MarkerIntake:
    """Translate the chunks of the clip and the rating stream.

    One foreign stream may serve both roles; it is then recorded, and its unknown texts are counted, once.
    Streams under our own names carry our own texts and are not translated.

    Parameters
    ----------
    marker_map : MarkerMap
        For streams of other programs.
    """

    def __init__(self, marker_map: MarkerMap) -> None:
        self._map = marker_map
        self._specs: dict[Role, StreamSpec] = {}
        self._owner: dict[tuple[str, str], Role] = {}
        self._known: Counter[Role] = Counter()
        self._unknown: Counter[str] = Counter()
        self._n_unknown = 0
        self._clip = ""  # that runs
        self._mismatched: set[str] = set()

    def join(self, role: Role, spec: StreamSpec) -> None:
        """Note that a stream has come (back) for the clip or the rating role."""
        self._specs[role] = spec
        self._owner.setdefault(_source(spec), role)

    def recorded_spec(self, role: Role) -> StreamSpec:
        """Describe the stream of our markers that a recording holds for a role that has joined."""
        spec = self._specs[role]
        return spec if _is_ours(role, spec) else our_spec(role, spec)

    def take(self, chunk: Chunk) -> TakenMarkers:
        """Sort the texts of one chunk."""
        role, spec = chunk.role, self._specs[chunk.role]
        is_ours = _is_ours(role, spec)
        is_owner = self._owner[_source(spec)] is role
        marker_map = _OURS if is_ours else self._map
        keep: list[int] = []
        texts: list[str] = []
        for i, text in enumerate(chunk.data):
            ours = marker_map.translate(str(text))
            if ours is None:
                if is_owner:
                    self._note_unknown(spec, str(text), marker_map.bad_name(str(text)))
            elif meaning(ours) is role:
                self._follow_clip(spec, ours)
                keep.append(i)
                texts.append(ours)
        self._known[role] += len(keep)
        known = Chunk(role, chunk.times[keep], np.array(texts, dtype=object)) if keep else None
        if is_ours:
            return TakenMarkers(known, (MarkerRecord(role.value, spec, chunk),))
        records: list[MarkerRecord] = []
        if is_owner:
            records.append(MarkerRecord(" ".join(_source(spec)), as_translated(spec), chunk))
        if known is not None:
            records.append(MarkerRecord(role.value, self.recorded_spec(role), known))
        return TakenMarkers(known, tuple(records))

    def account(self) -> dict[str, Any]:
        """Return what came, for the account of a run: our markers by role, unknown ones with their texts."""
        return {
            Role.CLIP.value: self._known[Role.CLIP],
            Role.RATING.value: self._known[Role.RATING],
            "unknown": self._n_unknown,
            "unknown_texts": dict(self._unknown),
        }

    def _follow_clip(self, spec: StreamSpec, text: str) -> None:
        """Keep which clip runs, and say it where another one's end ends it."""
        word, _, name = text.partition(" ")
        if word == "clip_start":
            self._clip = name
        elif word == "clip_end":
            is_news = text not in self._mismatched and len(self._mismatched) < MAX_NAMED
            if name and self._clip not in ("", name) and is_news:
                self._mismatched.add(text)
                logger.warning(
                    "marker %r of stream %r ends the clip %r, which runs; check what sends the markers",
                    text,
                    printable(spec.name),
                    self._clip,
                )
            self._clip = ""

    def _note_unknown(self, spec: StreamSpec, text: str, bad_name: str) -> None:
        self._n_unknown += 1
        shown = printable(text)
        if shown not in self._unknown:
            if len(self._unknown) == MAX_NAMED:
                return
            ending = "; further unknown texts are only counted" if len(self._unknown) == MAX_NAMED - 1 else ""
            advice = "means nothing here: left out and counted; give it a meaning with --marker-map"
            if bad_name:
                named = printable(bad_name)
                advice = f"names a clip {named!r}: left out and counted; a clip's name has {NAME_WORDS}"
            logger.warning("marker %r of stream %r %s%s", shown, printable(spec.name), advice, ending)
        self._unknown[shown] += 1


def as_translated(spec: StreamSpec) -> StreamSpec:
    """Describe a foreign stream that is kept as it came, beside the markers that were made of it."""
    # Readers of recordings want a label on every channel; many programs send none.
    labels = tuple(name or "marker" for name in spec.ch_names)
    return replace(spec, ch_names=labels, desc={**spec.desc, **_TRANSLATED})


def is_translated(spec: StreamSpec) -> bool:
    """Whether a recorded stream is kept as it came, beside the markers that were made of it."""
    return _TRANSLATED.items() <= spec.desc.items()


def _is_ours(role: Role, spec: StreamSpec) -> bool:
    return spec.name == DEFAULT_QUERIES[role].name


def _source(spec: StreamSpec) -> tuple[str, str]:
    return spec.name, spec.source_id


def our_spec(role: Role, spec: StreamSpec) -> StreamSpec:
    """Describe the stream of our markers that were made of a foreign one."""
    make = clip_spec if role is Role.CLIP else rating_spec
    return make(source_id=DEFAULT_QUERIES[role].name, desc={"translated_from": spec.name})
