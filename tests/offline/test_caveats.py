"""Scores beside simple rules and within ASMR clips, on studies small enough to work out by hand."""

import numpy as np
import pytest

from offline.caveats import (
    between_subject_auc,
    clip_rule,
    clip_rule_knowing_padding,
    flips_per_minute,
    gain_over_rules,
    never_rule,
    non_responder_scores,
    non_responders,
    rule_scores,
    variance_by_instant,
    within_asmr,
)
from offline.predictions import Predictions, TrialPrediction
from rtasmr.types import TrialId


def trial(participant, video, p, rating, n_real=None, fold=1):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(
        TrialId(participant, video), fold, p, np.asarray(rating, dtype=np.int8), n_real or p.size
    )


def study(*trials):
    return Predictions("m", trials)


def test_rules_call_what_they_say():
    padded = trial(1, "vid1", [0.2] * 4, [0] * 4, n_real=3)
    assert clip_rule(padded).tolist() == [1, 1, 1, 1]
    assert clip_rule_knowing_padding(padded).tolist() == [1, 1, 1, 0]
    assert never_rule(padded).tolist() == [0, 0, 0, 0]
    assert clip_rule(trial(1, "vid5", [0.9] * 2, [3] * 2)).tolist() == [0, 0]


def test_rule_scores_by_hand():
    model = study(
        trial(1, "vid1", [0.1] * 4, [1, 1, 0, 0], n_real=3),
        trial(1, "vid5", [0.1] * 4, [3, 3, 0, 0]),
    )
    scores = rule_scores(model)
    assert scores["clip_rule.accuracy"].value == pytest.approx(100 * 6 / 8)
    assert scores["clip_rule_knowing_padding.accuracy"].value == pytest.approx(100 * 7 / 8)
    assert scores["never.accuracy"].value == pytest.approx(100 * 6 / 8)
    # Tingle: recall 2/2; no tingle: recall 4/6.
    assert scores["clip_rule.macro_recall"].value == pytest.approx(100 * (1 + 4 / 6) / 2)
    assert scores["clip_rule.nature_specificity"].value == scores["never.nature_specificity"].value == 100.0


def test_gain_over_the_rule_of_a_model_that_is_the_rule_is_zero(rng):
    model = study(trial(1, "vid1", [1, 1], [1, 0]), trial(2, "vid1", [1, 1], [1, 1]))
    gain = gain_over_rules(model, rng, 100)["gain_over_clip_rule.accuracy"]
    assert gain.value == 0.0
    assert gain.ci95 == (0.0, 0.0)


def test_gain_over_the_rule_by_hand(rng):
    # Right on every step, where the rule is wrong on two of four, whoever is drawn.
    model = study(trial(1, "vid1", [1, 0], [1, 0]), trial(2, "vid1", [0, 1], [0, 1]))
    gain = gain_over_rules(model, rng, 100)["gain_over_clip_rule.accuracy"]
    assert gain.value == 50.0
    assert gain.ci95 == (50.0, 50.0)


def test_auc_within_trials_skips_constant_truth(rng):
    model = study(
        trial(1, "vid1", [0.1, 0.2, 0.9], [0, 0, 1]),
        trial(2, "vid1", [0.9, 0.2, 0.1], [0, 0, 1]),
        trial(3, "vid1", [0.1, 0.2, 0.3], [1, 1, 1]),
    )
    found = within_asmr(model, rng, n_bootstrap=200)
    within, elapsed = (found[f"within_asmr.auc_{name}"] for name in ("within_trial_mean", "elapsed_time"))
    # Person 1 drawn without 2 gives 1, 2 without 1 gives 0: each in more than 5 % of the draws.
    assert (within.value, within.ci95, within.note) == (0.5, (0.0, 1.0), "2 trials whose truth varies")
    assert (elapsed.value, elapsed.ci95) == (1.0, (1.0, 1.0))
    assert found["within_asmr.auc_within_trial_median"].value == 0.5


def test_auc_between_subjects_compares_the_same_instant_only():
    # Instant 0: the one who feels it has the higher p; instant 1: the lower; instant 2: all feel it.
    model = study(
        trial(1, "vid1", [0.6, 0.2, 0.9], [1, 0, 1]),
        trial(2, "vid1", [0.5, 0.1, 0.1], [0, 1, 1]),
    )
    assert between_subject_auc(model) == 0.5
    assert np.isnan(between_subject_auc(study(model.trials[0])))


