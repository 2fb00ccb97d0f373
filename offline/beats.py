"""Pulse rate of a few seconds of pulse wave by the published rule; ours is `rtasmr.pulse_rate`.

References
----------
.. [1] Das et al. 2026, 'Physiological Signal Integrity and Cardiovascular Response'; the thresholds stand in
   the authors' notebook only.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, sosfiltfilt

from rtasmr.pulse_rate import band_pass

PUBLISHED_PROMINENCE = 0.5
"""In the signal's own unit (mV): a weak pulse has no peaks at all."""
PUBLISHED_DISTANCE_S = 0.35
PUBLISHED_MIN_PEAKS = 4
PUBLISHED_MIN_INTERVALS = 3
PUBLISHED_INTERVAL_MS = (300.0, 1300.0)
PUBLISHED_MIN_SAMPLES = 1000


def published_rate(wave: NDArray[np.floating], sfreq: float) -> float:
    """Return the pulse rate of one window by the published rule, in beats per minute.

    The window alone is filtered forwards and backwards; peaks stand out by 0.5 of the signal's unit and lie
    0.35 s apart. Of the intervals those between 300 and 1300 ms are averaged. NaN with fewer than four peaks
    or three such intervals, so below some 36 to 48 beats per minute, and with a missing sample.

    Parameters
    ----------
    wave : ndarray of shape (n_samples,)
        Filtered channel, in mV.
    sfreq : float
        Rate in Hz.
    """
    if len(wave) <= PUBLISHED_MIN_SAMPLES or not np.isfinite(wave).all():
        return math.nan
    filtered = sosfiltfilt(band_pass(sfreq), wave.astype(np.float64))
    peaks, _ = find_peaks(
        filtered, distance=int(sfreq * PUBLISHED_DISTANCE_S), prominence=PUBLISHED_PROMINENCE
    )
    if len(peaks) < PUBLISHED_MIN_PEAKS:
        return math.nan
    intervals_ms = 1000.0 * np.diff(peaks) / sfreq
    shortest, longest = PUBLISHED_INTERVAL_MS
    intervals_ms = intervals_ms[(intervals_ms > shortest) & (intervals_ms < longest)]
    if len(intervals_ms) < PUBLISHED_MIN_INTERVALS:
        return math.nan
    return 60_000.0 / float(intervals_ms.mean())
