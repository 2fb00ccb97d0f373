"""How far ratings trail what a model says: its score against ratings moved in time.

A continuous rating comes later than the feeling: people notice, decide and press. A model of the feeling
agrees best with ratings moved back by that lag; one trained on the ratings as given may have learned it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Scores, ratio
from offline.predictions import Predictions
from offline.scores import asmr_trials
from offline.statistics import N_BOOTSTRAP, bootstrap_multiplicities, percentile_interval
from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ

LAGS_S = (-3.0, 6.0)
"""Range that is searched: reaction times to slow stimuli lie within; below 0 the rating comes first."""


@dataclass(frozen=True, slots=True, eq=False)
class LagCurve:
    """Agreement of predictions with ratings that come later by each lag.

    Parameters
    ----------
    lag_s : ndarray of shape (n_lags,)
    r : ndarray of shape (n_lags,)
        Correlation of probability and report, both less each trial's mean.
    best_s : float
        Where ``r`` is largest.
    ci95_s : tuple of float
        Of ``best_s``, over participants.
    """

    lag_s: NDArray[np.float64]
    r: NDArray[np.float64]
    best_s: float
    ci95_s: tuple[float, float]


def lag_curve(
    predictions: Predictions,
    rng: np.random.Generator,
    *,
    range_s: tuple[float, float] = LAGS_S,
    n_bootstrap: int = N_BOOTSTRAP,
) -> LagCurve:
    """Return the agreement at every lag on the grid, over the same steps of the predictions.

    Parameters
    ----------
    predictions : Predictions
        Those of ASMR clips count, padding left out, where every step has a probability.
    rng : Generator
    range_s : tuple of float
        Smallest and largest lag; positive lags mean that ratings come later than what is said.
    n_bootstrap : int

    Raises
    ------
    DataError
        Nothing varies, the trials are too short, or they agree best at an end of the range.
    """
    first, last = (round(end * FRAME_RATE_HZ) for end in range_s)
    lags = np.arange(first, last + 1)
    trials = [t for t in asmr_trials(predictions.without_padding()).trials if np.isfinite(t.p).all()]
    sums = []
    for trial in trials:
        start, stop = max(0, -first), trial.p.size - max(0, last)
        if stop - start < 2:
            raise DataError(
                f"trial {trial.trial}: expected more than {last - first + 1} steps to try lags of "
                f"{range_s[0]:g} to {range_s[1]:g} s, got {trial.p.size}; try shorter lags"
            )
        sums.append(_products(trial.p[start:stop].astype(np.float64), trial.truth, start, lags))
    if not sums:
        raise DataError(f"{predictions.model}: expected ASMR trials with probabilities, got none")
    products = np.array(sums)  # (n_trials, 3, n_lags)
    units, unit_of_trial = np.unique([t.trial.participant for t in trials], return_inverse=True)
    r = _correlation(products.sum(axis=0))
    if not np.isfinite(r).all() or np.ptp(r) == 0:
        raise DataError(f"{predictions.model}: expected predictions and reports that vary, got some constant")
    highest = int(np.argmax(r))
    if highest in (0, len(lags) - 1):
        raise DataError(
            f"{predictions.model}: expected ratings to agree best at a lag within {range_s[0]:g} to "
            f"{range_s[1]:g} s, got its end at {lags[highest] / FRAME_RATE_HZ:g} s: the lag lies beyond, or "
            "there is none"
        )
    drawn = bootstrap_multiplicities(len(units), n_bootstrap, rng)[:, unit_of_trial]
    samples = _correlation(np.tensordot(drawn, products, axes=1).swapaxes(0, 1))
    samples = samples[np.isfinite(samples).all(axis=1)]
    best = lags[np.argmax(samples, axis=1)] / FRAME_RATE_HZ
    return LagCurve(lags / FRAME_RATE_HZ, r, float(lags[highest]) / FRAME_RATE_HZ, percentile_interval(best))


def _products(
    p: NDArray[np.float64], truth: NDArray[np.bool_], start: int, lags: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the sums of p times y, p squared and y squared at each lag, shape (3, n_lags)."""
    own = p - p.mean()
    later = np.stack([truth[start + lag : start + lag + p.size] for lag in lags]).astype(np.float64)
    later -= later.mean(axis=1, keepdims=True)
    return np.stack([later @ own, np.full(len(lags), own @ own), (later**2).sum(axis=1)])


def _correlation(sums: NDArray[np.float64]) -> Scores:
    product, own, other = sums
    return ratio(product, np.sqrt(own * other))
