"""The evaluation on simulated people: it finds what is there, and nothing where pulses were exchanged."""

from dataclasses import replace

import numpy as np
import pytest

from offline.proof import (
    Learned,
    exchange_pulses,
    held_out_predictions,
    judge_study,
    paper_effect,
    proof_study,
    rate_interval,
    summaries,
    tracks_person,
)
from offline.tables import TrialTable
from offline.verdict import Words
from rtasmr.grid import WARMUP_TICKS


@pytest.fixture(scope="module")
def people() -> list[TrialTable]:
    """Twelve people whose pulse shows their tingles three times as strongly as the simulation's default."""
    return proof_study(range(12), seed=7, strength=3.0)


def test_what_the_pulse_knows_is_found(people, rng):
    verdict = judge_study(people, rng, n_bootstrap=200)
    assert verdict.words is Words.PERSON
    assert tracks_person(people, np.random.default_rng(0), n_bootstrap=200)


def test_exchanged_pulses_say_nothing_of_the_person(people, rng):
    # At a rate of 1 in 100 two false claims of ten come once in 230 runs of another seed; this one is fixed.
    found = [tracks_person(exchange_pulses(people, rng), rng, n_bootstrap=200) for _ in range(10)]
    assert sum(found) <= 1


@pytest.mark.parametrize(("crossed", "n_folds", "n_tested"), [(True, 16, 8), (False, 4, 2)])
def test_any_learner_is_judged_on_what_it_did_not_learn_from(people, rng, crossed, n_folds, n_tested):
    taught = []

    def learn(tables):
        taught.append({table.trial for table in tables})
        return Learned(lambda table: np.full(table.n_frames, 0.6, np.float32), threshold=0.7)

    own, others = held_out_predictions(people, learn, crossed=crossed)
    assert len(taught) == n_folds
    assert len({trial.trial for trial in own.trials}) == len(own.trials) == 12 * n_tested
    for trial in own.trials:
        assert trial.threshold == 0.7
        assert trial.trial.participant not in {t.participant for t in taught[trial.fold - 1]}
        assert trial.trial.video not in {t.video for t in taught[trial.fold - 1]}
    for one in others:
        assert [t.trial for t in one.trials] == [t.trial for t in own.trials if t.is_asmr]
    verdict = judge_study(people, rng, n_bootstrap=50, learn=learn, crossed=crossed)
    assert verdict.words is Words.CHANCE


def test_an_exchange_gives_whole_pulses_and_nothing_else(people, rng):
    given = exchange_pulses(people, rng)
    own = {table.trial: table for table in people}
    pulses = {table.trial.video: [] for table in people}
    for table in given:
        before = own[table.trial]
        np.testing.assert_array_equal(table.values[:, :-1], before.values[:, :-1])
        np.testing.assert_array_equal(table.rating, before.rating)
        pulses[table.trial.video].append(table)
    for video, tables in pulses.items():
        starts = [table.values[100:110, -1].tobytes() for table in tables]
        assert sorted(starts) == sorted(own[t.trial].values[100:110, -1].tobytes() for t in tables), video


def test_pulses_of_another_study_stand_beside_reports_of_people_without_one(people, rng):
    reports = proof_study(range(12), seed=8, strength=None)
    assert not any(table.valid[:, -1].any() for table in reports)
    assert all(table.valid[:, :-1].all() for table in reports)
    with_pulse = {table.trial: table for table in proof_study(range(2), seed=8, strength=1.0)}
    for table in reports:
        if table.trial in with_pulse:  # a pulse changes nothing else
            np.testing.assert_array_equal(table.rating, with_pulse[table.trial].rating)
            np.testing.assert_array_equal(table.values[:, :-1], with_pulse[table.trial].values[:, :-1])
    given = exchange_pulses(reports, rng, people)
    starts = [table.values[100:110, -1].tobytes() for table in given if table.trial.video == "vid1"]
    theirs = [table.values[100:110, -1].tobytes() for table in people if table.trial.video == "vid1"]
    assert sorted(starts) == sorted(theirs)


def test_the_papers_test_sees_a_strong_effect():
    assert paper_effect(range(4), 7, 3.0) < -1  # the pulse slows with a tingle


def test_summaries_by_hand(people):
    table = people[0]
    values, valid = (part.copy() for part in table.sequence)
    values[:] = 2.0
    values[100:, 0] = 5.0
    valid[:] = True
    valid[:60, -1] = False
    plain = replace(
        table,
        preroll_values=values[:WARMUP_TICKS],
        preroll_valid=valid[:WARMUP_TICKS],
        values=values[WARMUP_TICKS:],
        valid=valid[WARMUP_TICKS:],
    )
    seen = summaries(plain)
    n_columns = table.spec.n_features
    assert seen.shape == (table.n_frames, 2 * n_columns)
    # Tick 124: 25 of the newest 50 are 5; of all 125 so far 100 are 2.
    assert seen[124 - WARMUP_TICKS, 0] == pytest.approx((25 * 2 + 25 * 5) / 50)
    assert seen[124 - WARMUP_TICKS, n_columns] == pytest.approx((100 * 2 + 25 * 5) / 125)
    assert np.isnan(seen[9, n_columns - 1])  # tick 59: the pulse never was there
    assert seen[60, n_columns - 1] == pytest.approx(4.0)  # mean square
    assert seen[60, 1] == pytest.approx(2.0)


def test_later_frames_change_no_earlier_summary(people):
    table = people[0]
    values = table.values.copy()
    values[300:] = -7.0
    np.testing.assert_array_equal(summaries(replace(table, values=values))[:300], summaries(table)[:300])


@pytest.mark.parametrize(
    ("n_found", "n_studies", "low", "high"),
    # (alpha / 2) ** (1 / n) and its complement, where the binomial has one term.
    [(0, 100, 0.0, 1 - 0.025 ** (1 / 100)), (20, 20, 0.025 ** (1 / 20), 1.0)],
)
def test_exact_interval_of_a_rate(n_found, n_studies, low, high):
    assert rate_interval(n_found, n_studies) == pytest.approx((low, high))
