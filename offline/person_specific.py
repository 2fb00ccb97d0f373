"""How much of a prediction is about the person, once what everybody hears and sees is taken away.

Everybody hears and sees the same at the same instant of a clip. What one model says differently of two people
at one instant can only come from what is their own: the pulse. People of two folds are not compared: two
models spoke of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.caveats import by_judge
from offline.metrics import Scores, ratio
from offline.predictions import Predictions, TrialPrediction

_ROUNDING = 1e-9
"""Share of a sum of squares below which it is what rounding leaves of nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonScores:
    """Sums over predictions, from which scores of resampled participants follow exactly.

    Several predictions of the same trials (shuffles) are joined by adding their sums.

    Parameters
    ----------
    won, pairs : ndarray of shape (n_trials, n_trials)
        Instants of one clip and fold at which the first feels a tingle and the second none, and how often
        the first then has the higher probability; equal ones count half.
    squares : ndarray of shape (n_trials, 2)
        Squared error of the probability, and steps.
    products : ndarray of shape (n_trials, 3)
        Sums of ``p * y``, ``p * p`` and ``y * y`` of probability and truth, less the mean over people at each
        instant of the clip and less each trial's mean.
    """

    won: NDArray[np.float64]
    pairs: NDArray[np.float64]
    squares: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def of(cls, models: Sequence[Predictions]) -> PersonScores:
        """Score one or more predictions of the same trials, in the order of the first."""
        trials = [trial.trial for trial in models[0].trials]
        place = {trial: i for i, trial in enumerate(trials)}
        won, pairs = np.zeros((len(trials), len(trials))), np.zeros((len(trials), len(trials)))
        squares, products = np.zeros((len(trials), 2)), np.zeros((len(trials), 3))
        for model in models:
            for same_clip in by_judge(model):
                rows = [place[trial.trial] for trial in same_clip.trials]
                block = np.ix_(rows, rows)
                clip_won, clip_pairs = _count_pairs(same_clip.trials)
                won[block] += clip_won
                pairs[block] += clip_pairs
                products[rows] += _person_products(same_clip.trials)
                squares[rows] += [
                    (np.sum((trial.p.astype(np.float64) - trial.truth) ** 2), trial.p.size)
                    for trial in same_clip.trials
                ]
        return cls(won, pairs, squares, products)

    def concordance(self, weights: NDArray[np.int64]) -> Scores:
        """Return the share of pairs won, pairs weighed by the product of their trials' weights.

        0.5 for a model that cannot tell people apart; NaN where no two people of a clip ever differ.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
        """
        won = np.einsum("...i,ij,...j->...", weights, self.won, weights)
        pairs = np.einsum("...i,ij,...j->...", weights, self.pairs, weights)
        return ratio(won, pairs)

    def correlation(self, weights: NDArray[np.int64]) -> Scores:
        """Return the correlation of what is the person's own in probability and report.

        0 where the model says the same of everybody; NaN where the reports do not differ.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
        """
        sums = weights @ self.products
        scale = np.sqrt(sums[..., 1] * sums[..., 2])
        r = ratio(sums[..., 0], scale)
        return np.where((sums[..., 1] == 0) & (sums[..., 2] > 0), 0.0, r)

    def brier(self, weights: NDArray[np.int64]) -> Scores:
        """Return the mean squared error of the probability.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
        """
        sums = weights @ self.squares
        return ratio(sums[..., 0], sums[..., 1])


def _count_pairs(trials: Sequence[TrialPrediction]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return won and all pairs of the trials of one clip, each of shape (n_trials, n_trials)."""
    won, pairs = np.zeros((len(trials), len(trials))), np.zeros((len(trials), len(trials)))
    for i, first in enumerate(trials):
        for j, second in enumerate(trials):
            steps = slice(0, min(first.p.size, second.p.size))
            differ = first.truth[steps] & ~second.truth[steps]
            ahead = np.sign(first.p[steps][differ] - second.p[steps][differ])
            pairs[i, j] = differ.sum()
            won[i, j] = (0.5 * (ahead + 1.0)).sum()
    return won, pairs


def _person_products(trials: Sequence[TrialPrediction]) -> NDArray[np.float64]:
    """Return the sums of products of one clip's trials, cut to the shortest; shape (n_trials, 3)."""
    n_steps = min(trial.p.size for trial in trials)
    p = np.stack([trial.p[:n_steps] for trial in trials]).astype(np.float64)
    y = np.stack([trial.truth[:n_steps] for trial in trials]).astype(np.float64)
    p_own, y_own = own_part(p), own_part(y)
    return np.stack([(p_own * y_own).sum(axis=1), (p_own**2).sum(axis=1), (y_own**2).sum(axis=1)], axis=1)


def own_part(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values of one clip, shape (n_trials, n_steps), less the means of instants and of trials."""
    own = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    if np.sum(own**2) <= _ROUNDING * np.sum(values**2):
        return np.zeros_like(own)
    return np.asarray(own)