def test_auc_between_subjects_copes_with_trials_of_different_length():
    model = study(trial(1, "vid1", [0.6], [1]), trial(2, "vid1", [0.5, 0.1], [0, 1]))
    assert between_subject_auc(model) == 1.0


def test_variance_by_clip_and_time():
    model = study(trial(1, "vid1", [0, 1], [0, 0]), trial(2, "vid1", [0, 1], [0, 0]))
    assert variance_by_instant(model) == pytest.approx(1.0)
    person = study(trial(1, "vid1", [0, 0], [0, 0]), trial(2, "vid1", [1, 1], [0, 0]))
    assert variance_by_instant(person) == pytest.approx(0.0)


def test_variance_by_length_sets_shorter_trials_apart():
    model = study(trial(1, "vid1", [0, 0], [0, 0]), trial(2, "vid1", [1], [0]))
    # Squares: total 2/3, within instant 0 the values 0 and 1 leave 1/2.
    assert variance_by_instant(model) == pytest.approx(1 / 4)
    assert variance_by_instant(model, by_length=True) == pytest.approx(1.0)


def test_non_responders_are_asmr_trials_without_a_rating():
    model = study(
        trial(1, "vid1", np.ones(20), np.zeros(20)),
        trial(2, "vid1", np.ones(20), np.ones(20)),
        trial(3, "vid1", np.zeros(20), np.zeros(20)),
        trial(3, "vid5", np.ones(20), np.ones(20)),
    )
    assert [t.trial.participant for t in non_responders(model).trials] == [1, 3]
    scores = non_responder_scores(model)
    assert scores["non_responders.trials"].value == 2
    assert scores["non_responders.called_tingle"].value == 50.0
    assert scores["non_responders.video_level_specificity"].value == 50.0
    # trials 2 and 3 of the three ASMR trials
    assert scores["non_responders.response_accuracy"].note.endswith("2 of 3 ASMR trials")


def test_padding_of_non_responders_is_scored_apart():
    # Called: 15 of 15 real steps of one, 5 of 20 of the other; never on the 5 steps of padding.
    model = study(
        trial(1, "vid1", np.repeat([1, 0], [15, 5]), np.zeros(20), n_real=15),
        trial(2, "vid1", np.repeat([1, 0], [5, 15]), np.zeros(20)),
    )
    scores = non_responder_scores(model)
    assert scores["non_responders.called_tingle"].value == pytest.approx(100 * 20 / 35)
    assert scores["non_responders.called_tingle.with_padding"].value == 50.0
    assert "non_responders.called_tingle.with_padding" not in non_responder_scores(study(model.trials[1]))


def test_without_non_responders_there_is_nothing_to_score():
    scores = non_responder_scores(study(trial(1, "vid1", [1], [1])))
    assert {name: score.value for name, score in scores.items()} == {
        "non_responders.trials": 0,
        "non_responders.response_accuracy": 100.0,
    }


def test_flips_per_minute():
    # Two flips in 6 s.
    called = np.repeat([0.0, 1.0, 0.0], 20)
    assert flips_per_minute(study(trial(1, "vid1", called, np.zeros(60)))) == pytest.approx(20.0)


def test_within_asmr_leaves_out_nature_and_padding(rng):
    model = study(
        trial(1, "vid1", [0.9, 0.9, 0.2, 0.0], [1, 0, 0, 0], n_real=3),
        trial(1, "vid5", [0.0] * 4, [3] * 4),
    )
    scores = within_asmr(model, rng, 100)
    assert scores["within_asmr.frames"].value == 3
    assert scores["within_asmr.accuracy"].value == pytest.approx(100 * 2 / 3)
    assert scores["within_asmr.always.accuracy"].value == pytest.approx(100 / 3)
    assert scores["within_asmr.called_tingle"].value == pytest.approx(100 * 2 / 3)
    assert scores["within_asmr.balanced_accuracy"].value == pytest.approx(75.0)
    # one participant: whoever is drawn, it is the same one
    assert scores["within_asmr.balanced_accuracy"].ci95 == pytest.approx((75.0, 75.0))
    assert scores["within_asmr.auc"].value == pytest.approx(0.75)


def test_undefined_scores_say_so(rng):
    scores = within_asmr(study(trial(1, "vid1", [0.5, 0.5], [1, 1])), rng, 100)
    assert scores["within_asmr.balanced_accuracy"].value is None
    assert scores["within_asmr.auc"].value is None
    assert "does not vary" in scores["within_asmr.auc"].note
