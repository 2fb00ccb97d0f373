"""From logits to probabilities and decisions: Platt scaling and the choice of a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from offline.metrics import Counts, Metric, macro_f1


def fit_platt(
    logits: NDArray[np.floating], labels: NDArray[np.bool_], weights: NDArray[np.floating] | None = None
) -> tuple[float, float]:
    """Return slope and shift with which ``sigmoid(slope * logit + shift)`` fits the labels best.

    Parameters
    ----------
    logits : ndarray of shape (n,)
    labels : ndarray of shape (n,)
        Both classes must occur.
    weights : ndarray of shape (n,), optional
        How much each counts; all the same by default.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines", 1999: targets pulled in from 0 and 1 so
    that classes which are separated completely do not make the slope infinite.
    """
    n_tingle, n_none = int(labels.sum()), int((~labels).sum())
    if min(n_tingle, n_none) == 0:
        raise ValueError(f"expected labels of both classes, got {n_tingle} with tingle and {n_none} without")
    targets = np.where(labels, (n_tingle + 1) / (n_tingle + 2), 1 / (n_none + 2))
    x = logits.astype(np.float64)
    share = np.full(x.size, 1 / x.size) if weights is None else weights / weights.sum()

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = parameters[0] * x + parameters[1]
        error = expit(z) - targets
        # Cross-entropy in a form that does not overflow for large logits.
        value = share @ (np.logaddexp(0.0, z) - targets * z)
        return float(value), np.array([share @ (error * x), share.dot(error)])

    slope, shift = minimize(loss, x0=np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(slope), float(shift)


def best_threshold(
    p: NDArray[np.floating], labels: NDArray[np.bool_], metric: Metric = macro_f1
) -> tuple[float, float]:
    """Return the threshold with the best score (``p >= threshold`` means tingle), and that score.

    Thresholds half-way between neighbouring probabilities are tried; of equals the one nearest 0.5 wins.

    Parameters
    ----------
    p, labels : ndarray of shape (n,)
        Both classes must occur.
    metric : callable
        Score of confusion counts.
    """
    n_tingle = int(labels.sum())
    if n_tingle in (0, len(labels)):
        raise ValueError(f"expected labels of both classes, got {n_tingle} with tingle of {len(labels)}")
    order = np.argsort(-p.astype(np.float64), kind="stable")
    ranked = p[order].astype(np.float64)
    called = np.flatnonzero(ranked[:-1] > ranked[1:]) + 1  # how many frames each cut calls tingle
    hits = np.cumsum(labels[order], dtype=np.int64)[called - 1]
    cuts = (ranked[called - 1] + ranked[called]) / 2
    if len(cuts) == 0:  # one probability for all frames: nothing to cut
        return 0.5, float(metric(Counts.of(labels, p >= 0.5)))
    false_alarms, misses = called - hits, n_tingle - hits
    scores = metric(Counts(hits, false_alarms, misses, len(labels) - n_tingle - false_alarms))
    best = cuts[scores >= scores.max()]
    return float(best[np.argmin(np.abs(best - 0.5))]), float(scores.max())
