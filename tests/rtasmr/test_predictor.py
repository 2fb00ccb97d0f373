"""A tick is judged L frames before the newest; the last ticks of a segment with what there is."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.predictor import Predictor, tick_status
from rtasmr.types import FeatureFrame, Modality, Segment, Status

OK = dict.fromkeys(Modality, Status.OK)


class LastValues:
    """Answers with column 0 of the window, so that a probability names the tick it was read at."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def predict(self, values, _valid):
        self.lengths.append(len(values))
        return values[:, 0]


def frame(tick: int, segment: Segment, status=OK) -> FeatureFrame:
    values = np.full(3, tick, dtype=np.float32)
    return FeatureFrame(segment, tick, segment.origin + tick / 10, values, np.ones(3, bool), status)


def run(predictor: Predictor, frames: list[FeatureFrame]):
    steps = [step for f in frames for step in predictor.push(f)] + predictor.flush()
    return [step.prediction for step in steps if step.prediction is not None]


def test_every_tick_of_every_segment_has_one_record_in_order():
    first, second = Segment(0, "", 0.0), Segment(1, "vid3", 7.0)
    frames = [frame(k, first) for k in range(70)] + [frame(k, second) for k in range(80)]
    said = run(Predictor(LastValues(), 3), frames)
    assert [(p.segment.index, p.tick) for p in said] == [(f.segment.index, f.tick) for f in frames]


def test_a_tick_is_read_ten_frames_before_the_newest():
    model = LastValues()
    segment = Segment(0, "vid1", 0.0)
    said = run(Predictor(model, 3, window_frames=30), [frame(k, segment) for k in range(100)])
    assert [p.probability for p in said[50:]] == [float(k) for k in range(50, 100)]
    assert [p.lookahead_ticks for p in said[-11:]] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert set(model.lengths) == {30}


def test_the_window_grows_from_the_start_and_is_never_padded():
    model = LastValues()
    segment = Segment(0, "vid1", 0.0)
    run(Predictor(model, 3), [frame(k, segment) for k in range(70)])
    assert model.lengths == [*range(61, 71), 70]  # ticks 50 to 59, then the rest from the final window


def test_a_new_segment_forgets_the_old_one():
    model = LastValues()
    frames = [frame(k, Segment(0, "", 0.0)) for k in range(300)]
    frames += [frame(k, Segment(1, "vid1", 30.0)) for k in range(61)]
    run(Predictor(model, 3), frames)
    assert model.lengths[-1] == 61


def test_warm_up_has_no_probability():
    said = run(Predictor(LastValues(), 3), [frame(k, Segment(0, "", 0.0)) for k in range(60)])
    assert {p.status for p in said[:50]} == {Status.WARMUP}
    assert all(np.isnan(p.probability) for p in said[:50])
    assert {p.status for p in said[50:]} == {Status.OK}


def test_a_gap_of_all_modalities_has_no_probability_but_a_record():
    segment = Segment(0, "", 0.0)
    gone = dict.fromkeys(Modality, Status.GAP)
    said = run(
        Predictor(LastValues(), 3), [frame(k, segment, gone if 55 <= k < 58 else OK) for k in range(70)]
    )
    assert [p.tick for p in said if np.isnan(p.probability)] == [*range(50), 55, 56, 57]
    assert said[56].status is Status.GAP


PPG_ONLY = {Modality.PPG: Status.OK, Modality.SOUND: Status.ABSENT, Modality.PICTURE: Status.ABSENT}


@pytest.mark.parametrize(
    ("tick", "status", "requires", "expected"),
    [
        (60, PPG_ONLY, [], Status.OK),
        (60, PPG_ONLY, [Modality.PPG], Status.OK),
        (60, PPG_ONLY, [Modality.PPG, Modality.SOUND], Status.ABSENT),
        (10, PPG_ONLY, [], Status.WARMUP),
        (60, {**PPG_ONLY, Modality.PPG: Status.BAD_INPUT}, [], Status.BAD_INPUT),
        (60, {**PPG_ONLY, Modality.PPG: Status.STALE, Modality.SOUND: Status.GAP}, [], Status.GAP),
        (10, {**PPG_ONLY, Modality.PPG: Status.GAP}, [], Status.GAP),
        (60, dict.fromkeys(Modality, Status.ABSENT), [], Status.ABSENT),
    ],
)
def test_status_of_a_tick(tick, status, requires, expected):
    assert tick_status(tick, status, frozenset(requires)) is expected
