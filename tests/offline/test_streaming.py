"""Streaming probabilities are the runtime's, tick by tick; a change of the input changes what it should."""

from dataclasses import replace

import numpy as np
import pytest

from offline import personal
from offline.asking import Asker, Judge, exchanged, same_order, shifted, without
from offline.predictions import Predictions, TrialPrediction
from offline.streaming import (
    Serving,
    answered_ticks,
    clip_probabilities,
    serving_threshold,
    streaming_probabilities,
)
from rtasmr.errors import DataError
from rtasmr.grid import WARMUP_TICKS
from rtasmr.predictor import Predictor
from rtasmr.types import FeatureFrame, Modality, Segment, Status, TrialId


class Recurrent:
    """A model whose probabilities depend on the whole window, order and length of it, and on validity."""

    def predict(self, values, valid):
        x = np.where(valid, values, 0.25).astype(np.float64)[:, [0, -1]].sum(axis=1)
        forward = np.cumsum(x) / np.arange(1, len(x) + 1)
        backward = (np.cumsum(x[::-1]) / np.arange(1, len(x) + 1))[::-1]
        p = 1 / (1 + np.exp(-(forward + 0.5 * backward + 0.01 * len(x))))
        return p.astype(np.float32)


class WithDoubt(Recurrent):
    """The same with a band and a distance beside each probability."""

    def predict(self, values, valid):
        p = super().predict(values, valid)
        return np.stack([p, p - 1, p + 1, p + 2], axis=1)


def with_gaps(table):
    """Return a trial that loses the pulse for a while, and everything for less."""
    valid, values = table.valid.copy(), table.values.copy()
    valid[30:60, -1] = False
    valid[80:85] = False
    values[~valid] = np.nan
    return replace(table, values=values, valid=valid)


def as_the_runtime(model, table, serving):
    """Push a trial through the runtime's own predictor; NaN before the warm-up's end."""
    predictor = Predictor(
        model,
        table.spec.n_features,
        window_frames=serving.window_frames,
        lookahead_frames=serving.lookahead_frames,
        requires=serving.requires,
        first_tick=serving.first_tick,
    )
    values, valid = table.sequence
    segment = Segment(0, "vid1", 0.0)
    steps = []
    for tick in range(len(values)):
        status = {m: Status.OK if valid[tick, table.spec.columns(m)].any() else Status.GAP for m in Modality}
        steps += predictor.push(FeatureFrame(segment, tick, tick / 10, values[tick], valid[tick], status))
    steps += predictor.flush()
    said = [step.prediction for step in steps if step.prediction is not None]
    assert [p.tick for p in said] == list(range(len(values)))
    return np.array([p.probability for p in said], dtype=np.float32)[WARMUP_TICKS:]


@pytest.mark.parametrize(
    "serving",
    [
        Serving(100, 10),
        Serving(100, 0, requires=frozenset({Modality.PPG})),
        Serving(300, 20, first_tick=WARMUP_TICKS),
        Serving(60, 50),
    ],
)
def test_every_tick_is_what_the_runtime_says(make_table, serving):
    table = with_gaps(make_table(TrialId(3, "vid1"), 150))
    expected = as_the_runtime(Recurrent(), table, serving)
    found = streaming_probabilities(Recurrent(), table, serving)
    np.testing.assert_array_equal(found, expected)
    n_silent = 30 + 5 if serving.requires else 5
    assert int(np.isnan(found).sum()) == n_silent
    np.testing.assert_array_equal(streaming_probabilities(WithDoubt(), table, serving), expected)
    some = streaming_probabilities(Recurrent(), table, serving, stride=7)
    np.testing.assert_array_equal(np.isfinite(some), np.isfinite(expected) & (np.arange(150) % 7 == 0))
    np.testing.assert_array_equal(some[::7], expected[::7])


def test_without_anything_there_is_no_answer(make_table):
    table = with_gaps(make_table(TrialId(3, "vid1"), 100))
    ok = answered_ticks(table, frozenset())
    assert not ok[:WARMUP_TICKS].any()
    assert np.flatnonzero(~ok[WARMUP_TICKS:]).tolist() == [80, 81, 82, 83, 84]


