"""Tingles as events: which reported onsets a model calls, how late, and who responds at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Counts, Scores, ratio
from offline.predictions import TrialPrediction
from offline.statistics import VIDEO_LEVEL_SHARE
from offline.time_course import ONSET_TOLERANCE_S, onsets
from rtasmr.grid import FRAME_RATE_HZ


def matched_onsets(
    reported: NDArray[np.intp], predicted: NDArray[np.intp], tolerance: int
) -> list[tuple[int, int]]:
    """Pair as many reported with predicted onsets as lie within a tolerance, each at most once.

    Parameters
    ----------
    reported, predicted : ndarray of shape (n_onsets,)
        Steps, ascending.
    tolerance : int
        Steps.

    Returns
    -------
    list of (int, int)
        Reported and predicted step of each pair. With one tolerance for all, taking the earliest that fits
        for each in turn gives the most pairs.
    """
    pairs = []
    waiting = list(predicted)
    for onset in reported:
        while waiting and waiting[0] < onset - tolerance:
            waiting.pop(0)
        if waiting and waiting[0] <= onset + tolerance:
            pairs.append((int(onset), int(waiting.pop(0))))
    return pairs


@dataclass(frozen=True, slots=True, eq=False)
class EventScores:
    """Onsets of each trial, those at its first step never among them.

    Parameters
    ----------
    counts : ndarray of shape (n_trials, 3)
        Reported, predicted and matched onsets.
    delays_s : tuple of ndarray
        Per trial, how much later than reported each matched onset is predicted, in seconds.
    """

    counts: NDArray[np.int64]
    delays_s: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, trials: Sequence[TrialPrediction], tolerance_s: float = ONSET_TOLERANCE_S) -> EventScores:
        """Match the onsets of every trial; a step without a probability calls nothing."""
        tolerance = round(tolerance_s * FRAME_RATE_HZ)
        counts, delays = np.zeros((len(trials), 3), dtype=np.int64), []
        for i, trial in enumerate(trials):
            reported, predicted = onsets(trial.truth), onsets(trial.predicted)
            pairs = matched_onsets(reported, predicted, tolerance)
            counts[i] = len(reported), len(predicted), len(pairs)
            delays.append(np.array([later - onset for onset, later in pairs]) / FRAME_RATE_HZ)
        return cls(counts, tuple(delays))

    def recall(self, weights: NDArray[np.int64]) -> Scores:
        """Return the share of reported onsets that are predicted; weights of shape (..., n_trials)."""
        return self._share(weights, 0)

    def precision(self, weights: NDArray[np.int64]) -> Scores:
        """Return the share of predicted onsets that are reported; weights of shape (..., n_trials)."""
        return self._share(weights, 1)

    def _share(self, weights: NDArray[np.int64], of: int) -> Scores:
        sums = weights @ self.counts
        return ratio(sums[..., 2], sums[..., of])


def response_counts(trials: Sequence[TrialPrediction]) -> Counts:
    """Return per trial whether any tingle was reported, against whether the model says so.

    It says so when it calls the share of steps that makes a clip count as ASMR in the paper's video level.
    """
    return Counts.stack(
        [
            (
                np.array([trial.truth.any()]),
                np.array([np.count_nonzero(trial.predicted) >= int(trial.p.size * VIDEO_LEVEL_SHARE)]),
            )
            for trial in trials
        ]
    )
