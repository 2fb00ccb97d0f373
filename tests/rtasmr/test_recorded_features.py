"""Feature frames through a recording and back."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from rtasmr.errors import DataError
from rtasmr.features.spec import FEATURE_NAMES, FeatureSpec
from rtasmr.recorded_features import (
    SEGMENTS_SPEC,
    feature_rows,
    features_spec,
    frames_from_recording,
    segment_text,
)
from rtasmr.session import read_xdf
from rtasmr.types import FeatureFrame, Segment, StreamSpec
from rtasmr.xdf import XdfWriter

FREE = Segment(0, "", 1000.1)
CLIP = Segment(1, "vid3", 1000.1 + 1 / 3)


def frame(segment, tick, rng, invalid=()):
    values = rng.normal(size=len(FEATURE_NAMES)).astype(np.float32)
    valid = np.ones(values.size, dtype=bool)
    valid[list(invalid)] = False
    values[~valid] = np.nan
    return FeatureFrame(segment, tick, segment.origin + tick / 10, values, valid, {})


def record(path, frames, segments):
    with closing(XdfWriter(path, header={})) as writer:
        number = writer.add_stream(SEGMENTS_SPEC)
        writer.write(number, [s.origin for s in segments], [segment_text(s) for s in segments])
        writer.write(writer.add_stream(features_spec(FeatureSpec())), *feature_rows(frames))
    return read_xdf(path)


def test_frames_come_back_as_recorded(tmp_path, rng):
    frames = [
        frame(FREE, 0, rng),
        frame(FREE, 1, rng, invalid=[543]),
        frame(CLIP, 0, rng, invalid=range(512)),
        frame(CLIP, 16_000_001, rng),
    ]
    got = frames_from_recording(record(tmp_path / "s.xdf", frames, [FREE, CLIP]))
    assert got.segments == (FREE, CLIP)
    assert got.labels.tolist() == ["", "", "vid3", "vid3"]
    assert got.tick.tolist() == [0, 1, 0, 16_000_001]
    assert got.time_s.tolist() == [f.time_s for f in frames]
    np.testing.assert_array_equal(got.values, [f.values for f in frames])
    np.testing.assert_array_equal(got.valid, [f.valid for f in frames])
    assert got.names == FEATURE_NAMES
    assert got.identity["fingerprint"] == FeatureSpec().fingerprint
    assert got.identity["feature_set"] == "live"


def test_value_without_validity_is_not_stored(rng):
    recorded = frame(CLIP, 5, rng)
    half = FeatureFrame(CLIP, 5, 0.0, recorded.values, np.arange(544) < 300, {})
    _, rows = feature_rows([half])
    np.testing.assert_array_equal(np.isnan(rows[0, :544]), np.arange(544) >= 300)
    assert rows[0, 544:].tolist() == [5, 1]


def test_segment_that_was_never_announced_is_refused(tmp_path, rng):
    with pytest.raises(DataError, match="got none for segment 1"):
        frames_from_recording(record(tmp_path / "s.xdf", [frame(CLIP, 0, rng)], [FREE]))


def test_recording_without_features_says_so(tmp_path):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.add_stream(SEGMENTS_SPEC)
    with pytest.raises(DataError, match="expected one stream 'rtasmr-features', got 0"):
        frames_from_recording(read_xdf(tmp_path / "s.xdf"))


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"index": 1}', '{"index": "x", "label": "", "origin": 0}', "[" * 100_000]
)
def test_corrupt_segment_is_refused(tmp_path, text):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.write(writer.add_stream(SEGMENTS_SPEC), [1.0], [text])
        writer.add_stream(features_spec(FeatureSpec()))
    with pytest.raises(DataError, match="index, label and origin of a segment as JSON"):
        frames_from_recording(read_xdf(tmp_path / "s.xdf"))


@pytest.mark.parametrize(
    ("ch_names", "row", "complaint"),
    [(("a", "b", "c"), [0, 0, 0], "last channels"), (("a", "tick", "segment"), [0, 1.5, 0], "whole numbers")],
)
def test_other_features_are_refused(tmp_path, ch_names, row, complaint):
    spec = StreamSpec("rtasmr-features", "Features", "f", 0.0, "float32", ch_names)
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.write(writer.add_stream(spec), [1.0], [row])
        writer.add_stream(SEGMENTS_SPEC)
    with pytest.raises(DataError, match=complaint):
        frames_from_recording(read_xdf(tmp_path / "s.xdf"))
