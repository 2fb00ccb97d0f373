"""Beats of a stretch of pulse wave, and the pulse rate from them.

References
----------
.. [1] Bishop and Ercole, "Multi-scale peak and trough detection optimised for periodic and quasi-periodic
   neuroscience data", Acta Neurochir. Suppl. 126 (2018).
.. [2] Charlton et al., "MSPTDfast: an efficient photoplethysmography beat detection algorithm", CinC 2024.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

BAND_HZ = (0.5, 4.0)
_BAND_ORDER = 2

DETECTION_SFREQ = 50.0
DETECTION_WINDOW_S, DETECTION_HOP_S = 6.0, 3.0
LARGEST_SCALE_S = 1.0
"""Half the longest interval between beats (30 a minute): no peak is compared with points farther off."""

INTERVAL_S = (0.3, 2.0)
MIN_INTERVALS = 2
INTERVAL_SPREAD = 0.25
"""An interval farther from the window's median than this share spans a missed or an extra beat."""


@cache
def band_pass(sfreq: float) -> NDArray[np.float64]:
    """Return the second-order sections of the band that holds pulse rates, for a rate in Hz."""
    return np.asarray(butter(_BAND_ORDER, BAND_HZ, "bandpass", fs=sfreq, output="sos"))


def find_beats(wave: NDArray[np.floating], sfreq: float) -> NDArray[np.float64]:
    """Return the times of the systolic peaks of a stretch of pulse wave, in seconds from its start.

    Multi-scale peak detection [1]_, thinned as in [2]_: in windows of 6 s a sample is a peak when it exceeds
    the samples k before and k after it for all scales k up to the one with most such samples, about half a
    beat. It has no threshold in the signal's unit. Peaks are refined by a parabola.

    Parameters
    ----------
    wave : ndarray of shape (n_samples,)
        Finite; longer than some 2 s.
    sfreq : float
        Rate in Hz, at least 50.
    """
    if np.ptp(wave) == 0:  # the filter would leave rounding noise, and noise has peaks
        return np.empty(0)
    filtered = sosfiltfilt(band_pass(sfreq), wave.astype(np.float64))
    thin, thin_sfreq = thinned(filtered, sfreq, DETECTION_SFREQ)
    n_window, n_hop = round(DETECTION_WINDOW_S * thin_sfreq), round(DETECTION_HOP_S * thin_sfreq)
    n_scales = round(LARGEST_SCALE_S * thin_sfreq)
    last = max(len(thin) - n_window, 0)
    peaks: set[int] = set()
    for start in {*range(0, last, n_hop), last}:
        found = _multi_scale_peaks(thin[start : start + n_window], n_scales)
        peaks.update((start + found).tolist())
    at = np.array(sorted(peaks), dtype=np.intp)
    left, middle, right = thin[at - 1], thin[at], thin[at + 1]
    curvature = left - 2.0 * middle + right  # below 0 at a strict peak
    return np.asarray((at + 0.5 * (left - right) / curvature) / thin_sfreq)


def thinned(wave: NDArray[np.float64], sfreq: float, least_sfreq: float) -> tuple[NDArray[np.float64], float]:
    """Return every n-th sample of a wave without content above half of ``least_sfreq``, and its rate."""
    factor = max(int(sfreq // least_sfreq), 1)
    return wave[::factor], sfreq / factor


def _multi_scale_peaks(values: NDArray[np.float64], n_scales: int) -> NDArray[np.intp]:
    """Return the indices of the peaks of one window; none at its very ends."""
    n_scales = min(n_scales, (len(values) - 1) // 2)
    exceeds = np.zeros((n_scales, len(values)), dtype=bool)  # row k - 1: scale k
    for k in range(1, n_scales + 1):
        inner = values[k:-k]
        exceeds[k - 1, k:-k] = (inner > values[: -2 * k]) & (inner > values[2 * k :])
    if not exceeds.any():
        return np.empty(0, dtype=np.intp)
    best = int(np.argmax(exceeds.sum(axis=1)))
    return np.flatnonzero(exceeds[: best + 1].all(axis=0))


def beat_rate(beat_times_s: NDArray[np.float64], start_s: float, stop_s: float) -> float:
    """Return the mean pulse rate of the intervals within a window, in beats per minute.

    Intervals count between 0.3 and 2 s, and within 25 % of the window's median; NaN with fewer than two.

    Parameters
    ----------
    beat_times_s : ndarray of shape (n_beats,)
        Ascending, in seconds.
    start_s, stop_s : float
        The window, half open.
    """
    inside = beat_times_s[(beat_times_s >= start_s) & (beat_times_s < stop_s)]
    intervals = np.diff(inside)
    intervals = intervals[(intervals >= INTERVAL_S[0]) & (intervals <= INTERVAL_S[1])]
    if len(intervals) > 0:
        median = float(np.median(intervals))
        intervals = intervals[np.abs(intervals - median) <= INTERVAL_SPREAD * median]
    return 60.0 / float(intervals.mean()) if len(intervals) >= MIN_INTERVALS else math.nan
