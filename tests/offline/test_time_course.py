"""Onsets, other raters and padding, by hand and against an independent analysis of the published file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offline.comparison import compile_results
from offline.predictions import Predictions, TrialPrediction, load_published
from offline.remarks import remarks
from offline.time_course import (
    onset_scores,
    onsets,
    padding_scores,
    participant_facts,
    stimulus_mean,
    time_course,
)
from rtasmr.types import TrialId


def trial(participant, p, rating, video="vid1", n_real=None, fold=1):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(
        TrialId(participant, video), fold, p, np.asarray(rating, np.int8), n_real or p.size
    )


def test_onsets_by_hand():
    assert onsets(np.array([True, False, True, True, False, True])).tolist() == [2, 5]
    assert onsets(np.array([True])).tolist() == []


def test_onset_meets_within_five_seconds_and_not_later():
    def run(first, last, n=300):
        return ((np.arange(n) >= first) & (np.arange(n) < last)).astype(float)

    met = trial(1, run(150, 200), run(100, 160))  # 50 steps late: still met
    missed = trial(2, run(151, 200), run(100, 160))
    from_the_start = trial(3, run(0, 50), run(0, 50))  # no onset after the first step
    nature = trial(4, run(10, 20), run(10, 20), "vid5")
    scores = onset_scores(Predictions("fusion", (met, missed, from_the_start, nature)))
    assert [scores[f"onsets.{name}"].value for name in ("reported", "met", "spurious")] == [2, 1, 1]


def test_stimulus_mean_leaves_the_participant_and_others_padding_out():
    people = (
        trial(1, [0, 0, 0], [1, 0, 0]),
        trial(2, [0, 0, 0], [1, 1, 0], n_real=2),
        trial(3, [0, 0, 0], [0, 1, 3]),
        trial(4, [0, 0, 0], [3, 3, 3], "vid2"),
    )
    by_trial = {t.trial.participant: t.p for t in stimulus_mean(Predictions("fusion", people)).trials}
    assert by_trial[1].tolist() == [0.5, 1.0, 1.0]  # of 2 and 3; the last step of 3 alone
    assert by_trial[3].tolist() == [1.0, 0.5, 0.0]
    assert by_trial[4].tolist() == [0.0, 0.0, 0.0]  # nobody else


def test_padding_is_counted_and_left_out():
    trials = tuple(
        trial(
            fold, [1, 1, 0, 0], [1, 1, 0, 0], f"vid{fold + shift}", n_real=2 if shift == 0 else 4, fold=fold
        )
        for fold in (1, 2)
        for shift in (0, 4)
    )
    scores = padding_scores(Predictions("fusion", trials))
    assert scores["padding.steps"].value == 4
    # ASMR right in 2 of 2 steps; nature, where all is 'no tingle', in 2 of 4
    assert scores["without_padding.accuracy"].value == pytest.approx(100 * 4 / 6)


def test_facts_of_a_participant_who_is_not_there():
    assert participant_facts(Predictions("fusion", (trial(1, [1], [1]),)), 27) == {}


# Reference values of an independent analysis of the same file, at the digits given there.
@pytest.mark.parametrize(
    ("number_id", "expected"),
    [
        ("onsets.reported", "19"),
        ("onsets.met", "0"),
        ("onsets.spurious", "125"),
        ("stimulus_mean.within_asmr.accuracy", "65.6"),
        ("stimulus_mean.within_asmr.auc_within_trial_mean", "0.713"),
        ("stimulus_mean.within_asmr.brier", "0.269"),
        ("stimulus_mean.within_asmr.auc", "0.556"),
        ("stimulus_mean.accuracy", "82.2"),
        ("stimulus_mean.macro_f1", "68.3"),
        ("figure6.reported", "100"),
        ("figure6.padded_steps", "43"),
        ("padding.steps", "430"),
    ],
)
def test_published_predictions(published, number_id, expected):
    digits = len(expected.partition(".")[2])
    assert f"{published[f'caveat.{number_id}'].value:.{digits}f}" == expected


@pytest.fixture(scope="module")
def published(shared_data):
    predictions = load_published(shared_data / Path("published/paper_fusion_results_4_fold.pkl"))
    return time_course(predictions, 27, np.random.default_rng(5))


def test_steps_without_any_input_are_counted_and_told():
    seen = trial(1, [0.9, 0.9, 0.1], [1, 1, 0]), trial(1, [0, 0, 0], [0, 0, 0], "vid5")
    assert "padding.blind_steps" not in padding_scores(Predictions("fusion", seen))
    found = padding_scores(Predictions("fusion", (replace(seen[0], n_blind=2), seen[1])))
    number = found["padding.blind_steps"]
    assert (number.value, number.note) == (
        2,
        "without picture, sound and pulse in 1 trial; scored like all others",
    )
    results = compile_results({"caveat.padding.blind_steps": number}, {}, reason="")
    (remark,) = remarks(results)
    assert remark.text.startswith("Scores count 2 steps without picture, sound and pulse in 1 trial")
