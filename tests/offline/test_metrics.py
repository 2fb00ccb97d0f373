"""Scores against scikit-learn and against values worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from offline.metrics import (
    Counts,
    accuracy,
    auc,
    balanced_accuracy,
    brier,
    expected_calibration_error,
    macro_f1,
    macro_precision,
    macro_recall,
    matthews_correlation,
    n_changes,
    sensitivity,
    specificity,
    variance_explained,
)

AGAINST_REFERENCE = {
    accuracy: reference.accuracy_score,
    macro_f1: lambda t, p: reference.f1_score(t, p, average="macro", zero_division=0),
    macro_precision: lambda t, p: reference.precision_score(t, p, average="macro", zero_division=0),
    macro_recall: lambda t, p: reference.recall_score(t, p, average="macro", zero_division=0),
}


@pytest.mark.parametrize("metric", AGAINST_REFERENCE, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("base_rate", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("called_rate", [0.0, 0.3, 1.0])
def test_equals_scikit_learn(metric, base_rate, called_rate, rng):
    truth, called = rng.random(300) < base_rate, rng.random(300) < called_rate
    expected = AGAINST_REFERENCE[metric](truth, called)
    assert float(metric(Counts.of(truth, called))) == pytest.approx(expected, abs=1e-12)


def test_balanced_accuracy_equals_scikit_learn(rng):
    truth, called = rng.random(300) < 0.2, rng.random(300) < 0.6
    expected = reference.balanced_accuracy_score(truth, called)
    assert float(balanced_accuracy(Counts.of(truth, called))) == pytest.approx(expected, abs=1e-12)


def test_matthews_correlation_equals_scikit_learn(rng):
    truth, called = rng.random(300) < 0.2, rng.random(300) < 0.6
    expected = reference.matthews_corrcoef(truth, called)
    assert float(matthews_correlation(Counts.of(truth, called))) == pytest.approx(expected, abs=1e-12)


def test_matthews_correlation_of_a_constant_is_zero():
    truth = np.array([True, False])
    assert float(matthews_correlation(Counts.of(truth, np.ones(2, bool)))) == 0.0
    assert float(matthews_correlation(Counts.of(np.zeros(2, bool), np.zeros(2, bool)))) == 0.0


def test_hand_computed_case():
    counts = Counts(np.array(3), np.array(1), np.array(2), np.array(4))
    assert float(accuracy(counts)) == 7 / 10
    assert float(sensitivity(counts)) == 3 / 5
    assert float(specificity(counts)) == 4 / 5
    assert float(macro_f1(counts)) == pytest.approx((6 / 9 + 8 / 11) / 2)


def test_specificity_without_negatives_is_undefined():
    assert np.isnan(specificity(Counts.of(np.ones(3, bool), np.ones(3, bool))))
    assert np.isnan(balanced_accuracy(Counts.of(np.ones(3, bool), np.ones(3, bool))))


def test_counts_of_trials_add_up_to_the_pooled_counts(rng):
    pairs = [(rng.random(n) < 0.4, rng.random(n) < 0.5) for n in (5, 50, 7)]
    pooled = Counts.of(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
    np.testing.assert_array_equal(Counts.stack(pairs).total().to_array(), pooled.to_array())
    assert int(pooled.n) == 62


def test_score_of_many_counts_is_the_score_of_each(rng):
    many = Counts.from_array(rng.integers(0, 9, size=(40, 4)))
    for metric in (*AGAINST_REFERENCE, matthews_correlation):
        single = [float(metric(Counts.from_array(row))) for row in many.to_array()]
        np.testing.assert_array_equal(metric(many), single)


def test_auc_equals_scikit_learn_with_ties(rng):
    truth, score = rng.random(200) < 0.3, rng.integers(0, 10, 200) / 10
    assert auc(truth, score) == pytest.approx(reference.roc_auc_score(truth, score), abs=1e-12)


def test_auc_is_undefined_for_one_class():
    assert np.isnan(auc(np.zeros(4, bool), np.arange(4.0)))
    assert np.isnan(auc(np.ones(4, bool), np.arange(4.0)))


def test_brier_and_calibration_error_by_hand():
    truth = np.array([True, False, True, True])
    p = np.array([0.9, 0.9, 0.1, 0.5])
    assert brier(truth, p) == pytest.approx((0.01 + 0.81 + 0.81 + 0.25) / 4)
    # Two steps at 0.9 with frequency 0.5; one at 0.1 with frequency 1; one at 0.5 with frequency 1.
    assert expected_calibration_error(truth, p) == pytest.approx((2 * 0.4 + 0.9 + 0.5) / 4)


def test_calibrated_probabilities_have_no_calibration_error():
    assert expected_calibration_error(np.array([False, True]), np.array([0.5, 0.5])) == 0.0
    assert expected_calibration_error(np.array([False, True]), np.array([0.0, 1.0])) == 0.0


def test_variance_explained_by_hand():
    values = np.array([0.0, 2.0, 10.0, 12.0])
    # Total sum of squares 104, within the groups {0, 2} and {10, 12} it is 4.
    assert variance_explained(values, np.array([0, 0, 1, 1])) == pytest.approx(100 / 104)
    assert variance_explained(values, np.array([0, 1, 2, 3])) == pytest.approx(1.0)
    assert variance_explained(values, np.array([0, 0, 0, 0])) == pytest.approx(0.0)


def test_variance_explained_of_a_constant_is_undefined():
    assert np.isnan(variance_explained(np.ones(3), np.array([0, 1, 1])))


def test_changes_are_counted_between_neighbours():
    assert n_changes(np.array([False, True, True, False, True])) == 3
    assert n_changes(np.array([True])) == 0
