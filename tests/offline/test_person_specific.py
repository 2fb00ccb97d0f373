"""What is the person's own, by hand."""

import numpy as np
import pytest

from offline.person_specific import PersonScores
from offline.predictions import Predictions, TrialPrediction
from offline.pulse_amplitude import pulse_amplitudes, rms
from rtasmr.errors import DataError
from rtasmr.types import TrialId


def trial(participant, p, rating, video="vid1", fold=1):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(TrialId(participant, video), fold, p, np.asarray(rating, np.int8), p.size)


def ones(n):
    return np.ones(n, dtype=np.int64)


def test_concordance_by_hand():
    predictions = Predictions(
        "fusion",
        (
            trial(1, [0.9, 0.2, 0.5, 0.5], [2, 1, 1, 0]),
            trial(2, [0.1, 0.4, 0.5, 0.6], [0, 0, 0, 0]),
            trial(3, [0.3, 0.3, 0.3, 0.3], [0, 0, 0, 1], "vid2"),  # another clip: no pair
        ),
    )
    scores = PersonScores.of([predictions])
    # 1 feels and 2 does not at three instants: ahead, behind, equal.
    assert scores.pairs[0, 1] == 3
    assert scores.won[0, 1] == 1.5
    assert scores.pairs.sum() == 3
    assert scores.concordance(ones(3)) == 0.5
    assert np.isnan(scores.concordance(np.array([1, 0, 1])))


def test_people_of_different_models_are_not_compared():
    mine = (trial(1, [0.9, 0.2], [1, 0]), trial(2, [0.1, 0.4], [0, 1]))
    other_fold = (trial(3, [0.3, 0.8], [0, 0], fold=2), trial(4, [0.6, 0.1], [1, 1], fold=2))
    both = PersonScores.of([Predictions("live", mine + other_fold)])
    np.testing.assert_array_equal(both.pairs[:2, 2:], 0)
    for rows, alone in ((slice(0, 2), mine), (slice(2, 4), other_fold)):
        apart = PersonScores.of([Predictions("live", alone)])
        np.testing.assert_array_equal(both.pairs[rows, rows], apart.pairs)
        np.testing.assert_array_equal(both.products[rows], apart.products)


def test_pairs_weigh_by_how_often_both_are_drawn():
    predictions = Predictions("fusion", (trial(1, [0.9], [1]), trial(2, [0.1], [0]), trial(3, [0.95], [0])))
    # drawn once, twice, once: 1 against 2 is won twice, 1 against 3 lost once
    assert PersonScores.of([predictions]).concordance(np.array([[1, 2, 1]])) == pytest.approx([2 / 3])


def test_correlation_takes_clip_and_person_away():
    truth_a, truth_b = [0, 1, 0, 0], [0, 0, 0, 1]
    curve, raised = np.array([0.1, 0.2, 0.3, 0.4]), 0.3
    same = Predictions("same", (trial(1, curve, truth_a), trial(2, curve, truth_b)))
    shifted = Predictions("shifted", (trial(1, curve, truth_a), trial(2, curve + raised, truth_b)))
    knows = Predictions(
        "knows",
        (
            trial(1, curve + 0.1 * np.array(truth_a), truth_a),
            trial(2, curve + raised + 0.1 * np.array(truth_b), truth_b),
        ),
    )
    assert PersonScores.of([same]).correlation(ones(2)) == 0.0
    assert PersonScores.of([shifted]).correlation(ones(2)) == 0.0
    assert PersonScores.of([knows]).correlation(ones(2)) == pytest.approx(1.0, abs=1e-5)
    nobody = Predictions("nobody", (trial(1, curve, [0, 1, 0, 0]), trial(2, curve, [0, 1, 0, 0])))
    assert np.isnan(PersonScores.of([nobody]).correlation(ones(2)))


def test_brier_weighs_steps_of_the_trials_drawn():
    predictions = Predictions("fusion", (trial(1, [0.5, 0.5], [1, 0]), trial(2, [0.0], [1], "vid2")))
    scores = PersonScores.of([predictions])
    assert scores.brier(ones(2)) == pytest.approx((0.25 + 0.25 + 1.0) / 3)
    assert scores.brier(np.array([[2, 0], [0, 1]])) == pytest.approx([0.25, 1.0])


def test_several_shuffles_are_averaged():
    right = Predictions("a", (trial(1, [1.0], [1]), trial(2, [0.0], [0])))
    wrong = Predictions("b", (trial(1, [0.0], [1]), trial(2, [1.0], [0])))
    joined = PersonScores.of([right, wrong])
    assert joined.concordance(ones(2)) == 0.5
    assert joined.brier(ones(2)) == 0.5


def test_rms_by_hand():
    assert rms(np.array([3.0, -4.0, 0.0, 0.0]), 2) == pytest.approx([np.sqrt(12.5), np.sqrt(8), 0, 0])
    wave = np.sin(np.arange(400) * 2 * np.pi / 10)  # one beat a second at 10 Hz
    assert rms(wave, 50)[50:350] == pytest.approx(np.sqrt(0.5))


def test_amplitude_of_every_trial_with_a_pulse(make_table, small_spec, tmp_path):
    from dataclasses import replace

    kept, lost = make_table(TrialId(3, "vid2"), 60), make_table(TrialId(4, "vid2"), 60)
    nature = make_table(TrialId(3, "vid6"), 60)
    column = small_spec.names.index("ppg")
    values, valid = lost.values.copy(), lost.valid.copy()
    values[7, column], valid[7, column] = np.nan, False
    for table in (kept, nature, replace(lost, values=values, valid=valid)):
        table.save(tmp_path)
    found, without = pulse_amplitudes(tmp_path).trials
    assert (found.trial, found.has_pulse) == (TrialId(3, "vid2"), True)
    assert (without.trial, without.has_pulse) == (TrialId(4, "vid2"), False)
    assert np.isnan(without.p).all()
    np.testing.assert_allclose(found.p, rms(kept.values[:, column], 50), rtol=1e-6)
    with pytest.raises(DataError, match="found none"):
        pulse_amplitudes(tmp_path / "empty")
