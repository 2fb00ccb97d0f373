"""Pulse rate of a few seconds of pulse wave: the published rule, and our more robust one.

References
----------
.. [1] Das et al. 2026, 'Physiological Signal Integrity and Cardiovascular Response'; the thresholds stand in
   the authors' notebook only.
.. [2] Bishop and Ercole, "Multi-scale peak and trough detection optimised for periodic and quasi-periodic
   neuroscience data", Acta Neurochir. Suppl. 126 (2018).
.. [3] Charlton et al., "MSPTDfast: an efficient photoplethysmography beat detection algorithm", CinC 2024.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, periodogram, sosfiltfilt

BAND_HZ = (0.5, 4.0)
_BAND_ORDER = 2

PUBLISHED_PROMINENCE = 0.5
"""In the signal's own unit (mV): a weak pulse has no peaks at all."""
PUBLISHED_DISTANCE_S = 0.35
PUBLISHED_MIN_PEAKS = 4
PUBLISHED_MIN_INTERVALS = 3
PUBLISHED_INTERVAL_MS = (300.0, 1300.0)
PUBLISHED_MIN_SAMPLES = 1000

DETECTION_SFREQ = 50.0
DETECTION_WINDOW_S, DETECTION_HOP_S = 6.0, 3.0
LARGEST_SCALE_S = 1.0
"""Half the longest interval between beats (30 a minute): no peak is compared with points farther off."""

INTERVAL_S = (0.3, 2.0)
MIN_INTERVALS = 2
INTERVAL_SPREAD = 0.25
"""An interval farther from the window's median than this share spans a missed or an extra beat."""

QUALITY_BAND_HZ = (0.5, 8.0)
HARMONIC_HALF_WIDTH_HZ = 0.25
"""As wide as a steady tone appears in 5 s under a Hann window."""
N_HARMONICS = 3
LEAST_HARMONIC_SHARE = 0.5
"""Noise of 0.5-8 Hz has 95 % of its windows below 0.46, a camera's pulse wave 95 % above 0.55."""
SPECTRUM_SFREQ = 100.0
"""The amplifier's filtered channel ends at 35 Hz."""
_SPECTRUM_STEP_HZ = 0.05


@cache
def _band_pass(sfreq: float) -> NDArray[np.float64]:
    return np.asarray(butter(_BAND_ORDER, BAND_HZ, "bandpass", fs=sfreq, output="sos"))


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
    filtered = sosfiltfilt(_band_pass(sfreq), wave.astype(np.float64))
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


def find_beats(wave: NDArray[np.floating], sfreq: float) -> NDArray[np.float64]:
    """Return the times of the systolic peaks of a stretch of pulse wave, in seconds from its start.

    Multi-scale peak detection [2]_, thinned as in [3]_: in windows of 6 s a sample is a peak when it exceeds
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
    filtered = sosfiltfilt(_band_pass(sfreq), wave.astype(np.float64))
    thin, thin_sfreq = _thinned(filtered, sfreq, DETECTION_SFREQ)
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


def _thinned(
    wave: NDArray[np.float64], sfreq: float, least_sfreq: float
) -> tuple[NDArray[np.float64], float]:
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


def harmonic_share(wave: NDArray[np.floating], sfreq: float) -> float:
    """Return how much of a window's power lies at its pulse rate and the second and third harmonic.

    The pulse rate is the strongest frequency from 0.5 to 4 Hz; the share is that within 0.25 Hz of it and of
    its multiples, of the power from 0.5 to 8 Hz. NaN where there is no power.

    Parameters
    ----------
    wave : ndarray of shape (n_samples,)
        Finite, about 5 s, without content above 50 Hz.
    sfreq : float
        Rate in Hz.
    """
    thin, thin_sfreq = _thinned(wave.astype(np.float64), sfreq, SPECTRUM_SFREQ)
    n_fft = max(round(thin_sfreq / _SPECTRUM_STEP_HZ), len(thin))
    frequency, power = periodogram(thin, thin_sfreq, "hann", nfft=n_fft)
    within = (frequency >= QUALITY_BAND_HZ[0]) & (frequency <= QUALITY_BAND_HZ[1])
    whole = float(power[within].sum())
    if whole == 0.0:
        return math.nan
    candidates = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    pulse_hz = frequency[candidates][np.argmax(power[candidates])]
    harmonics = pulse_hz * np.arange(1, N_HARMONICS + 1)
    near = (np.abs(frequency[:, None] - harmonics) <= HARMONIC_HALF_WIDTH_HZ).any(axis=1)
    return float(power[within & near].sum()) / whole
