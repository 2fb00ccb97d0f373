"""Expected calibration error within trials of several people, and how large it is by chance alone.

The error is a mean of distances, so it is above 0 whatever the model: even one whose probabilities are right
misses the frequencies of a sample. How far, depends on people rather than on moments: somebody who reports a
tingle mostly goes on reporting it, and some report more than others all along.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Scores, calibration_bins, ratio
from offline.predictions import TrialPrediction
from offline.results import Measured
from offline.statistics import N_BOOTSTRAP, percentile_interval

CALIBRATION_BINS = 10


class CalibrationError:
    """Expected calibration error of weighed trials.

    Parameters
    ----------
    trials : sequence of TrialPrediction
        Every step with a probability.
    """

    def __init__(self, trials: Sequence[TrialPrediction]) -> None:
        self._people = np.unique([trial.trial.participant for trial in trials], return_inverse=True)[1]
        # Per trial and bin: steps, sum of probabilities, tingles.
        self._sums = np.zeros((len(trials), CALIBRATION_BINS, 3))
        for i, trial in enumerate(trials):
            bins = calibration_bins(trial.truth, trial.p, CALIBRATION_BINS)
            parts = (bins.mean_p, bins.frequency)
            self._sums[i, :, 0] = bins.n
            for k, part in enumerate(parts, start=1):
                self._sums[i, :, k] = np.where(bins.n > 0, part, 0.0) * bins.n

    def __call__(self, weights: NDArray[np.int64]) -> Scores:
        """Return the error.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)
            How often each trial counts.
        """
        sums = np.tensordot(weights, self._sums, axes=1)
        gap = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
        return np.asarray(gap / sums[..., 0].sum(axis=-1))

    def when_calibrated(self, rng: np.random.Generator, n_draws: int = N_BOOTSTRAP) -> Measured:
        """Return the error that the same people would show of a model whose probabilities are right.

        In a bin whose probability is right, each person's tingles lie above or below the expected number by
        chance. How far they do is taken from the people themselves, their distance to the frequency of the
        bin; the sign is drawn, one for all that a person reported, as its moments hang together.

        Parameters
        ----------
        rng : Generator
        n_draws : int

        Returns
        -------
        Measured
            Mean over the draws, and the range that holds 95 % of them.

        References
        ----------
        Cameron, Gelbach and Miller, "Bootstrap-based improvements for inference with clustered errors", Rev.
        Econ. Stat. 90 (2008): the wild cluster bootstrap with the hypothesis imposed.
        """
        n, tingles = self._sums[..., 0], self._sums[..., 2]
        frequency = ratio(tingles.sum(axis=0), n.sum(axis=0), empty=0.0)
        beyond = np.zeros((self._people.max() + 1, CALIBRATION_BINS))
        np.add.at(beyond, self._people, tingles - n * frequency)
        signs = rng.choice([-1.0, 1.0], size=(n_draws, len(beyond)))
        errors = np.abs(signs @ beyond).sum(axis=1) / n.sum()
        note = f"expected of right probabilities, {len(beyond)} people of {int(n.sum())} moments, by chance"
        return Measured(float(errors.mean()), ci95=percentile_interval(errors), unit="p", note=note)
