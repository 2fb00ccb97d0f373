"""What a runtime said about every tick, read back from its recording."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from rtasmr.errors import DataError
from rtasmr.grid import tick_time
from rtasmr.markers import is_translated
from rtasmr.query import DEFAULT_QUERIES
from rtasmr.ratings import RatingTrack
from rtasmr.recorded_causes import causes_of
from rtasmr.recorded_features import segments_from_recording
from rtasmr.session import RecordedStream, Recording
from rtasmr.snapshot import TickRecord
from rtasmr.stream_specs import DISTANCE_SPEC, TINGLE_CHANNELS, TINGLE_NAME
from rtasmr.types import Cause, Chunk, Role, Segment, Status

_TOLERANCE_S = 1e-3
"""A record belongs to a segment if its stamp lies this near the tick's time there."""

_MAX_OVERLAPPING = 8
"""Segments before a moment that a record of it may belong to: each late marker leaves one open."""


def ticks_of(recording: Recording) -> tuple[TickRecord, ...]:
    """Return the record of every tick, in the order they were published.

    Raises
    ------
    DataError
        If the file is no recording of a runtime, or its numbers are none.
    """
    where = recording.path.name
    stream = recording.stream(TINGLE_NAME)
    if stream.spec.ch_names != TINGLE_CHANNELS:
        raise DataError(
            f"{where}: expected channels {', '.join(TINGLE_CHANNELS)} in {TINGLE_NAME}, "
            f"got {', '.join(stream.spec.ch_names)[:200]}; record it with this version"
        )
    try:
        return tuple(
            _records_of(
                stream,
                segments_from_recording(recording),
                ratings_of(recording),
                _distances(recording),
                causes_of(recording, stream.times, stream.data[:, TINGLE_CHANNELS.index("status")]),
            )
        )
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{where}: expected sound numbers in {TINGLE_NAME}, got {error}; the file is corrupt, use a copy"
        ) from error


def ratings_of(recording: Recording) -> RatingTrack:
    """Return the rating presses of a recording; without a stream of them, ticks have no rating.

    Where our own stream of ratings is there without a press, nobody felt anything: all ticks are rated 0.
    """
    ratings = RatingTrack()
    for stream in recording.streams:
        if stream.spec.stype != "Markers" or is_translated(stream.spec):
            continue
        is_ours = stream.spec.name == DEFAULT_QUERIES[Role.RATING].name
        if is_ours or any(str(text).startswith("rating=") for text in stream.data):
            ratings.connect()
            ratings.push(Chunk(Role.RATING, stream.times, stream.data))
    return ratings


def _distances(recording: Recording) -> dict[float, float]:
    """Return the distance to the model's training by the stamp of its tick; empty for a model without."""
    return {
        time_s: float(distance)
        for stream in recording.streams
        if stream.spec.name == DISTANCE_SPEC.name
        for time_s, distance in zip(stream.times.tolist(), stream.data[:, 0], strict=True)
    }


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan


def _records_of(
    stream: RecordedStream,
    segments: Sequence[Segment],
    ratings: RatingTrack,
    distances: Mapping[float, float],
    causes: Sequence[Cause],
) -> list[TickRecord]:
    """Return the records of the output stream; ValueError where a number is none or out of range."""
    origins = [segment.origin for segment in segments]
    column = {name: stream.data[:, i] for i, name in enumerate(TINGLE_CHANNELS)}
    records = []
    for i, time_s in enumerate(stream.times.tolist()):
        tick = _whole(column["tick"][i])
        # Segments overlap where a marker came late: the tick tells which one is meant.
        newest = bisect_right(origins, time_s + _TOLERANCE_S)
        recent = reversed(segments[max(0, newest - _MAX_OVERLAPPING) : newest])
        fits = (s for s in recent if abs(tick_time(s.origin, tick) - time_s) < _TOLERANCE_S)
        segment = next(fits, None)
        if segment is None:
            raise ValueError(f"no segment fits tick {tick} at {time_s:.3f} s")
        records.append(
            TickRecord(
                segment=segment.index,
                label=segment.label,
                tick=tick,
                time_s=time_s,
                p=_finite(column["p"][i]),
                status=Status(_whole(column["status"][i])),
                modalities=_whole(column["modalities"][i]),
                rating=ratings.at(time_s, segment),
                p_low=_finite(column["p_low"][i]),
                p_high=_finite(column["p_high"][i]),
                outside=distances.get(time_s, math.nan) > 1.0,
                cause=causes[i],
            )
        )
    return records


def _whole(value: float) -> int:
    if not float(value).is_integer():
        raise ValueError(f"{value:g} where a whole number belongs")
    return int(value)
