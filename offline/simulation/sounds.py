"""Sound of the simulated stimuli: taps and brush strokes, brook, waves, fire and wind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.grid import CLIP_DURATION_S, FRAME_RATE_HZ

SFREQ = round(SOUND_SFREQ)
N_SAMPLES = round(CLIP_DURATION_S * SFREQ)
PEAK = 0.7
"""Largest amplitude, of 1: no clip is near clipping."""


@dataclass(frozen=True, slots=True)
class Touch:
    """How an ASMR clip sounds.

    Parameters
    ----------
    modes_hz : tuple of float
        Resonances of what is tapped.
    decay_s : float
        Time in which a tap dies away.
    brush_band_hz : tuple of float
        Band of the brush's noise.
    brush_share : float
        Loudness of brushing; the rest is taps.
    strokes_hz : float
        Brush strokes per second.
    """

    modes_hz: tuple[float, ...]
    decay_s: float
    brush_band_hz: tuple[float, float]
    brush_share: float
    strokes_hz: float


TOUCHES = {
    "vid1": Touch((620.0, 1480.0, 2900.0), 0.030, (1500.0, 6000.0), 0.25, 0.7),
    "vid2": Touch((900.0, 2100.0), 0.020, (2500.0, 11000.0), 0.75, 1.1),
    "vid3": Touch((1700.0, 3900.0, 6800.0), 0.045, (900.0, 4000.0), 0.35, 0.5),
    "vid4": Touch((380.0, 950.0, 2300.0), 0.015, (3500.0, 14000.0), 0.60, 1.6),
}


def synthesise(video: str, drive: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int16]:
    """Return the sound of a stimulus.

    With the drive an ASMR clip comes closer (louder, brighter) and its taps follow faster; a nature clip
    swells.

    Parameters
    ----------
    drive : ndarray of shape (600,)
        0 to 1, at 10 Hz.

    Returns
    -------
    ndarray of shape (2646000, 2), int16
        Stereo at 44.1 kHz.
    """
    level = np.interp(np.arange(N_SAMPLES) / SFREQ, np.arange(len(drive)) / FRAME_RATE_HZ, drive).astype(
        np.float32
    )
    mono = _touch(TOUCHES[video], level, rng) if video in TOUCHES else NATURE[video](level, rng)
    # Binaural: the source wanders between the ears.
    turn = (
        2.0
        * np.pi
        * (rng.random() + np.arange(N_SAMPLES, dtype=np.float32) / SFREQ * rng.uniform(0.05, 0.15))
    )
    side = 0.35 * np.sin(turn)
    stereo = np.stack((mono * (1.0 - side), mono * (1.0 + side)), axis=1)
    hiss = 1e-3 * rng.standard_normal(stereo.shape, dtype=np.float32)
    stereo = PEAK * stereo / np.abs(stereo).max() + hiss
    return np.asarray(np.rint(32767.0 * np.clip(stereo, -1.0, 1.0)), dtype=np.int16)


def _touch(touch: Touch, level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    time_s = np.arange(N_SAMPLES) / SFREQ
    stroke = np.sin(np.pi * touch.strokes_hz * time_s) ** 2
    closeness = 0.08 + 0.92 * level
    brush = _unit(_band_noise(touch.brush_band_hz, rng)) * stroke * closeness
    taps = _unit(_taps(touch, level, rng))
    return np.asarray(touch.brush_share * brush + 6.0 * (1.0 - touch.brush_share) * taps, dtype=np.float32)


def _taps(touch: Touch, level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return taps, 1 to 6 per second with the level, as decaying resonances."""
    sound = np.zeros(N_SAMPLES, dtype=np.float32)
    length = round(6.0 * touch.decay_s * SFREQ)
    time_s = np.arange(length) / SFREQ
    at_s = rng.uniform(0.0, 1.0)
    while at_s < CLIP_DURATION_S - 1.0:
        start = round(at_s * SFREQ)
        now = float(level[start])
        tap = np.zeros(length)
        for i, mode_hz in enumerate(touch.modes_hz):
            # A close, firm tap excites the high resonances more.
            weight = (0.25 + 0.75 * now) ** i
            frequency_hz = mode_hz * rng.uniform(0.96, 1.04)
            tap += (
                weight
                * np.sin(2.0 * np.pi * frequency_hz * time_s)
                * np.exp(-time_s * (1 + i) / touch.decay_s)
            )
        sound[start : start + length] += (0.1 + 0.9 * now) * rng.uniform(0.7, 1.0) * tap
        at_s += rng.gamma(8.0, 1.0 / 8.0) / (1.0 + 5.0 * now)
    return sound


def _brook(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    water = _unit(_band_noise((400.0, 3500.0), rng)) * (0.5 + 0.5 * level)
    bubbles = np.zeros(N_SAMPLES, dtype=np.float32)
    length = round(0.06 * SFREQ)
    time_s = np.arange(length) / SFREQ
    for start in rng.integers(0, N_SAMPLES - length, size=900):
        rising_hz = rng.uniform(500.0, 1800.0) * (1.0 + 4.0 * time_s)
        bubble = np.sin(2.0 * np.pi * np.cumsum(rising_hz) / SFREQ) * np.exp(-time_s / 0.015)
        bubbles[start : start + length] += rng.uniform(0.2, 1.0) * bubble
    return np.asarray(water + 2.0 * _unit(bubbles), dtype=np.float32)


def _waves(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    swell = _unit(_band_noise((60.0, 700.0), rng)) * (0.3 + 0.7 * level)
    foam = _unit(_band_noise((1500.0, 9000.0), rng)) * level**3
    return np.asarray(swell + 0.5 * foam, dtype=np.float32)


def _fire(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    rumble = _unit(_band_noise((40.0, 300.0), rng)) * (0.6 + 0.4 * level)
    sparks = np.zeros(N_SAMPLES, dtype=np.float32)
    starts = rng.integers(0, N_SAMPLES, size=1200)
    kept = starts[rng.random(len(starts)) < level[starts]]
    sparks[kept] = rng.exponential(1.0, size=len(kept))
    crackle = sosfilt(butter(2, (1000.0, 7000.0), "bandpass", fs=SFREQ, output="sos"), sparks)
    return np.asarray(0.5 * rumble + 2.0 * _unit(crackle), dtype=np.float32)


def _wind(level: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    calm = _unit(_band_noise((100.0, 400.0), rng))
    gust = _unit(_band_noise((300.0, 1500.0), rng))
    return np.asarray((1.0 - 0.7 * level) * calm + level**2 * gust, dtype=np.float32)


NATURE: dict[str, Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]] = {
    "vid5": _brook,
    "vid6": _waves,
    "vid7": _fire,
    "vid8": _wind,
}


def _band_noise(band_hz: tuple[float, float], rng: np.random.Generator) -> NDArray[np.float32]:
    sos = butter(2, band_hz, "bandpass", fs=SFREQ, output="sos").astype(np.float32)
    return np.asarray(sosfilt(sos, rng.standard_normal(N_SAMPLES, dtype=np.float32)), dtype=np.float32)


def _unit(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to an RMS of 1."""
    return np.asarray(sound / np.sqrt(np.mean(sound**2, dtype=np.float64)), dtype=np.float32)
