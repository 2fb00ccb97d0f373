"""Scores with intervals over participants drawn with replacement.

A score is a function of how often each trial counts, so that the same draws serve every score, and two
models scored with the same draws are compared person by person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Scores
from offline.predictions import Predictions
from offline.results import Measured
from offline.statistics import N_BOOTSTRAP, bootstrap_multiplicities, percentile_interval

FEWEST_PARTICIPANTS = 10
"""An interval from resampling fewer people than this is too narrow to answer anything: they are its units."""

Score = Callable[[NDArray[np.int64]], Scores]
"""Takes trial weights of shape (..., n_trials) and gives scores of shape (...)."""


class ParticipantBootstrap:
    """Scores of the trials as they are, and of participants drawn with replacement.

    Parameters
    ----------
    predictions : Predictions
        Whose trials, in their order, the weights stand for.
    rng : Generator
    n_bootstrap : int
    undefined : str
        Note of a score that has no value.
    """

    def __init__(
        self,
        predictions: Predictions,
        rng: np.random.Generator,
        n_bootstrap: int = N_BOOTSTRAP,
        *,
        undefined: str = "undefined: neither truth nor prediction varies as it would have to",
    ) -> None:
        self._undefined = undefined
        participants = np.array([trial.trial.participant for trial in predictions.trials])
        units, unit_of_trial = np.unique(participants, return_inverse=True)
        self._once = np.ones(len(participants), dtype=np.int64)
        self._drawn = bootstrap_multiplicities(len(units), n_bootstrap, rng)[:, unit_of_trial]

    def __call__(self, score: Score, unit: str, note: str = "") -> Measured:
        """Return a score with its 95 % interval."""
        return self._measure(score, unit, note)[0]

    def tested(self, score: Score, unit: str, note: str = "") -> Measured:
        """Return the same with the two-sided p-value of the score being 0, (count + 1) / (n + 1)."""
        found, samples = self._measure(score, unit, note)
        if found.value is None:
            return found
        n_beyond = min(np.count_nonzero(samples <= 0), np.count_nonzero(samples >= 0))
        return replace(found, p=min(1.0, 2 * (int(n_beyond) + 1) / (samples.size + 1)))

    def _measure(self, score: Score, unit: str, note: str) -> tuple[Measured, Scores]:
        value = float(score(self._once))
        if np.isnan(value):
            return Measured(None, unit=unit, note=self._undefined), np.empty(0)
        samples = score(self._drawn)
        samples = samples[np.isfinite(samples)]
        return Measured(value, ci95=percentile_interval(samples), unit=unit, note=note), samples


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are, each as large as any smaller one.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(
        [min(1.0, (len(order) - rank) * p_values[i]) for rank, i in enumerate(order)]
    )
    return [float(p) for p in corrected]
