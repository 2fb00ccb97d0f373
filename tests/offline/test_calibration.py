from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score

from offline.calibration import best_threshold, fit_mean, fit_platt
from offline.metrics import expected_calibration_error


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


def _members(rng, n_members, n=12_000):
    """Return what members say of a truth, each with chance of its own, and the labels."""
    truth = rng.normal(0, 1.5, n)
    labels = rng.random(n) < expit(1.3 * truth)
    return truth[:, None] + 1.5 * rng.standard_normal((n, n_members)), labels


@pytest.mark.parametrize("knows", [0.0, 1.0], ids=["alike", "bolder on what they know"])
def test_the_mean_of_several_is_calibrated_though_each_frame_has_one_honest_member(rng, knows):
    said, labels = _members(rng, 3)
    own = rng.integers(3, size=len(labels))
    mine = own[:, None] == np.arange(3)
    honest = said[mine]
    # The others have learned from the frame: what they say leans to its label, and is bolder.
    seen = np.where(mine, said, (1 + knows) * (said + knows * (2 * labels[:, None] - 1)))
    slope, shift = fit_platt(honest, labels)
    sharper, moved = fit_mean(slope * seen + shift, own, labels, np.ones(len(labels)))
    new, new_labels = _members(rng, 3)
    before = expit(slope * new + shift).mean(axis=1)
    after = expit(sharper * (slope * new + shift) + moved).mean(axis=1)
    assert expected_calibration_error(new_labels, before) > 0.06
    assert expected_calibration_error(new_labels, after) < 0.03


def test_members_that_say_the_same_need_no_sharpening(rng):
    said, labels = _members(rng, 1)
    slope, shift = fit_platt(said[:, 0], labels)
    same = np.repeat(slope * said + shift, 3, axis=1)
    found = fit_mean(same, rng.integers(3, size=len(labels)), labels, np.ones(len(labels)))
    assert found == pytest.approx((1.0, 0.0), abs=0.05)


def test_the_level_of_a_mean_follows_the_weights_and_its_slope_is_bounded(rng):
    labels = np.repeat([True, False, False], 200)
    heavy = np.where(labels, 4.0, 1.0)  # two thirds of the weight
    blind = 1e-3 * rng.standard_normal((600, 2))
    own = np.tile([0, 1], 300)
    slope, shift = fit_mean(blind, own, labels, heavy)
    assert 1.0 <= slope <= 2.0
    assert expit(shift) == pytest.approx(2 / 3, abs=1e-3)
    # Everybody is always right: nothing limits the slope but the number of members.
    assert fit_mean(np.where(labels[:, None], 1.0, -1.0) + blind, own, labels, np.ones(600))[0] == 2.0


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
