"""Feature frames and segments as streams of a recording: written by the runtime, read back as frames.

The one home of the streams ``rtasmr-features`` (one sample per tick, stamped with the tick's time) and
``rtasmr-segments`` (one text per segment, stamped with its origin).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.session import Recording
from rtasmr.types import FeatureFrame, Segment, StreamSpec

FEATURES_NAME = "rtasmr-features"
POSITION_NAMES = ("tick", "segment")
"""Channels behind the features, as float32."""

MAX_POSITION = 2**24
"""Up to here float32 is exact: 19 days of ticks."""

SEGMENTS_SPEC = StreamSpec(
    name="rtasmr-segments",
    stype="Markers",
    source_id="rtasmr-segments",
    sfreq=0.0,
    dtype="string",
    ch_names=("segment",),
    ch_types=("Markers",),
    ch_units=("",),
)
"""One JSON text per segment: ``{"index": 3, "label": "vid3", "origin": 1234.5}``, see `segment_text`."""


def features_spec(feature_spec: FeatureSpec) -> StreamSpec:
    """Return the stream that holds the frames of a feature set, with what identifies the set."""
    ch_names = (*feature_spec.names, *POSITION_NAMES)
    return StreamSpec(
        name=FEATURES_NAME,
        stype="Features",
        source_id=FEATURES_NAME,
        sfreq=0.0,
        dtype="float32",
        ch_names=ch_names,
        ch_types=("Features",) * len(ch_names),
        ch_units=("",) * len(ch_names),
        desc={
            "feature_set": feature_spec.set_name,
            "feature_version": str(feature_spec.version),
            "fingerprint": feature_spec.fingerprint,
            "lookahead_s": repr(feature_spec.lookahead_s),
            "encoder_sha256": feature_spec.encoder_sha256,
        },
    )


def feature_rows(frames: Sequence[FeatureFrame]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return stamps (n_frames,) and samples (n_frames, n_features + 2), NaN where a value is not valid."""
    times = np.array([frame.time_s for frame in frames], dtype=np.float64)
    rows = [
        np.append(np.where(frame.valid, frame.values, np.nan), (frame.tick, frame.segment.index))
        for frame in frames
    ]
    return times, np.array(rows, dtype=np.float32)


def segment_text(segment: Segment) -> str:
    """Return the marker of a segment."""
    return json.dumps({"index": segment.index, "label": segment.label, "origin": segment.origin})


@dataclass(frozen=True, slots=True)
class RecordedFrames:
    """The frames of a recording, in the order they were recorded.

    Parameters
    ----------
    segments : tuple of Segment
        In order of their index.
    segment : ndarray of shape (n_frames,), int64
        Index of each frame's segment.
    tick : ndarray of shape (n_frames,), int64
    time_s : ndarray of shape (n_frames,), float64
        Seconds on the clock of the recording.
    values : ndarray of shape (n_frames, n_features), float32
        NaN where ``valid`` is False.
    valid : ndarray of shape (n_frames, n_features), bool
    names : tuple of str
        Columns of ``values``.
    identity : mapping of str to str
        ``feature_set``, ``feature_version``, ``fingerprint``, ``lookahead_s``, ``encoder_sha256``.
    """

    segments: tuple[Segment, ...]
    segment: NDArray[np.int64]
    tick: NDArray[np.int64]
    time_s: NDArray[np.float64]
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    names: tuple[str, ...]
    identity: Mapping[str, str]

    @property
    def labels(self) -> NDArray[np.str_]:
        """Stimulus of each frame, shape (n_frames,); empty in a free segment."""
        label_of = {segment.index: segment.label for segment in self.segments}
        return np.array([label_of[index] for index in self.segment.tolist()], dtype=np.str_)


def frames_from_recording(recording: Recording) -> RecordedFrames:
    """Return the feature frames of a recording.

    Raises
    ------
    DataError
        The recording holds no features or no segments, or they contradict each other.
    """
    features = recording.stream(FEATURES_NAME)
    names = features.spec.ch_names
    where = recording.path.name
    n_positions = len(POSITION_NAMES)
    if names[-n_positions:] != POSITION_NAMES:
        raise DataError(
            f"{where}: expected the last channels of {FEATURES_NAME} to be {', '.join(POSITION_NAMES)}, "
            f"got {', '.join(names[-n_positions:])}; record it with this version"
        )
    positions = features.data[:, -n_positions:]
    if not ((np.abs(positions) <= MAX_POSITION).all() and (positions == np.rint(positions)).all()):
        raise DataError(
            f"{where}: expected whole numbers up to {MAX_POSITION} as tick and segment, got others; "
            "the file is corrupt, use a copy"
        )
    tick, segment = positions.astype(np.int64).T
    segments = segments_from_recording(recording)
    unknown = set(segment.tolist()) - {known.index for known in segments}
    if unknown:
        raise DataError(
            f"{where}: expected every segment in {SEGMENTS_SPEC.name}, got none for segment {min(unknown)}; "
            "the file is corrupt, use a copy"
        )
    values = np.ascontiguousarray(features.data[:, :-n_positions])
    return RecordedFrames(
        segments=segments,
        segment=segment,
        tick=tick,
        time_s=features.times,
        values=values,
        valid=~np.isnan(values),
        names=names[:-n_positions],
        identity=features.spec.desc,
    )


def segments_from_recording(recording: Recording) -> tuple[Segment, ...]:
    """Return the segments of a recording by index; `DataError` where one cannot be read."""
    segments: dict[int, Segment] = {}
    for text in recording.stream(SEGMENTS_SPEC.name).data:
        try:
            entry = json.loads(text)
            index, origin = int(entry["index"]), float(entry["origin"])
            if not (0 <= index <= MAX_POSITION and math.isfinite(origin)):
                raise ValueError(f"segment {index} at {origin} s")
            segments[index] = Segment(index, str(entry["label"]), origin)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise DataError(
                f"{recording.path.name}: expected index, label and origin of a segment as JSON, "
                f"got {text[:60]!r}; the file is corrupt, use a copy"
            ) from error
    return tuple(segments[index] for index in sorted(segments))
