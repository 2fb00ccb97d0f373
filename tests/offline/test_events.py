"""Onsets matched one to one, and who responds at all."""

import numpy as np
import pytest

from offline.events import EventScores, matched_onsets, response_counts
from offline.predictions import TrialPrediction
from rtasmr.types import TrialId


def trial(participant, p, rating):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(TrialId(participant, "vid1"), 1, p, np.asarray(rating, np.int8), p.size)


@pytest.mark.parametrize(
    ("reported", "predicted", "pairs"),
    [
        ([10], [12], [(10, 12)]),
        ([10], [14], []),
        ([10, 14], [12], [(10, 12)]),  # one prediction meets one report
        ([10, 14], [12, 13], [(10, 12), (14, 13)]),
        # The earliest that fits goes first: else 11 would take 14 and leave 16 with nothing.
        ([11, 16], [9, 14], [(11, 9), (16, 14)]),
        ([], [3], []),
    ],
)
def test_as_many_pairs_as_there_can_be(reported, predicted, pairs):
    found = matched_onsets(np.array(reported, dtype=np.intp), np.array(predicted, dtype=np.intp), 3)
    assert found == pairs


def test_recall_precision_and_delay_by_hand():
    felt = np.zeros(100, dtype=np.int8)
    felt[20:40] = 2
    felt[60:80] = 1
    called = np.zeros(100)
    called[26:40] = 1.0  # 0.6 s late
    called[90:95] = 1.0  # spurious
    called[97:] = np.nan  # no answer calls nothing
    scores = EventScores.of([trial(1, called, felt), trial(2, np.zeros(100), felt)], tolerance_s=1.0)
    np.testing.assert_array_equal(scores.counts, [[2, 2, 1], [2, 0, 0]])
    np.testing.assert_allclose(scores.delays_s[0], [0.6])
    both = np.array([1, 1])
    assert (scores.recall(both), scores.precision(both)) == (0.25, 0.5)
    assert np.isnan(scores.precision(np.array([0, 1])))


def test_a_trial_counts_as_response_from_fifteen_percent_of_its_ticks():
    p = np.zeros((4, 100))
    p[0, :15] = p[1, :14] = p[2, :15] = 1.0
    felt = np.zeros(100, dtype=np.int8)
    felt[50] = 1
    silent = np.zeros(100, dtype=np.int8)
    counts = response_counts(
        [trial(1, p[0], felt), trial(2, p[1], felt), trial(3, p[2], silent), trial(4, p[3], silent)]
    )
    np.testing.assert_array_equal(counts.to_array(), [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
