"""Bootstrap, permutation and paired tests against values worked out by hand."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from offline.metrics import Counts, accuracy, macro_f1, macro_precision, macro_recall
from offline.predictions import Predictions, TrialPrediction
from offline.statistics import (
    bootstrap_multiplicities,
    fold_values,
    label_permutation,
    mean_and_sd,
    paired_bootstrap_p,
    paired_t_p,
    percentile_interval,
    resample_participants,
    sequence_permutation,
    sign_flip_p,
    trial_counts,
    video_level,
)
from rtasmr.errors import DataError
from rtasmr.types import TrialId

FUSION = (0.7398, 0.7074, 0.8377, 0.5896)
VIDEO_ONLY = (0.74, 0.7071, 0.7433, 0.5741)
AUDIO_ONLY = (0.7172, 0.7084, 0.7977, 0.5741)


def trial(participant, video, called, rating, fold=1):
    p = np.asarray(called, dtype=np.float32)
    return TrialPrediction(TrialId(participant, video), fold, p, np.asarray(rating, dtype=np.int8), p.size)


def random_study(rng, n_participants=6, n_steps=40):
    trials = []
    for i in range(n_participants):
        for video in ("vid1", "vid5"):
            trials.append(
                trial(i + 1, video, rng.random(n_steps), rng.integers(0, 2, n_steps), fold=i % 2 + 1)
            )
    return Predictions("m", tuple(trials))


def test_sd_over_folds_is_the_population_sd():
    assert mean_and_sd(np.array([1.0, 3.0])) == (2.0, 1.0)


def test_fold_values_pool_the_trials_of_a_fold():
    model = Predictions(
        "m",
        (
            trial(1, "vid1", [1, 1, 1, 1], [1, 1, 1, 0]),
            trial(1, "vid5", [0, 0], [3, 3]),
            trial(2, "vid2", [0, 1], [1, 0], fold=2),
        ),
    )
    np.testing.assert_allclose(fold_values(model, accuracy), [5 / 6, 0.0])


def test_percentile_interval_is_linear_between_samples():
    assert percentile_interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))


def test_each_resample_draws_as_many_participants_as_there_are(rng):
    drawn = bootstrap_multiplicities(7, 500, rng)
    assert drawn.shape == (500, 7)
    assert np.all(drawn.sum(axis=1) == 7)
    assert drawn.max() > 1


def test_resampled_totals_keep_a_participants_trials_together(rng):
    # Participant 1 has 3 hits in two trials, participant 2 has 10 in one: totals are 3 a + 10 (2 - a).
    model = Predictions(
        "m",
        (
            trial(1, "vid1", [1, 1], [1, 1]),
            trial(1, "vid2", [1, 0], [1, 1]),
            trial(2, "vid1", [1] * 10, [1] * 10),
        ),
    )
    totals = resample_participants(model, 200, rng)(trial_counts(model))
    assert set(totals.tp.tolist()) == {6, 13, 20}


def test_bootstrap_equals_concatenating_the_drawn_sequences(rng):
    model = random_study(rng)
    weights = bootstrap_multiplicities(6, 20, np.random.default_rng(3))
    totals = resample_participants(model, 20, np.random.default_rng(3))(trial_counts(model))
    for row, value in zip(weights, macro_f1(totals), strict=True):
        drawn = [t for t in model.trials for _ in range(row[t.trial.participant - 1])]
        slow = Counts.of(
            np.concatenate([t.truth for t in drawn]), np.concatenate([t.predicted for t in drawn])
        )
        assert value == float(macro_f1(slow))


def test_same_seed_same_answer_other_seed_other_answer(rng):
    model = random_study(rng)

    def interval(seed):
        totals = resample_participants(model, 100, np.random.default_rng(seed))
        return percentile_interval(macro_f1(totals(trial_counts(model))))

    def d(seed):
        tests, _ = sequence_permutation(model, {"f1": macro_f1}, 100, np.random.default_rng(seed))
        return tests["f1"].cohen_d

    assert interval(1) == interval(1) != interval(2)
    assert d(1) == d(1) != d(2)


def test_permutation_equals_shuffling_the_sequences(rng):
    model = random_study(rng)
    tests, nature = sequence_permutation(model, {"f1": macro_f1}, 60, np.random.default_rng(5))
    order_rng = np.random.default_rng(5)
    null, nature_null = [], []
    predicted = [t.predicted for t in model.trials]
    is_nature = np.array([not t.is_asmr for t in model.trials])
    for _ in range(60):
        truth = [model.trials[i].truth for i in order_rng.permutation(len(predicted))]
        null.append(float(macro_f1(Counts.of(np.concatenate(truth), np.concatenate(predicted)))))
        hit = [np.mean(t == p) for t, p in zip(truth, predicted, strict=True)]
        nature_null.append(np.mean(np.array(hit)[is_nature]))
    observed = float(macro_f1(trial_counts(model).total()))
    assert tests["f1"].observed == observed
    assert tests["f1"].cohen_d == pytest.approx((observed - np.mean(null)) / np.std(null))
    assert tests["f1"].p_published == np.mean(np.array(null) >= observed)
    assert tests["f1"].p == (np.count_nonzero(np.array(null) >= observed) + 1) / 61
    assert nature.p_published == np.mean(np.array(nature_null) >= nature.observed - 1e-12)


def test_the_four_scores_are_one_permutation_test(rng):
    metrics = {m.__name__: m for m in (accuracy, macro_f1, macro_precision, macro_recall)}
    tests, _ = sequence_permutation(random_study(rng), metrics, 200, rng)
    assert len({test.p for test in tests.values()}) == 1
    d = [test.cohen_d for test in tests.values()]
    np.testing.assert_allclose(d, d[0], rtol=1e-9)


def test_permutation_needs_sequences_of_one_length(rng):
    model = Predictions("m", (trial(1, "vid1", [1, 0], [1, 1]), trial(1, "vid5", [1], [0])))
    with pytest.raises(DataError, match=r"got lengths \[1, 2\]"):
        sequence_permutation(model, {"f1": macro_f1}, 10, rng)


@pytest.mark.parametrize(("n_called", "is_asmr"), [(81, False), (82, True), (83, True)])
def test_clip_is_called_asmr_from_82_of_550_steps(n_called, is_asmr):
    called = np.arange(550) < n_called
    counts = video_level(Predictions("m", (trial(1, "vid1", called, np.zeros(550)),)))
    assert int(counts.tp[0]) == is_asmr
    assert int(counts.fn[0]) == (not is_asmr)


def test_truth_of_the_video_level_is_the_kind_of_clip():
    never_rated = trial(1, "vid1", np.ones(550), np.zeros(550))
    all_rated = trial(1, "vid5", np.ones(550), np.full(550, 3))
    counts = video_level(Predictions("m", (never_rated, all_rated)))
    assert counts.tp.tolist() == [1, 0]
    assert counts.fp.tolist() == [0, 1]


def test_label_permutation_matches_the_exact_null():
    # Three of six clips, all right: one of C(6, 3) = 20 orders does as well.
    counts = Counts.from_array(np.array([[1, 0, 0, 0]] * 3 + [[0, 0, 0, 1]] * 3))
    test = label_permutation(counts, 20_000, np.random.default_rng(1))
    assert test.observed == 1.0
    assert test.p_published == pytest.approx(1 / 20, abs=0.005)  # three standard errors: 0.0046


def test_paired_bootstrap_of_the_published_fold_scores_is_exact():
    assert paired_bootstrap_p(FUSION, VIDEO_ONLY) == 13 / 256
    assert paired_bootstrap_p(FUSION, AUDIO_ONLY) == 1 / 256


def test_paired_bootstrap_agrees_with_rational_arithmetic():
    first, second = (Fraction(7, 10), Fraction(9, 10), Fraction(5, 10)), (Fraction(5, 10),) * 3
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean = sum(differences) / 3
    draws = list(itertools.product([d - mean for d in differences], repeat=3))
    expected = Fraction(sum(sum(draw) / 3 >= mean for draw in draws), len(draws))
    assert paired_bootstrap_p([float(x) for x in first], [0.5] * 3) == float(expected)


def test_other_paired_tests_of_the_published_fold_scores():
    assert sign_flip_p(FUSION, VIDEO_ONLY) == 0.125
    assert sign_flip_p(FUSION, AUDIO_ONLY) == 0.125
    assert paired_t_p(FUSION, VIDEO_ONLY) == pytest.approx(0.155, abs=5e-4)
    assert paired_t_p(FUSION, AUDIO_ONLY) == pytest.approx(0.054, abs=5e-4)


@pytest.mark.parametrize("gain", [0.0, 0.1])
def test_folds_that_all_gain_the_same_have_no_t(gain):
    assert paired_t_p([0.5 + gain, 0.7 + gain, 0.6 + gain], [0.5, 0.7, 0.6]) is None


@pytest.mark.parametrize(
    ("first", "second"), [((0.1,), (0.2,)), ((0.1, 0.2), (0.1,)), ((0.1,) * 7, (0.2,) * 7)]
)
def test_paired_tests_refuse_what_they_cannot_enumerate(first, second):
    with pytest.raises(DataError, match="2 to 6 folds"):
        paired_bootstrap_p(first, second)
