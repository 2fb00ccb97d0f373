"""What happens in a stimulus: one curve per clip, shared by its sound, its picture and the people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtasmr.grid import CLIP_DURATION_S, FRAME_RATE_HZ
from rtasmr.types import VIDEOS

N_TICKS = round(CLIP_DURATION_S * FRAME_RATE_HZ)


def stimulus_drives(rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Return the drive of every video, 0 (nothing happens) to 1, at 10 Hz.

    The two best clips of the study have opposite shapes: episodes that come and go (vid2), and a steady
    build-up (vid3); see its Figure 3.

    Returns
    -------
    dict of str to ndarray of shape (600,)
    """
    time_s = np.arange(N_TICKS) / FRAME_RATE_HZ
    shapes = {
        "vid1": _episodes(time_s, rng, (18.0, 44.0), width_s=7.0),
        "vid2": _episodes(time_s, rng, (9.0, 22.0, 36.0, 50.0), width_s=3.5),
        "vid3": _build_up(time_s, rng, middle_s=24.0, width_s=7.0),
        "vid4": _episodes(time_s, rng, (14.0, 30.0, 52.0), width_s=5.0),
        "vid5": _swell(time_s, rng, period_s=31.0),
        "vid6": _swell(time_s, rng, period_s=9.0),
        "vid7": _swell(time_s, rng, period_s=19.0),
        "vid8": _swell(time_s, rng, period_s=43.0),
    }
    return {video: np.clip(shapes[video], 0.0, 1.0) for video in VIDEOS}


def _episodes(
    time_s: NDArray[np.float64], rng: np.random.Generator, centres_s: tuple[float, ...], width_s: float
) -> NDArray[np.float64]:
    drive = np.full_like(time_s, 0.08)
    for centre_s in centres_s:
        at = centre_s + rng.uniform(-1.5, 1.5)
        drive += rng.uniform(0.75, 1.0) * np.exp(-0.5 * ((time_s - at) / width_s) ** 2)
    return drive


def _build_up(
    time_s: NDArray[np.float64], rng: np.random.Generator, middle_s: float, width_s: float
) -> NDArray[np.float64]:
    at = middle_s + rng.uniform(-2.0, 2.0)
    return 0.05 + 0.9 / (1.0 + np.exp(-(time_s - at) / width_s))


def _swell(time_s: NDArray[np.float64], rng: np.random.Generator, period_s: float) -> NDArray[np.float64]:
    phase = rng.uniform(0.0, 2.0 * np.pi)
    return 0.55 + 0.35 * np.sin(2.0 * np.pi * time_s / period_s + phase)
