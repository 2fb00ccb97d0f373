"""What a person's pulse does over some seconds, relative to that person: the columns of ``live+ppg``.

The wave of the newest 20 s is read after every half second of samples, whatever the pieces they come in;
between two readings the last one holds. Every column compares the person with themselves: with the running
mean of their own readings in the segment, or the newest seconds with those before. Logarithms make shares of
them, so that neither the sensor's unit nor the person's resting pulse remains.

References
----------
.. [1] Task Force of the ESC and NASPE, "Heart rate variability", Circulation 93 (1996): RMSSD.
.. [2] Karlen et al., "Multiparameter respiratory rate estimation from the photoplethysmogram", IEEE Trans.
   Biomed. Eng. 60 (2013): breath from the intervals and the heights of the beats.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend, periodogram, sosfiltfilt

from rtasmr.features.spec import PULSE_NAMES, FeatureSpec
from rtasmr.pulse_quality import QUALITY_WINDOW_S, harmonic_share
from rtasmr.pulse_rate import INTERVAL_S, INTERVAL_SPREAD, band_pass, beat_rate, find_beats

GRID_SFREQ = 100.0
"""Rate at which the wave is read, in Hz: means of several samples, or lines between two."""

MIN_INTERVALS = 4
"""Behind a slope or a variability."""

EDGE_S = 1.0
"""The filter guesses what lies outside the wave: a crest this near to an end has no height to believe."""

BREATH_SFREQ = 4.0
_BREATH_STEP_HZ = 0.01

Parameters = Mapping[str, float | int | str]


class PulseFeatures:
    """Samples of one pulse stream in, the newest reading out.

    Parameters
    ----------
    spec : FeatureSpec
        Of a set with the pulse columns.
    sfreq : float
        Rate of the stream in Hz.

    Attributes
    ----------
    values : ndarray of shape (7,), float64
        The newest reading, in the order of ``PULSE_NAMES``; NaN where it says nothing.
    """

    def __init__(self, spec: FeatureSpec, sfreq: float) -> None:
        self._parameters = spec.parameters
        hop_s = float(self._parameters["pulse_hop_s"])
        self._n_hop = round(hop_s * sfreq)
        self._n_mean = max(int(sfreq // GRID_SFREQ), 1)
        self._sfreq = sfreq / self._n_mean
        self._n_kept = math.ceil(float(self._parameters["breath_window_s"]) * self._sfreq)
        self._memory_readings = float(self._parameters["pulse_baseline_memory_s"]) / hop_s
        self.reset()

    def reset(self) -> None:
        """Forget wave and person: a segment begins."""
        self._baselines = [_RunningMean(self._memory_readings) for _ in PULSE_NAMES]
        self.restart()

    def restart(self) -> None:
        """Forget the wave, which goes on after a gap that nothing bridges."""
        self._wave = np.empty(0)
        self._rest = np.empty(0)
        self._until_hop = self._n_hop
        self.values = np.full(len(PULSE_NAMES), np.nan)

    def push(self, samples: NDArray[np.float64]) -> None:
        """Take finite samples that follow the last ones, and make the readings that fall due."""
        while len(samples) >= self._until_hop:
            due, samples = samples[: self._until_hop], samples[self._until_hop :]
            self._keep(due)
            self.values = self._relative(read_wave(*self._on_grid(), self._parameters))
            self._until_hop = self._n_hop
        self._keep(samples)
        self._until_hop -= len(samples)

    def _keep(self, samples: NDArray[np.float64]) -> None:
        waiting = np.concatenate((self._rest, samples))
        n_used = len(waiting) // self._n_mean * self._n_mean
        means = waiting[:n_used].reshape(-1, self._n_mean).mean(axis=1)
        self._rest = waiting[n_used:]
        self._wave = np.concatenate((self._wave, means))[-self._n_kept :]

    def _on_grid(self) -> tuple[NDArray[np.float64], float]:
        if self._sfreq >= GRID_SFREQ:
            return self._wave, self._sfreq
        n_grid = int((len(self._wave) - 1) / self._sfreq * GRID_SFREQ) + 1
        place = np.arange(n_grid) * self._sfreq / GRID_SFREQ
        return np.interp(place, np.arange(len(self._wave)), self._wave), GRID_SFREQ

    def _relative(self, reading: PulseWaveReading) -> NDArray[np.float64]:
        rows = (
            (reading.log_rate, True),
            (reading.rate_change, False),
            (reading.log_height, True),
            (reading.height_change, False),
            (reading.variability, True),
            (reading.log_breath_rate, True),
            (reading.breath_depth, True),
        )
        return np.array(
            [
                value - baseline.update(value) if is_absolute and math.isfinite(value) else value
                for (value, is_absolute), baseline in zip(rows, self._baselines, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True)
class PulseWaveReading:
    """What a stretch of pulse wave shows; NaN where it shows nothing.

    Parameters
    ----------
    log_rate : float
        Logarithm of the pulse rate of the newest 10 s, in beats per minute.
    rate_change : float
        Its change over these 10 s, as a share.
    log_height : float
        Logarithm of the height of the newest 5 s of beats, in the wave's unit.
    height_change : float
        Change of the height over 10 s, as a share.
    variability : float
        Root mean square of successive differences of the intervals, as a share of their mean [1]_.
    log_breath_rate : float
        Logarithm of the breaths per minute of the newest 20 s [2]_.
    breath_depth : float
        Standard deviation that the breath gives to the logarithm of the height.
    """

    log_rate: float = math.nan
    rate_change: float = math.nan
    log_height: float = math.nan
    height_change: float = math.nan
    variability: float = math.nan
    log_breath_rate: float = math.nan
    breath_depth: float = math.nan


def read_wave(wave: NDArray[np.float64], sfreq: float, parameters: Parameters) -> PulseWaveReading:
    """Read a stretch of pulse wave whose end is now.

    Parameters
    ----------
    wave : ndarray of shape (n_samples,)
        Finite, 20 s or what there is yet.
    sfreq : float
        Rate in Hz, at least 100.
    parameters : mapping
        Of the feature set.

    Notes
    -----
    Nothing is read from less than 5 s, nor from a wave that is no pulse: one whose power does not lie at its
    rate and the harmonics of it.
    """
    stop_s = len(wave) / sfreq
    if stop_s < float(parameters["pulse_least_s"]) or np.ptp(wave) == 0.0:
        return PulseWaveReading()
    newest = wave[-round(QUALITY_WINDOW_S * sfreq) :]
    if not harmonic_share(newest, sfreq) >= float(parameters["pulse_least_quality"]):
        return PulseWaveReading()
    beats = _Beats.of(wave, sfreq)
    window_s = float(parameters["pulse_window_s"])
    recent = beats.since(stop_s - window_s)
    newest_heights = beats.since(stop_s - window_s / 2).log_heights
    log_breath_rate, breath_depth = _breath(beats, parameters)
    return PulseWaveReading(
        log_rate=math.log(beat_rate(beats.peaks_s, max(stop_s - window_s, 0.0), stop_s)),
        rate_change=-_slope(recent.times_s, np.log(recent.intervals_s)) * window_s,
        log_height=float(np.median(newest_heights)) if len(newest_heights) else math.nan,
        height_change=_slope(recent.times_s, recent.log_heights) * window_s,
        variability=_rmssd(recent) / float(recent.intervals_s.mean()) if len(recent.times_s) else math.nan,
        log_breath_rate=log_breath_rate,
        breath_depth=breath_depth,
    )


@dataclass(frozen=True, slots=True)
class _Beats:
    """Beats with a believable interval before them: time of the peak, interval, height over the foot.

    ``peaks_s`` holds every peak; ``place`` numbers the beats among them.
    """

    peaks_s: NDArray[np.float64]
    place: NDArray[np.intp]
    times_s: NDArray[np.float64]
    intervals_s: NDArray[np.float64]
    log_heights: NDArray[np.float64]

    @classmethod
    def of(cls, wave: NDArray[np.float64], sfreq: float) -> _Beats:
        """Find the beats of a wave."""
        peaks_s = find_beats(wave, sfreq)
        intervals_s = np.diff(peaks_s)
        believed = (intervals_s >= INTERVAL_S[0]) & (intervals_s <= INTERVAL_S[1])
        if believed.any():
            median = float(np.median(intervals_s[believed]))
            believed &= np.abs(intervals_s - median) <= INTERVAL_SPREAD * median
        filtered = sosfiltfilt(band_pass(sfreq), wave)
        at = np.rint(peaks_s * sfreq).astype(np.intp).clip(0, len(wave) - 1)
        heights = np.array([filtered[b] - filtered[a:b].min() for a, b in itertools.pairwise(at)])
        whole = (at[1:] >= EDGE_S * sfreq) & (at[1:] < len(wave) - EDGE_S * sfreq)
        place = np.flatnonzero(believed & whole & (heights > 0.0)) + 1
        return cls(peaks_s, place, peaks_s[place], intervals_s[place - 1], np.log(heights[place - 1]))

    def since(self, start_s: float) -> _Beats:
        """Return the beats from a time on."""
        keep = self.times_s >= start_s
        return _Beats(
            self.peaks_s,
            self.place[keep],
            self.times_s[keep],
            self.intervals_s[keep],
            self.log_heights[keep],
        )


def _slope(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the change per second of the line of least squares."""
    if len(times_s) < MIN_INTERVALS:
        return math.nan
    centred = times_s - times_s.mean()
    return float(centred @ values / (centred @ centred))


