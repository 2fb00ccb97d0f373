"""Leaks planted on purpose: each is caught by its check, and what is no leak passes."""

from dataclasses import replace

import numpy as np
import pytest

from offline.feature_sets import feature_spec
from offline.leaks import check_causal, check_same, check_split, check_tables, column_agreement
from offline.predictions import TrialPrediction
from offline.streaming import Serving, streaming_probabilities
from rtasmr.errors import DataError
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import TrialId


class WindowMean:
    """A model of windows: the running mean of the last column, forwards, or over the whole window."""

    def __init__(self, *, knows_all: bool = False) -> None:
        self.knows_all = knows_all

    def predict(self, values, valid):
        x = np.where(valid, values, 0.0)[:, -1]
        if self.knows_all:
            return np.full(len(x), x.mean(), dtype=np.float32)
        return (np.cumsum(x) / np.arange(1, len(x) + 1)).astype(np.float32)


def test_participant_in_both_sides():
    tested = [TrialId(3, "vid1"), TrialId(7, "vid5")]
    check_split(tested, {1, 2}, {"vid2", "vid6"}, "fold 1")
    with pytest.raises(DataError, match=r"fold 1: expected test participants .* got 1 that it did \(007\)"):
        check_split(tested, {1, 7}, {"vid2"}, "fold 1")


def test_clip_in_both_sides():
    with pytest.raises(DataError, match="expected test clips that it did not learn from, got vid1"):
        check_split([TrialId(3, "vid1")], {1}, {"vid1", "vid2"}, "fold 1")


def test_future_samples_in_a_prediction(make_table, rng):
    table = make_table(TrialId(3, "vid1"), 200)
    model, serving = WindowMean(), Serving(100, 10)
    check_causal(lambda one: streaming_probabilities(model, one, serving), table, 10, rng)
    # A model that reads its whole window sees the look-ahead, and nothing beyond.
    whole = WindowMean(knows_all=True)
    check_causal(lambda one: streaming_probabilities(whole, one, serving), table, 10, rng)

    def clip_wide(one):
        values, _ = one.sequence
        return np.full(one.n_frames, values[:, 0].mean(), dtype=np.float32)

    with pytest.raises(DataError, match="it reads the future"):
        check_causal(clip_wide, table, 10, rng)
    with pytest.raises(DataError, match=r"at most 0\.5 s ahead"):
        check_causal(lambda one: streaming_probabilities(whole, one, serving), table, 5, rng)


def test_saved_predictions_that_the_runtime_would_not_say(make_table):
    table = make_table(TrialId(3, "vid1"), 200)
    p = streaming_probabilities(WindowMean(), table, Serving(100, 10))
    asked = TrialPrediction(table.trial, 1, p, table.rating, p.size)
    check_same(asked, asked)
    check_same(replace(asked, p=p + np.float32(5e-6)), asked)
    of_clip = WindowMean(knows_all=True).predict(*table.sequence)[WARMUP_TICKS:]
    with pytest.raises(DataError, match="expected the saved predictions to be what the runtime would say"):
        check_same(replace(asked, p=of_clip), asked)
    gap = p.copy()
    gap[7] = np.nan
    with pytest.raises(DataError, match="differ by up to 0 and 1 missing"):
        check_same(replace(asked, p=gap), asked)
    sparse = np.where(np.arange(p.size) % 25 == 0, p, np.float32(np.nan))
    check_same(asked, replace(asked, p=sparse))
    with pytest.raises(DataError, match="expected the ratings of its feature table, got others saved"):
        check_same(replace(asked, rating=asked.rating + np.int8(1)), asked)
    with pytest.raises(DataError, match=r"threshold of the model's card, 0\.5, got 0\.4 saved"):
        check_same(replace(asked, threshold=0.4), asked)
    shorter = TrialPrediction(table.trial, 1, p[:150], table.rating[:150], 150)
    with pytest.raises(DataError, match="expected 200 predictions, one per tick, got 150 saved"):
        check_same(shorter, asked)


def study(make_table, rng, change=None):
    """Return six people with two clips whose reports are their own; ``change`` makes the last column."""
    tables = []
    for participant in range(1, 7):
        for video in ("vid1", "vid6"):
            table = make_table(TrialId(participant, video), 300)
            rating = np.repeat(rng.integers(0, 2, 10), 30).astype(np.int8)
            values = table.values.copy()
            values[:, -1] = rng.normal(size=300)
            table = replace(table, rating=rating, values=values)
            if change is not None:
                values[:, -1] = change(table)
            tables.append(table)
    return tables


def test_label_in_a_feature(make_table, rng):
    check_tables(study(make_table, rng))
    with pytest.raises(DataError, match=r"column 'ppg': .* r = -1\.000: it knows the label"):
        check_tables(study(make_table, rng, lambda table: 3.0 - table.rating))
    noisy = study(make_table, rng, lambda table: table.rating + 0.3 * rng.normal(size=300))
    with pytest.raises(DataError, match="it knows the label"):
        check_tables(noisy)
    # A pulse that follows the person as no study has seen it is still a feature.
    strong = study(make_table, rng, lambda table: table.rating + 0.6 * rng.normal(size=300))
    assert column_agreement(strong)[-1] > 0.5
    check_tables(strong)


def test_the_level_of_the_rating_is_a_label_with_gaps_too(make_table, rng):
    """A copy of levels 0 to 3 follows the mere presence of a tingle no better than a pulse may."""
    tables = []
    for table in study(make_table, rng):
        rating = np.repeat(rng.choice(4, 10, p=[0.4, 0.1, 0.1, 0.4]), 30).astype(np.int8)
        rating[rng.integers(300, size=40)] = 3
        table.values[:, -1] = rating
        tables.append(replace(table, rating=rating))
    tables[0].valid[10:30, -1] = False
    assert column_agreement(tables)[-1] == pytest.approx(1.0)
    with pytest.raises(DataError, match=r"column 'ppg': .* r = 1\.000: it knows the label"):
        check_tables(tables)
    for table in tables:
        table.values[:, -1] = np.concatenate([np.zeros(30), table.rating[:-30]])  # 3 s late
    assert column_agreement(tables)[-1] == pytest.approx(1.0)
    for table in tables:
        table.valid[:200, -1] = False
    assert column_agreement(tables)[-1] == 0.0


def test_a_stimulus_that_everybody_follows_is_no_label(make_table, rng):
    course = np.repeat([0, 1, 0, 1, 1, 0], 50)
    tables = [replace(table, rating=course.astype(np.int8)) for table in study(make_table, rng)]
    for table in tables:
        table.values[:, 0] = course  # what all see at one instant is the same
    assert column_agreement(tables)[0] == 0.0
    check_tables(tables)


def test_features_that_know_the_whole_clip(make_table, rng):
    def z_score(table):
        x = rng.normal(size=table.n_frames)
        return (x - x.mean()) / x.std()

    with pytest.raises(DataError, match="'ppg': expected features that a stream can give, got mean 0"):
        check_tables(study(make_table, rng, z_score))
    spec = replace(feature_spec("paper", "e" * 64), names=make_table(TrialId(1, "vid1"), 60).names)
    with pytest.raises(DataError, match="feature set 'paper': expected features that a stream can give"):
        check_tables([make_table(TrialId(1, "vid1"), 60, spec)])
