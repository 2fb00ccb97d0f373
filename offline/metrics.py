"""Scores of binary predictions, from exact confusion counts or from probabilities.

Every score takes counts of any shape and works element by element, so that a bootstrap or a
permutation only sums per-trial counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Confusion counts: true and false positives, false and true negatives, all of one shape."""

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    tn: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Counts:
        """Count the steps of one sequence; both arrays of shape (n_steps,)."""
        return cls.stack([(truth, predicted)]).total()

    @classmethod
    def stack(cls, pairs: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> Counts:
        """Count the steps of each (truth, predicted) pair; counts of shape (n_pairs,)."""
        rows = [
            (
                np.count_nonzero(truth & predicted),
                np.count_nonzero(~truth & predicted),
                np.count_nonzero(truth & ~predicted),
                np.count_nonzero(~truth & ~predicted),
            )
            for truth, predicted in pairs
        ]
        return cls.from_array(np.array(rows, dtype=np.int64).reshape(-1, 4))

    @classmethod
    def from_array(cls, values: NDArray[np.int64]) -> Counts:
        """Build from an array of shape (..., 4) in the order tp, fp, fn, tn."""
        return cls(values[..., 0], values[..., 1], values[..., 2], values[..., 3])

    def to_array(self) -> NDArray[np.int64]:
        """Return an array of shape (..., 4) in the order tp, fp, fn, tn."""
        return np.stack([self.tp, self.fp, self.fn, self.tn], axis=-1)

    def total(self) -> Counts:
        """Return the counts summed over the first axis."""
        return Counts.from_array(self.to_array().sum(axis=0))

    def take(self, keep: NDArray[np.bool_]) -> Counts:
        """Return the rows where ``keep``, of shape (n_rows,), is true."""
        return Counts.from_array(self.to_array()[keep])

    @property
    def n(self) -> NDArray[np.int64]:
        """Number of steps counted."""
        return np.asarray(self.tp + self.fp + self.fn + self.tn)


Scores = NDArray[np.float64]
Metric = Callable[[Counts], Scores]


def ratio(
    numerator: NDArray[np.int64 | np.float64],
    denominator: NDArray[np.int64 | np.float64],
    empty: float = np.nan,
) -> Scores:
    """Return quotients, shapes broadcast, and ``empty`` where the denominator is not above 0."""
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), empty)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def _macro(positive: Scores, negative: Scores, counts: Counts) -> Scores:
    """Return the mean over the classes that occur in truth or prediction, as scikit-learn takes it."""
    has_positive = counts.tp + counts.fp + counts.fn > 0
    has_negative = counts.tn + counts.fp + counts.fn > 0
    total = np.where(has_positive, positive, 0.0) + np.where(has_negative, negative, 0.0)
    return ratio(total, has_positive.astype(np.int64) + has_negative)


def accuracy(counts: Counts) -> Scores:
    """Return the share of steps called right; NaN without steps."""
    return ratio(counts.tp + counts.tn, counts.n)


def macro_precision(counts: Counts) -> Scores:
    """Return precision averaged over the two classes; 0 for a class never predicted."""
    positive = ratio(counts.tp, counts.tp + counts.fp, 0.0)
    return _macro(positive, ratio(counts.tn, counts.tn + counts.fn, 0.0), counts)


def macro_recall(counts: Counts) -> Scores:
    """Return recall averaged over the two classes; 0 for a class predicted but never true."""
    positive = ratio(counts.tp, counts.tp + counts.fn, 0.0)
    return _macro(positive, ratio(counts.tn, counts.tn + counts.fp, 0.0), counts)


def macro_f1(counts: Counts) -> Scores:
    """Return the F1 score averaged over the two classes."""
    positive = ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, 0.0)
    return _macro(positive, ratio(2 * counts.tn, 2 * counts.tn + counts.fp + counts.fn, 0.0), counts)


def specificity(counts: Counts) -> Scores:
    """Return the share of true negatives among the negatives; NaN without negatives."""
    return ratio(counts.tn, counts.tn + counts.fp)


def sensitivity(counts: Counts) -> Scores:
    """Return the share of true positives among the positives; NaN without positives."""
    return ratio(counts.tp, counts.tp + counts.fn)


def balanced_accuracy(counts: Counts) -> Scores:
    """Return the mean of sensitivity and specificity; NaN where truth holds one class only."""
    return np.asarray((sensitivity(counts) + specificity(counts)) / 2.0)


def matthews_correlation(counts: Counts) -> Scores:
    """Return Matthews' correlation coefficient; 0 where truth or prediction is constant."""
    tp, fp, fn, tn = (np.asarray(part, float) for part in (counts.tp, counts.fp, counts.fn, counts.tn))
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return ratio(tp * tn - fp * fn, spread, 0.0)


def auc(truth: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """Return the area under the ROC curve; ties count half, NaN where truth is constant.

    Parameters
    ----------
    truth, score : ndarray of shape (n_steps,)
    """
    n_positive = int(np.count_nonzero(truth))
    n_negative = truth.size - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    rank_sum = rankdata(score)[truth].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def brier(truth: NDArray[np.bool_], p: NDArray[np.floating]) -> float:
    """Return the mean squared distance of the probability to the outcome."""
    return float(np.mean((p.astype(np.float64) - truth) ** 2))


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationBins:
    """Steps sorted into equal bins of probability.

    Parameters
    ----------
    n : ndarray of shape (n_bins,), int64
        Steps in each bin.
    mean_p, frequency : ndarray of shape (n_bins,)
        Mean probability and share of true steps; NaN in an empty bin.
    """

    n: NDArray[np.int64]
    mean_p: Scores
    frequency: Scores


def calibration_bins(truth: NDArray[np.bool_], p: NDArray[np.floating], n_bins: int = 10) -> CalibrationBins:
    """Sort steps into bins ``(i / n_bins, (i + 1) / n_bins]``, the first one with 0 as well."""
    p = p.astype(np.float64)
    bins = np.clip(np.ceil(p * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    n = np.bincount(bins, minlength=n_bins)
    return CalibrationBins(
        n,
        *(
            ratio(np.bincount(bins, weights=values, minlength=n_bins), n)
            for values in (p, truth.astype(np.float64))
        ),
    )


def expected_calibration_error(truth: NDArray[np.bool_], p: NDArray[np.floating], n_bins: int = 10) -> float:
    """Return the mean distance of probability to frequency over `calibration_bins`, weighed by their steps.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, equation 3.
    """
    bins = calibration_bins(truth, p, n_bins)
    filled = bins.n > 0
    gap = np.abs(bins.mean_p - bins.frequency)[filled]
    return float(gap @ bins.n[filled] / p.size)


def variance_explained(values: NDArray[np.floating], groups: NDArray[np.int64]) -> float:
    """Return the share of the variance that the group means explain (eta squared).

    Parameters
    ----------
    values : ndarray of shape (n_steps,)
    groups : ndarray of shape (n_steps,)
        Group number of each step, from 0. NaN where ``values`` do not vary.
    """
    values = values.astype(np.float64)
    total = np.sum((values - values.mean()) ** 2)
    if total == 0.0:
        return float("nan")
    size = np.bincount(groups)
    means = np.bincount(groups, weights=values) / np.maximum(size, 1)
    return float(1.0 - np.sum((values - means[groups]) ** 2) / total)


def n_changes(states: NDArray[np.bool_]) -> int:
    """Return how often a sequence of states of shape (n_steps,) flips."""
    return int(np.count_nonzero(states[1:] != states[:-1]))