def _rmssd(beats: _Beats) -> float:
    """Return the root mean square of the differences between intervals that follow each other, in s."""
    follows = np.diff(beats.place) == 1
    differences = np.diff(beats.intervals_s)[follows]
    return float(np.sqrt(np.mean(differences**2))) if len(differences) >= MIN_INTERVALS - 1 else math.nan


def _breath(beats: _Beats, parameters: Parameters) -> tuple[float, float]:
    """Return the logarithm of the breaths per minute, and what they do to the logarithm of the height."""
    least_s = float(parameters["breath_least_s"])
    if len(beats.times_s) < 2 or beats.times_s[-1] - beats.times_s[0] < least_s:
        return math.nan, math.nan
    grid_s = np.arange(beats.times_s[0], beats.times_s[-1], 1.0 / BREATH_SFREQ)
    n_fft = round(BREATH_SFREQ / _BREATH_STEP_HZ)
    low_hz, high_hz = float(parameters["breath_low_hz"]), float(parameters["breath_high_hz"])
    joined, depth = np.zeros(n_fft // 2 + 1), math.nan
    for series in (np.log(beats.intervals_s), beats.log_heights):
        wave = detrend(np.interp(grid_s, beats.times_s, series))
        frequency, power = periodogram(wave, BREATH_SFREQ, "hann", nfft=n_fft)
        within = (frequency >= low_hz) & (frequency <= high_hz)
        whole = float(power.sum())
        if whole > 0.0:
            joined += power / whole
            depth = float(wave.std() * math.sqrt(power[within].sum() / whole))
        else:
            depth = 0.0
    if not joined[within].any():
        return math.nan, depth
    return math.log(60.0 * float(frequency[within][np.argmax(joined[within])])), depth


class _RunningMean:
    """Mean of all values at first, with exponential memory later; it includes the value it is asked with."""

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._n = 0
        self._mean = 0.0

    def update(self, value: float) -> float:
        self._n += 1
        self._mean += max(1.0 / self._n, 1.0 / self._memory) * (value - self._mean)
        return self._mean
