"""Where a recorded pulse does not move: a sensor that lost its skin, its cable or its power."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

LEAST_FLAT_S = 3.0
"""Two beats of a slow heart: no pulse stays within one step of its converter for as long."""
SATURATED_SHARE = 0.01
"""Share of samples at one end of the range above which a recording is called saturated."""

_STEPS = 1.5
"""A dead sensor's converter moves between two neighbouring values; the rest is rounding."""


def flat_stretch_s(samples: NDArray[np.floating], sfreq: float) -> float:
    """Return the longest stretch, in seconds, within one step of the converter; 0 where it is below 3 s.

    The step is the smallest difference between two values of ``samples``. Cells without a number are
    skipped; all of a shorter recording is one stretch if it does not move.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
    sfreq : float
        Rate in Hz.
    """
    known = samples[np.isfinite(samples)]
    if known.size == 0:
        return 0.0
    steps = np.diff(np.unique(known))
    most = _STEPS * float(steps.min()) if steps.size else 0.0
    if float(known.max()) - float(known.min()) <= most:
        return float(known.size / sfreq)
    n_window = round(LEAST_FLAT_S * sfreq)
    if n_window > known.size:
        return 0.0
    moves = (maximum_filter1d(known, n_window) - minimum_filter1d(known, n_window)) > most
    # The filter's ends look at fewer samples; window i is centred on sample i.
    first = n_window // 2
    flat = ~moves[first : first + known.size - n_window + 1]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flat, [False])).astype(np.int8)))
    if edges.size == 0:
        return 0.0
    return float((edges[1::2] - edges[::2]).max() - 1 + n_window) / sfreq


def saturation(samples: NDArray[np.floating], sfreq: float) -> str:
    """Return that a channel is ``saturated in 40.1 % of the samples``, empty where it is not.

    One that does not move for most of the time is flat, not saturated.
    """
    low, high = np.nanmin(samples), np.nanmax(samples)
    share = float(np.mean((samples == low) | (samples == high)))
    if share <= SATURATED_SHARE or flat_stretch_s(samples, sfreq) > samples.size / sfreq / 2:
        return ""
    return f"saturated in {100 * share:.1f} % of the samples"
