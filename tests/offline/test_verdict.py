"""The words that follow from the numbers, claim by claim."""

import numpy as np
import pytest

from offline.person_test import PersonTest
from offline.predictions import load_published
from offline.results import Measured
from offline.rules import trivial_rules
from offline.score_rows import BALANCED, BETWEEN, KIND, OVER_ELAPSED, OWN, PARTICIPANTS, WITHIN, score_row
from offline.verdict import PERSON_P, Words, judge


def number(value, half=0.02):
    return Measured(value, ci95=(value - half, value + half))


GOOD = {
    PARTICIPANTS: Measured(34.0),
    BALANCED: number(60.0, 3.0),
    WITHIN: number(0.7, 0.1),
    OVER_ELAPSED: number(0.1, 0.05),
    KIND: number(0.9, 0.05),
    OWN: number(0.3, 0.1),
    BETWEEN: number(0.6, 0.05),
}
CLEAR, UNCLEAR = PersonTest(0.002, 34, 1e20), PersonTest(0.02, 34, 1e20)
RISES, STAYS = number(0.01, 0.005), number(0.004, 0.005)


@pytest.mark.parametrize(
    ("changes", "person", "gain", "words"),
    [
        ({}, CLEAR, RISES, Words.PERSON),
        ({}, CLEAR, None, Words.PERSON),  # could not be asked again
        ({}, PersonTest(PERSON_P, 34, 1e20), RISES, Words.PERSON),
        ({}, UNCLEAR, RISES, Words.TIME_COURSE),
        # Agreement that does not go with the pulse came by another way.
        ({}, CLEAR, STAYS, Words.TIME_COURSE),
        ({BALANCED: number(52.0, 3.0)}, CLEAR, RISES, Words.STIMULUS),
        ({WITHIN: number(0.55, 0.1)}, UNCLEAR, RISES, Words.STIMULUS),
        ({OVER_ELAPSED: number(0.04, 0.05)}, UNCLEAR, RISES, Words.STIMULUS),
        ({WITHIN: number(0.55, 0.1), KIND: number(0.52, 0.05)}, UNCLEAR, RISES, Words.CHANCE),
        ({KIND: Measured(None)}, CLEAR, RISES, Words.PERSON),  # ASMR clips alone will do
        ({key: Measured(None) for key in GOOD if key != PARTICIPANTS}, UNCLEAR, None, Words.CHANCE),
        ({PARTICIPANTS: Measured(10.0)}, CLEAR, RISES, Words.PERSON),
        # Intervals over so few people are too narrow to trust, however good the scores.
        ({PARTICIPANTS: Measured(9.0)}, CLEAR, RISES, Words.UNTESTED),
    ],
)
def test_the_strongest_claim_that_holds(changes, person, gain, words):
    verdict = judge(GOOD | changes, person, gain)
    assert verdict.words is words
    assert [claim.words for claim in verdict.claims] == [Words.PERSON, Words.TIME_COURSE, Words.STIMULUS]
    assert all(claim.evidence for claim in verdict.claims)


def test_too_few_people_are_said_to_be_too_few():
    verdict = judge(GOOD, PersonTest(0.04, 8, 16.0), RISES)
    assert verdict.words is Words.TIME_COURSE
    assert "not testable: 8 people can stand for each other, in 16 ways" in verdict.evidence[0]


def test_evidence_ends_with_the_claim_that_holds():
    told = judge(GOOD, CLEAR, RISES).evidence
    assert "p = 0.0020 by exchanging 34 people" in told[0]
    assert "with another's pulse the squared error rises measurably: 0.0100 [0.0050, 0.0150]" in told
    assert not any("kind of clip" in sentence or "nature" in sentence for sentence in told)
    both = judge(GOOD, UNCLEAR, RISES).evidence
    assert "do not follow each person's own reports" in both[0]
    assert sum("balanced accuracy" in sentence for sentence in both) == 1


def test_the_published_predictions(shared_data, rng):
    """The figures were computed once more by other means and stand in the project's notes."""
    predictions = load_published(shared_data / "published" / "paper_fusion_results_4_fold.pkl")
    row = score_row(predictions, rng)
    verdict = judge(row.scores, row.person)
    assert verdict.words is Words.STIMULUS
    expected = {
        BALANCED: (52.9, 0.05),
        "mcc": (0.11, 0.005),
        "auc": (0.685, 0.0005),
        WITHIN: (0.711, 0.0005),
        "called": (92.4, 0.05),
        "ece": (0.231, 0.0005),
        "brier": (0.280, 0.0005),
        "response_sensitivity": (100.0, 0.0),
        "response_specificity": (0.0, 0.0),
        "onset_recall": (0.0, 0.0),
        KIND: (1.0, 0.0),
    }
    for key, (value, tolerance) in expected.items():
        assert row.scores[key].value == pytest.approx(value, abs=tolerance), key
    assert row.scores["onset_precision"].note.startswith("0 of 125 predicted")
    for name, ruled in trivial_rules(predictions).items():
        scores = score_row(ruled, np.random.default_rng(1), n_bootstrap=200)
        assert judge(scores.scores, scores.person).words in (
            Words.STIMULUS,
            Words.CHANCE,
            Words.TIME_COURSE,
        ), name
