"""How far probabilities lie from what people report, and how far they would by chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from offline.calibration_error import CalibrationError
from offline.metrics import expected_calibration_error
from offline.predictions import TrialPrediction
from rtasmr.types import TrialId


def trial(person, p, felt, video="vid1"):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(TrialId(person, video), 1, p, 2 * np.asarray(felt, dtype=np.int8), p.size)


def test_the_error_of_all_trials_is_that_of_their_moments_together(rng):
    trials = [trial(person, rng.random(60), rng.random(60) < 0.4) for person in range(1, 5)]
    pooled = expected_calibration_error(
        np.concatenate([one.truth for one in trials]), np.concatenate([one.p for one in trials])
    )
    assert CalibrationError(trials)(np.ones(4, dtype=np.int64)) == pytest.approx(pooled)


def test_chance_by_hand(rng):
    # All moments in one bin, half of them with a tingle: one person reports it always, the other never.
    trials = [trial(1, np.full(10, 0.7), np.ones(10)), trial(2, np.full(10, 0.7), np.zeros(10))]
    # Each lies 5 of 20 moments beyond the frequency. The signs agree in half of the draws: |0| or |10| of 20.
    found = CalibrationError(trials).when_calibrated(rng, 4000)
    assert found.value == pytest.approx(0.25, abs=0.02)
    assert found.ci95 == (0.0, 0.5)
    assert "2 people of 20 moments" in found.note


def test_trials_of_one_person_have_one_sign(rng):
    same = [trial(1, np.full(10, 0.7), np.ones(10)), trial(1, np.full(10, 0.7), np.zeros(10), "vid2")]
    # Together they lie on the frequency of the bin.
    assert CalibrationError(same).when_calibrated(rng, 20).value == 0.0


def test_people_who_all_report_as_often_leave_nothing_to_chance(rng):
    trials = [trial(person, np.full(10, 0.9), np.arange(10) < 4) for person in range(5)]
    error = CalibrationError(trials)
    assert error(np.ones(5, dtype=np.int64)) == pytest.approx(0.5, abs=1e-6)
    assert error.when_calibrated(rng, 50).value == pytest.approx(0.0, abs=1e-12)


def test_chance_is_what_right_probabilities_show(rng):
    """Probabilities that are right by construction, of people whose moments hang together."""
    found, expected, independent = [], [], []
    once = np.ones(80, dtype=np.int64)
    for _ in range(30):
        trials, alone = [], []
        for person in range(80):
            p = 0.1 * (1 + person % 8 + rng.random(100))  # ten people in each bin
            # A moment is felt where a standard normal lies below the quantile of p, whoever shares it.
            level = 0.8 * rng.standard_normal() + 0.6 * rng.standard_normal(100)
            trials.append(trial(person, p, level < norm.ppf(p)))
            alone.append(trial(person, p, rng.random(100) < p))
        error = CalibrationError(trials)
        found.append(float(error(once)))
        expected.append(error.when_calibrated(rng, 200).value)
        independent.append(float(CalibrationError(alone)(once)))
    # 30 studies know the mean to 5 %, and of ten people the spread is underrated by another 5 %.
    assert np.mean(expected) == pytest.approx(np.mean(found), rel=0.15)
    assert np.mean(found) > 3 * np.mean(independent)
