from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score

from offline.calibration import best_threshold, fit_platt


def test_platt_scaling_recovers_the_line_that_made_the_labels(rng):
    logits = rng.normal(0, 2, size=40_000)
    labels = rng.random(40_000) < expit(0.7 * logits - 1.2)
    slope, shift = fit_platt(logits, labels)
    assert (slope, shift) == pytest.approx((0.7, -1.2), abs=0.05)  # about 3 standard errors


def test_frames_count_as_much_as_their_weight(rng):
    logits, labels = rng.normal(size=200), rng.random(200) < 0.4
    times = rng.integers(1, 4, 200)
    repeated = fit_platt(np.repeat(logits, times), np.repeat(labels, times))
    # The targets know how many frames there are, which moves both numbers a little.
    assert fit_platt(logits, labels, times) == pytest.approx(repeated, abs=0.02)
    assert fit_platt(logits, labels, 7 * np.ones(200)) == pytest.approx(fit_platt(logits, labels))
    assert abs(fit_platt(logits, labels)[1] - repeated[1]) > 0.02


def test_platt_scaling_stays_finite_for_classes_that_are_separated_completely():
    logits = np.array([-3.0, -2.0, 2.0, 3.0])
    slope, shift = fit_platt(logits, logits > 0)
    # Targets are 1/4 and 3/4: the best line through +-2.5 on average has logit(3/4) = 1.0986 near there.
    p = expit(slope * logits + shift)
    assert p[:2] == pytest.approx(0.25, abs=0.05)
    assert p[2:] == pytest.approx(0.75, abs=0.05)


def test_threshold_has_the_best_macro_f1_of_all(rng):
    labels = rng.random(300) < 0.3
    p = np.round(expit(rng.normal(labels * 1.0 - 1.0)), 2)  # rounded: ties occur
    threshold, score = best_threshold(p, labels)
    brute = max(f1_score(labels, p >= cut, average="macro") for cut in np.unique(p))
    assert score == pytest.approx(brute)
    assert f1_score(labels, p >= threshold, average="macro") == pytest.approx(score)


def test_of_equally_good_thresholds_the_one_nearest_a_half_wins():
    p = np.array([0.1, 0.2, 0.4, 0.9])
    labels = np.array([True, False, False, True])
    # Cuts at 0.65 (1 hit, 1 miss) and none better; with labels split cleanly the single best cut is taken.
    assert best_threshold(p, labels)[0] == pytest.approx(0.65)
    assert best_threshold(p, np.array([False, False, False, True])) == pytest.approx((0.65, 1.0))


def test_one_probability_for_all_frames_gives_the_natural_threshold():
    threshold, score = best_threshold(np.full(4, 0.7), np.array([True, True, True, False]))
    assert threshold == 0.5
    assert score == pytest.approx((2 * 3 / 7 + 0) / 2)


@pytest.mark.parametrize("labels", [np.zeros(3, dtype=bool), np.ones(3, dtype=bool)])
def test_one_class_cannot_be_fitted(labels):
    with pytest.raises(ValueError, match="both classes"):
        fit_platt(np.zeros(3), labels)
    with pytest.raises(ValueError, match="both classes"):
        best_threshold(np.zeros(3), labels)
