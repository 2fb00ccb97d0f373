"""Scores of the order in which a model puts moments: AUC over all and within trials, AUPRC.

They come from counts per pair of trials, so that a bootstrap of participants only weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Scores, ratio
from offline.predictions import TrialPrediction

_CHUNK = 100
"""Resamples at a time: 100 x 20 000 steps of float64 are 16 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class RankScores:
    """Pairs of a moment with and one without tingle, and how often the first has the higher probability.

    Parameters
    ----------
    won, pairs : ndarray of shape (n_trials, n_trials)
        Row: trial of the moment with tingle; column: trial of the one without. Ties count half.
    """

    won: NDArray[np.float64]
    pairs: NDArray[np.float64]

    @classmethod
    def of(cls, trials: Sequence[TrialPrediction]) -> RankScores:
        """Count the pairs of all trials; every step needs a probability."""
        felt = [np.sort(trial.p[trial.truth]) for trial in trials]
        not_felt = [np.sort(trial.p[~trial.truth]) for trial in trials]
        won = np.zeros((len(trials), len(trials)))
        for i, high in enumerate(felt):
            for j, low in enumerate(not_felt):
                below = np.searchsorted(low, high, side="left").sum()
                won[i, j] = (below + np.searchsorted(low, high, side="right").sum()) / 2
        return cls(won, np.outer([high.size for high in felt], [low.size for low in not_felt]).astype(float))

    @property
    def by_trial(self) -> Scores:
        """AUC over time within each trial, NaN where its truth does not vary; shape (n_trials,)."""
        return ratio(np.diag(self.won), np.diag(self.pairs))

    def pooled(self, weights: NDArray[np.int64]) -> Scores:
        """Return the AUC of all moments together.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
            How often each trial counts.
        """
        won, pairs = (np.sum((weights @ part) * weights, axis=-1) for part in (self.won, self.pairs))
        return ratio(won, pairs)

    def within_trial(self, weights: NDArray[np.int64]) -> Scores:
        """Return the mean AUC over time within a trial, over the trials whose truth varies.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
        """
        return mean_of_defined(self.by_trial, weights)


def mean_of_defined(values: Scores, weights: NDArray[np.int64]) -> Scores:
    """Return the weighed mean of the trials that have a value, NaN without any.

    Parameters
    ----------
    values : ndarray of shape (n_trials,)
        NaN where a trial has none.
    weights : ndarray of shape (..., n_trials)
    """
    defined = np.isfinite(values)
    total = np.asarray(weights @ np.where(defined, values, 0.0), dtype=np.float64)
    return ratio(total, np.asarray(weights @ defined, dtype=np.float64))


class PrecisionScore:
    """Average precision (AUPRC) of all moments together; its chance level is the share of tingles.

    Parameters
    ----------
    trials : sequence of TrialPrediction
        Every step with a probability.
    """

    def __init__(self, trials: Sequence[TrialPrediction]) -> None:
        p = np.concatenate([trial.p for trial in trials])
        order = np.argsort(-p, kind="stable")
        self._truth = np.concatenate([trial.truth for trial in trials])[order]
        self._trial = np.repeat(np.arange(len(trials)), [trial.p.size for trial in trials])[order]
        # Equal probabilities are one threshold: precision is read at the last of them.
        self._ends = np.flatnonzero(np.append(p[order][1:] != p[order][:-1], True))

    def __call__(self, weights: NDArray[np.int64]) -> Scores:
        """Return the score, NaN without a tingle.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
        """
        rows = np.atleast_2d(weights)
        found = np.concatenate([self._chunk(rows[i : i + _CHUNK]) for i in range(0, len(rows), _CHUNK)])
        return found.reshape(weights.shape[:-1])

    def _chunk(self, weights: NDArray[np.int64]) -> Scores:
        steps = weights[:, self._trial].astype(np.float64)
        called = np.cumsum(steps, axis=1)[:, self._ends]
        hits = np.cumsum(steps * self._truth, axis=1)[:, self._ends]
        gained = np.diff(hits, axis=1, prepend=0.0)
        precision = ratio(hits, called, empty=0.0)
        return ratio((precision * gained).sum(axis=1), hits[:, -1])