def test_the_whole_clip_at_once(make_table):
    table = make_table(TrialId(3, "vid1"), 100)
    values, valid = table.sequence
    whole = Recurrent().predict(values, valid)[WARMUP_TICKS:]
    np.testing.assert_array_equal(clip_probabilities(Recurrent(), table, Serving(100, 10)), whole)
    published = Recurrent().predict(table.values, table.valid)
    from_the_warm_up = Serving(100, 10, first_tick=WARMUP_TICKS)
    np.testing.assert_array_equal(clip_probabilities(WithDoubt(), table, from_the_warm_up), published)


@pytest.mark.parametrize("threshold", [0.5, 0.1, 0.43123456789, float(np.float32(0.3)), 1e-6])
def test_from_the_threshold_on_is_above_the_next_smaller_number(threshold):
    near = np.float32(threshold)
    p = np.array([np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(1))])
    np.testing.assert_array_equal(p > serving_threshold(threshold), p.astype(np.float64) >= threshold)


def test_changed_inputs(make_table):
    own, other = make_table(TrialId(3, "vid1"), 100), make_table(TrialId(7, "vid1"), 80)
    gone = without(own, Modality.PPG)
    assert not gone.sequence[1][:, -1].any()
    np.testing.assert_array_equal(gone.sequence[1][:, :-1], own.sequence[1][:, :-1])
    late = shifted(own, Modality.PPG, 20)
    np.testing.assert_array_equal(late.sequence[0][20:, -1], own.sequence[0][:-20, -1])
    np.testing.assert_array_equal(late.sequence[0][:20, -1], own.sequence[0][-20:, -1])
    given = exchanged(own, other, Modality.PPG)
    np.testing.assert_array_equal(given.sequence[0][:130, -1], other.sequence[0][:, -1])
    assert not given.valid[80:, -1].any()  # the other saw less
    np.testing.assert_array_equal(given.values[:, :-1], own.values[:, :-1])
    assert own.valid[:, -1].all()  # the trial itself stays


def test_asking_by_fold(make_table):
    serving = Serving(100, 10)
    judges = {1: Judge(Recurrent(), serving, 0.5), 2: Judge(WithDoubt(), serving, 0.5)}
    tested = {
        1: [make_table(TrialId(n, video), 80) for n in (4, 2, 3) for video in ("vid1", "vid5")],
        2: [make_table(TrialId(9, "vid2"), 70)],
    }
    asker = Asker("m", judges, tested)
    said = asker.ask()
    assert [(t.fold, str(t.trial)) for t in said.trials][:3] == [
        (1, "002_vid1"),
        (1, "002_vid5"),
        (1, "003_vid1"),
    ]
    assert [t.trial.participant for t in asker.ask(asmr_only=True).trials] == [2, 3, 4, 9]
    assert str(asker.giver(1, TrialId(4, "vid1"), 1).trial) == "002_vid1"
    assert asker.n_givers() == 0  # nobody else in the second fold
    turned = Predictions("m", said.trials[::-1])
    assert same_order(turned, said).trials == said.trials
    with pytest.raises(DataError, match="expected predictions of the same 7 trials, got 6"):
        same_order(Predictions("m", said.trials[1:]), said)
    gap = with_gaps(make_table(TrialId(9, "vid2"), 100))
    silent = Asker("m", {2: judges[2]}, {2: [gap]})
    saved = TrialPrediction(gap.trial, 2, np.full(100, 0.5, dtype=np.float32), gap.rating, 100)
    (kept,) = silent.silenced(Predictions("m", (saved,))).trials
    assert np.flatnonzero(np.isnan(kept.p)).tolist() == [80, 81, 82, 83, 84]
    # A fold that chose a family without look-ahead is still asked as it is served.
    mixed = Asker("m", {1: judges[1], 2: Judge(WithDoubt(), Serving(100, 0), 0.5)}, tested)
    assert {one.lookahead_frames for one in mixed.servings} == {10, 0}
    for one, same in zip(mixed.ask().trials, mixed.ask(serve=lambda own: own).trials, strict=True):
        np.testing.assert_array_equal(one.p, same.p)
    at_once = mixed.ask(serve=lambda own: replace(own, lookahead_frames=0)).trials
    unchanged = [np.array_equal(a.p, b.p) for a, b in zip(mixed.ask().trials, at_once, strict=True)]
    assert unchanged == [False] * 6 + [True]
    # A personal shift moves what is said of that person.
    for own, plain in zip(Asker("m", judges, tested, {3: 1.0}).ask().trials, said.trials, strict=True):
        expected = personal.shifted(plain.p, 1.0) if plain.trial.participant == 3 else plain.p
        np.testing.assert_array_equal(own.p, expected)
