"""A model less another one, on the same moments of the same people."""

from dataclasses import replace

import numpy as np
import pytest

from offline.differences import COMPARED, corrected, differences
from offline.predictions import Predictions, TrialPrediction
from offline.resampling import ParticipantBootstrap
from offline.results import Measured
from offline.score_rows import score_row
from rtasmr.errors import DataError
from rtasmr.types import TrialId

RATING = np.array([0, 0, 0, 2, 2, 0, 0, 2], dtype=np.int8)


def model(name, p, people=(1, 2, 3, 4)):
    p = np.asarray(p, dtype=np.float32)
    return Predictions(
        name, tuple(TrialPrediction(TrialId(k, "vid1"), 1, p, RATING, RATING.size) for k in people)
    )


PERFECT = model("perfect", RATING > 0)
BLIND = model("blind", np.full(RATING.size, 0.5))


def test_differences_by_hand(rng):
    found = differences(PERFECT, BLIND, rng, 50)
    assert list(found) == list(COMPARED)
    # Blind calls nothing a tingle: 50 %. Everybody is alike, so no draw differs from another.
    assert {key: number.value for key, number in found.items()} == {
        "balanced_accuracy": 50.0,
        "auc_within_trial": 0.5,
        "auc": 0.5,
        "brier": -0.25,
    }
    assert all(number.ci95 == (number.value, number.value) for number in found.values())
    assert "less blind" in found["auc"].note


def test_swapped_models_swap_the_sign(rng):
    noisy = replace(
        PERFECT,
        model="noisy",
        trials=tuple(
            replace(t, p=(0.5 * (t.rating > 0) + 0.5 * rng.random(t.p.size)).astype(np.float32))
            for t in PERFECT.trials
        ),
    )
    one = differences(noisy, BLIND, np.random.default_rng(5), 200)
    other = differences(BLIND, noisy, np.random.default_rng(5), 200)
    for key in COMPARED:
        assert one[key].value == pytest.approx(-other[key].value)
        assert one[key].ci95 == pytest.approx(tuple(-end for end in reversed(other[key].ci95)))


def test_a_difference_is_that_of_the_two_rows(rng):
    trials = tuple(
        replace(t, p=rng.random(t.p.size).astype(np.float32), rating=rng.permutation(RATING))
        for t in PERFECT.trials
    )
    one = Predictions("one", trials)
    other = Predictions("other", tuple(replace(t, p=1 - t.p**2) for t in trials))
    rows = [score_row(said, rng, n_bootstrap=5).scores for said in (one, other)]
    for key, number in differences(one, other, rng, 5).items():
        assert number.value == pytest.approx(rows[0][key].value - rows[1][key].value), key


def test_only_moments_that_both_answer_count(rng):
    silent = np.where(np.arange(RATING.size) < 5, np.nan, 0.5)
    found = differences(PERFECT, model("silent", silent), rng, 20)
    # Three moments are left, one of them with a tingle.
    assert found["brier"].value == pytest.approx(-0.25)
    assert found["balanced_accuracy"].value == 50.0


def test_order_of_trials_does_not_matter_and_other_trials_are_refused(rng):
    turned = replace(BLIND, trials=BLIND.trials[::-1])
    assert differences(PERFECT, turned, np.random.default_rng(1), 20) == differences(
        PERFECT, BLIND, np.random.default_rng(1), 20
    )
    with pytest.raises(DataError, match="expected predictions of the same 4 trials, got 3"):
        differences(PERFECT, model("fewer", BLIND.trials[0].p, (1, 2, 3)), rng, 20)


def test_participants_are_drawn_the_same_for_both(rng):
    # A bootstrap over trials of unlike people widens each score, and leaves their constant difference alone.
    easy, hard = model("a", RATING > 0, (1, 2)).trials, model("a", RATING == 0, (3, 4)).trials
    own = Predictions("own", easy + hard)
    other = Predictions("other", tuple(replace(t, p=t.p / 2) for t in own.trials))
    wide = ParticipantBootstrap(own, rng, 200)(lambda w: (w @ np.array([1.0, 1, 0, 0])) / w.sum(-1), "share")
    assert wide.ci95[1] - wide.ci95[0] > 0.5
    found = differences(own, other, rng, 200)
    assert found["auc_within_trial"].ci95 == (0.0, 0.0)


def test_p_values_are_corrected_for_all_differences_of_the_model():
    less = {
        "one": {
            "auc": Measured(0.1, ci95=(0.05, 0.2), p=0.01, note="less one"),
            "brier": Measured(0.0, p=0.6),
        },
        "other": {"auc": Measured(0.1, p=0.02), "brier": Measured(None, note="undefined")},
    }
    found = corrected(less)
    # Holm: 3 tests for the smallest, 2 for the next, 1 for the last; the undefined one is none.
    assert [found[o][k].p for o, k in (("one", "auc"), ("other", "auc"), ("one", "brier"))] == pytest.approx(
        [0.03, 0.04, 0.6]
    )
    assert found["one"]["auc"].ci95 == (0.05, 0.2)
    assert found["one"]["auc"].note == "less one; p after Holm, 3 differences"
    assert found["other"]["brier"] == less["other"]["brier"]


def test_a_clear_difference_has_a_small_p_value(rng):
    found = differences(PERFECT, BLIND, rng, 99)
    assert found["auc"].p == pytest.approx(0.02)  # 2 (0 + 1) / (99 + 1): no draw on the other side of 0
    assert differences(BLIND, BLIND, rng, 99)["auc"].p == 1.0
