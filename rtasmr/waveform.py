"""The last seconds of the pulse wave, thinned for drawing."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

SHOWN_S = 10.0
MAX_POINTS_PER_S = 60
GAP_S = 0.1


class Waveform:
    """Every n-th sample of a pulse stream, with a NaN where samples are missing.

    Thinning without a filter is for the eye only; nothing is computed from these points.
    """

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque(maxlen=int(SHOWN_S * MAX_POINTS_PER_S) + 64)
        self._next_time = -math.inf

    def push(self, times: NDArray[np.float64], values: NDArray[np.floating]) -> None:
        """Take consecutive samples: times of shape (n,) in seconds, values of shape (n,)."""
        for time_s, value in zip(times.tolist(), values.tolist(), strict=True):
            if time_s < self._next_time:
                continue
            if self._points and time_s - self._points[-1][0] > GAP_S + 1 / MAX_POINTS_PER_S:
                self._points.append((time_s, math.nan))
            self._points.append((time_s, float(value)))
            self._next_time = time_s + 1 / MAX_POINTS_PER_S

    def points(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return times and values of the last 10 s."""
        if not self._points:
            return (), ()
        newest = self._points[-1][0]
        shown = [p for p in self._points if p[0] > newest - SHOWN_S]
        times, values = zip(*shown, strict=True)
        return times, values
