"""Exchanging people: exact where all exchanges can be listed, blind to what all share and to levels."""

import itertools

import numpy as np
import pytest

from offline.person_specific import own_part
from offline.person_test import exchange_groups, person_test
from offline.predictions import TrialPrediction
from offline.resampling import holm
from rtasmr.types import TrialId


def trial(participant, p, rating, video="vid1", fold=1):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(TrialId(participant, video), fold, p, np.asarray(rating, np.int8), p.size)


def runs(rng, n_steps=300):
    """Return reports that come and go in runs of 30 steps."""
    return np.repeat(rng.integers(0, 2, n_steps // 30), 30)


def study(rng, strength, n_people=8):
    """Return predictions of two clips that follow the clip and, by ``strength``, the person."""
    curve = np.sin(np.arange(300) / 40.0)
    trials = []
    for person in range(1, n_people + 1):
        for video in ("vid1", "vid2"):
            felt = runs(rng)
            p = curve + rng.normal() + strength * felt + rng.normal(size=300)
            trials.append(trial(person, p, felt, video))
    return trials


def test_people_who_saw_the_same_in_one_fold_stand_for_each_other():
    trials = [
        trial(1, [0.1], [0]),
        trial(2, [0.1], [0]),
        trial(3, [0.1], [0], fold=2),
        trial(4, [0.1], [0]),
        trial(4, [0.1], [0], "vid2"),
    ]
    assert exchange_groups(trials) == [(1, 2)]


def test_p_value_is_that_of_all_exchanges(rng):
    trials = study(rng, 0.3, n_people=4)
    by_clip = {video: [t for t in trials if t.trial.video == video] for video in ("vid1", "vid2")}
    said = {v: own_part(np.stack([t.p for t in one]).astype(float)) for v, one in by_clip.items()}
    felt = {v: own_part(np.stack([t.truth for t in one]).astype(float)) for v, one in by_clip.items()}
    sums = [
        sum(float((said[v][list(order)] * felt[v]).sum()) for v in said)
        for order in itertools.permutations(range(4))
    ]
    exact = np.mean([value >= sums[0] - 1e-9 for value in sums])
    found = person_test(trials, rng, n_exchanges=20_000)
    assert found.p == pytest.approx(exact, abs=0.015)
    assert (found.n_people, found.n_possible) == (4, 24.0)


def test_who_follows_each_person_is_found(rng):
    assert person_test(study(rng, 1.0), rng, 999).p == 0.001


def test_the_p_value_is_uniform_where_nothing_is_the_persons(rng):
    p = [person_test(study(rng, 0.0), rng, 199).p for _ in range(60)]
    # Of 60 uniform draws 3 lie below 0.05 on average, more than 9 in one of 2000 cases.
    assert sum(value <= 0.05 for value in p) <= 9
    assert 0.3 < np.mean(p) < 0.7


def test_the_clips_course_and_a_persons_level_are_not_the_persons_tingles(rng):
    curve = np.repeat([0, 1, 0, 1, 1, 0], 50)
    trials = []
    for person in range(1, 9):
        felt = curve if person % 2 else np.zeros_like(curve)
        # Knows the typical course and who responds, but not when.
        trials.append(trial(person, 0.3 * curve + 0.4 * (person % 2) + 0.01 * rng.normal(size=300), felt))
    assert person_test(trials, rng, 999).p > 0.01


def test_nothing_to_exchange_has_no_p_value(rng):
    alone = [trial(1, [0.1, 0.2], [0, 1]), trial(2, [0.1, 0.2], [0, 1], "vid2")]
    assert (person_test(alone, rng).p, person_test(alone, rng).n_people) == (None, 0)
    same = [trial(person, [0.1, 0.2], [0, person % 2]) for person in range(1, 5)]
    assert person_test(same, rng).p is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
