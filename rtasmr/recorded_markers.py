"""Foreign markers of a recording, given their meaning afterwards: what `markers` does in a live run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtasmr.errors import DataError
from rtasmr.marker_map import MarkerMap, meaning
from rtasmr.markers import as_translated, is_translated, our_spec
from rtasmr.query import DEFAULT_QUERIES
from rtasmr.session import RecordedStream, Recording
from rtasmr.types import Role

_ROLES = (Role.CLIP, Role.RATING)


def translated(recording: Recording, marker_map: MarkerMap) -> Recording:
    """Return a recording with our markers beside the foreign ones that they were made of.

    Streams under our own names, and those that a live run has translated, are left alone.

    Raises
    ------
    DataError
        If the map gives no marker of the recording a meaning.
    """
    ours = {DEFAULT_QUERIES[role].name for role in _ROLES}
    streams: list[RecordedStream] = []
    made: list[RecordedStream] = []
    for stream in recording.streams:
        spec = stream.spec
        is_foreign = spec.stype == "Markers" and spec.name not in ours and not is_translated(spec)
        found = _meanings(stream, marker_map) if is_foreign and len(stream.times) else []
        streams.append(replace(stream, spec=as_translated(spec)) if found else stream)
        made += found
    if not made:
        names = ", ".join(s.spec.name for s in recording.streams if s.spec.stype == "Markers") or "no stream"
        raise DataError(
            f"{recording.path.name}: expected foreign markers that the marker map knows, got none ({names} "
            "of type Markers). Correct the map, or leave it out."
        )
    return replace(recording, streams=(*streams, *made))


def _meanings(stream: RecordedStream, marker_map: MarkerMap) -> list[RecordedStream]:
    first = stream.data if stream.data.ndim == 1 else stream.data[:, 0]
    # Triggers may be numbers: 7 and 7.0 are both told as "7", as in a live run.
    is_number = np.issubdtype(first.dtype, np.number)
    texts = [str(value).removesuffix(".0") if is_number else str(value) for value in first]
    known = [marker_map.translate(text) for text in texts]
    made = []
    for role in _ROLES:
        keep = [i for i, text in enumerate(known) if text is not None and meaning(text) is role]
        if keep:
            data = np.array([known[i] for i in keep], dtype=object)
            spec = our_spec(role, stream.spec)
            made.append(RecordedStream(spec, stream.times[keep], data, stream.clock_offsets))
    return made
