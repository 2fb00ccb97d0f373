"""AUC and AUPRC from counts per pair of trials: by hand, and against the plain formula."""

import numpy as np
import pytest

from offline.metrics import auc
from offline.predictions import TrialPrediction
from offline.rank_scores import PrecisionScore, RankScores, mean_of_defined
from rtasmr.types import TrialId


def trial(participant, p, rating, video="vid1"):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(TrialId(participant, video), 1, p, np.asarray(rating, np.int8), p.size)


def ones(n):
    return np.ones(n, dtype=np.int64)


def test_pairs_by_hand_ties_count_half():
    scores = RankScores.of([trial(1, [0.9, 0.5], [1, 0]), trial(2, [0.9, 0.1], [0, 1])])
    # 0.9 against 0.5 and 0.9 (tie); 0.1 against 0.5 and 0.9.
    np.testing.assert_array_equal(scores.won, [[1.0, 0.5], [0.0, 0.0]])
    assert scores.pooled(ones(2)) == (1 + 0.5) / 4
    np.testing.assert_array_equal(scores.by_trial, [1.0, 0.0])
    assert scores.within_trial(ones(2)) == 0.5
    assert scores.within_trial(np.array([3, 1])) == 0.75


def test_pooled_auc_of_drawn_trials_is_that_of_the_repeated_steps(rng):
    trials = [trial(i, rng.normal(size=40).round(1), rng.integers(0, 2, 40)) for i in range(5)]
    scores, precision = RankScores.of(trials), PrecisionScore(trials)
    weights = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 0, 3]])
    found, precisions = scores.pooled(weights), precision(weights)
    for k, row in enumerate(weights):
        drawn = [one for one, n in zip(trials, row, strict=True) for _ in range(n)]
        truth, p = np.concatenate([t.truth for t in drawn]), np.concatenate([t.p for t in drawn])
        assert found[k] == pytest.approx(auc(truth, p))
        cuts = np.unique(p)[::-1]
        hits = np.array([truth[p >= cut].sum() for cut in cuts])
        called = np.array([(p >= cut).sum() for cut in cuts])
        expected = np.sum(hits / called * np.diff(hits, prepend=0)) / truth.sum()
        assert precisions[k] == pytest.approx(expected)


def test_no_tingle_no_score():
    silent = [trial(1, [0.2, 0.4], [0, 0])]
    assert np.isnan(RankScores.of(silent).pooled(ones(1)))
    assert np.isnan(PrecisionScore(silent)(ones(1)))
    assert np.isnan(RankScores.of(silent).within_trial(ones(1)))


def test_mean_of_defined_leaves_out_what_has_no_value():
    values = np.array([0.2, np.nan, 0.8])
    assert mean_of_defined(values, ones(3)) == pytest.approx(0.5)
    assert mean_of_defined(values, np.array([3, 5, 1])) == pytest.approx((0.6 + 0.8) / 4)
    assert np.isnan(mean_of_defined(values, np.array([0, 4, 0])))
