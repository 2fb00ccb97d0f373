"""Slow random and lagging curves at 10 Hz, from which feelings and pulses are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from rtasmr.grid import FRAME_RATE_HZ


def slow_noise(n: int, sd: float, time_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a stationary Ornstein-Uhlenbeck process at 10 Hz, shape (n,).

    Parameters
    ----------
    sd : float
        Standard deviation.
    time_s : float
        Time after which the correlation has fallen to 1/e, in seconds.
    """
    decay = np.exp(-1.0 / (FRAME_RATE_HZ * time_s))
    innovation = sd * np.sqrt(1.0 - decay**2) * rng.standard_normal(n)
    innovation[0] = sd * rng.standard_normal()
    return np.asarray(lfilter([1.0], [1.0, -decay], innovation))


def smoothed(values: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
    """Return a 10 Hz curve through a first-order lag that rests on its first value, shape (n,).

    Parameters
    ----------
    time_s : float
        Time constant in seconds.
    """
    decay = np.exp(-1.0 / (FRAME_RATE_HZ * time_s))
    followed, _ = lfilter([1.0 - decay], [1.0, -decay], values, zi=[decay * values[0]])
    return np.asarray(followed)
