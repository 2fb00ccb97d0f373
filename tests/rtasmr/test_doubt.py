"""A model that knows its uncertainty: from the window's answer to the record, and back from a recording."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtasmr.predictor import Predictor
from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.recorded_ticks import ticks_of
from rtasmr.session import read_xdf
from rtasmr.snapshot import TickRecord
from rtasmr.stream_specs import DISTANCE_SPEC, tingle_spec
from rtasmr.types import FeatureFrame, Modality, Prediction, Segment, Status
from rtasmr.xdf import XdfWriter

OK = dict.fromkeys(Modality, Status.OK)
SEGMENT = Segment(0, "vid1", 10.0)


class Doubtful:
    """Says p = tick / 1000 with a band of 0.1 either side, and is at its limit at tick 55."""

    def predict(self, values, _valid):
        p = values[:, 0] / 1000
        return np.stack([p, p - 0.1, p + 0.1, values[:, 0] / 55], axis=-1)


def frame(tick: int) -> FeatureFrame:
    values = np.full(3, tick, dtype=np.float32)
    return FeatureFrame(SEGMENT, tick, SEGMENT.origin + tick / 10, values, np.ones(3, bool), OK)


def said() -> list[Prediction]:
    predictor = Predictor(Doubtful(), 3, lookahead_frames=2)
    steps = [step for k in range(60) for step in predictor.push(frame(k))] + predictor.flush()
    return [step.prediction for step in steps if step.prediction is not None]


def test_band_and_distance_are_read_where_the_probability_is():
    for prediction in said()[50:]:
        p = prediction.tick / 1000
        assert (prediction.probability, prediction.p_low, prediction.p_high) == pytest.approx(
            (p, p - 0.1, p + 0.1), abs=1e-6
        )
        record = TickRecord.of(prediction)
        assert (record.p_low, record.p_high) == (prediction.p_low, prediction.p_high)
        assert record.outside == prediction.outside == (prediction.tick > 55)


def test_without_a_probability_there_is_no_doubt_either():
    early = said()[10]
    assert early.status is Status.WARMUP
    assert all(math.isnan(v) for v in (early.probability, early.p_low, early.p_high, early.distance))
    assert not early.outside


@pytest.mark.parametrize("has_distance", [True, False])
def test_a_recording_gives_band_and_flag_back(tmp_path, has_distance):
    writer = XdfWriter(tmp_path / "session.xdf", header={})
    spec = tingle_spec("m", demo=True, lookahead=2, window=200, threshold=0.5)
    tingle, segments = writer.add_stream(spec), writer.add_stream(SEGMENTS_SPEC)
    writer.write(segments, [10.0], [segment_text(SEGMENT)])
    rows = [(0.5, 0.4, 0.6, 1.1, k, 0, 7) for k in (50, 51)]
    writer.write(tingle, [15.0, 15.1], np.array(rows, dtype=np.float32))
    if has_distance:
        distance = writer.add_stream(DISTANCE_SPEC)
        writer.write(distance, [15.0, 15.1], np.array([[0.9], [1.1]], dtype=np.float32))
    records = ticks_of(read_xdf(writer.close()))
    assert [r.outside for r in records] == [False, has_distance]
    for record in records:
        assert (record.p_low, record.p_high) == pytest.approx((0.4, 0.6))
