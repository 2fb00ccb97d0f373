"""From logits to probabilities and decisions: Platt scaling, calibration of a mean, choice of a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
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


def fit_mean(
    log_odds: NDArray[np.floating],
    own: NDArray[np.intp],
    labels: NDArray[np.bool_],
    weights: NDArray[np.floating],
) -> tuple[float, float]:
    """Return slope and shift with which the mean of ``sigmoid(slope * log_odds + shift)`` fits labels best.

    A mean of calibrated probabilities is too timid: what its members say too high or too low by chance
    cancels, so it varies less than each of them, yet follows the labels as they do on average. Only one
    member may be held against a label, the one that did not learn from it. So the squared error of the mean
    is taken apart: its product with the label is expected to be that of this member's probability, and its
    square the product of both. What the others say of frames that they know is scaled to the spread of what
    they say of those that they do not.

    Parameters
    ----------
    log_odds : ndarray of shape (n, n_members)
        Calibrated.
    own : ndarray of shape (n,)
        Member that did not learn from the frame; each has some.
    labels : ndarray of shape (n,)
        Both classes must occur.
    weights : ndarray of shape (n,)
        How much each counts for the level. The slope, from 1 to the number of members, counts all alike.

    References
    ----------
    Ranjan and Gneiting, "Combining probability forecasts", J. R. Stat. Soc. B 72 (2010): the mean of
    calibrated forecasts lacks sharpness.
    """
    x, y, rows = _as_unknown(log_odds.astype(np.float64), own), labels.astype(np.float64), np.arange(len(own))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        p = expit(parameters[0] * x + parameters[1])
        rise = p * (1 - p)
        mean, mine = p.mean(axis=1), p[rows, own]
        by_slope, by_shift = (
            np.mean(change[rows, own] * (mean - 2 * y) + mine * change.mean(axis=1))
            for change in (rise * x, rise)
        )
        return float(np.mean(mine * (mean - 2 * y))), np.array([by_slope, by_shift])

    found = minimize(loss, x0=np.array([1.0, 0.0]), jac=True, method="BFGS").x
    slope = float(np.clip(found[0], 1.0, x.shape[1]))
    mine, share = slope * x[rows, own], weights / weights.sum()

    def too_high(shift: float) -> float:
        return float(share @ (expit(mine + shift) - y))

    reach = 20.0 + float(np.abs(mine).max())  # from all nearly 0 to all nearly 1
    return slope, float(brentq(too_high, -reach, reach))


def _as_unknown(log_odds: NDArray[np.float64], own: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return log odds whose spread is nowhere larger than on the member's own frames."""
    x, n_members = log_odds.copy(), log_odds.shape[1]
    spread = [float(log_odds[own == member, member].std()) for member in range(n_members)]
    for holder in range(n_members):
        block = x[own == holder]
        centre, known = block.mean(axis=0), block.std(axis=0)
        x[own == holder] = centre + (block - centre) * np.minimum(1.0, spread / np.maximum(known, 1e-12))
    return x


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
