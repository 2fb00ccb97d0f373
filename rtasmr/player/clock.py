"""The master clock of a viewing: when each moment of the stimulus leaves the sound card.

Positions are seconds of sound since the card began, times are seconds on the LSL clock. Pure: what
was observed and what time it is are arguments.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MEMORY_S = 30.0
"""Seconds of observations behind the line: sound servers report times that wander by 2 ms in seconds."""

STEADY_S = 1.0
"""Seconds of observations from which the line may be relied on."""

REFIT_S = 0.25

MAX_DEVIATION_S = 0.005
NOISE_SDS = 6.0
"""An observation this far from the line (or this many times the noise, if that is more) is no jitter."""

DOUBT_S = 0.5
STEP_S = 0.3
STEP_SPREAD_S = 0.005
"""When most of the last `DOUBT_S` in doubt agree to `STEP_SPREAD_S` over `STEP_S`, the card has paused."""

RATE_PRIOR_SD = 200e-6
"""Crystals are off by up to some 100 ppm; keeps the first seconds from inventing a rate."""

MIN_NOISE_S = 1e-5
HUBER_SDS = 1.5


@dataclass(frozen=True, slots=True)
class ClockLine:
    """Position ``position_s`` leaves at ``time_s``; one second of sound takes ``rate`` seconds."""

    position_s: float
    time_s: float
    rate: float = 1.0

    def time_of(self, position_s: float) -> float:
        """Return the LSL time in seconds at which a position leaves."""
        return self.time_s + (position_s - self.position_s) * self.rate

    def position_at(self, time_s: float) -> float:
        """Return the position in seconds that leaves at an LSL time."""
        return self.position_s + (time_s - self.time_s) / self.rate


class SoundClock:
    """A line through what a sound card says about itself.

    Each observation is a position and the LSL time at which the card says it will leave. The line is
    a robust fit (Huber weights, a prior on the rate) to the last `MEMORY_S` seconds. Single
    observations far off are left out; when they persist, the card has paused, and the line starts
    anew from them.

    Attributes
    ----------
    n_steps : int
        How often the line has started anew.
    """

    def __init__(self) -> None:
        self._points: deque[tuple[float, float]] = deque()
        self._outliers: deque[tuple[float, float]] = deque()
        self._line: ClockLine | None = None
        self._noise_s = 0.0
        self._fitted_s = 0.0
        self.n_steps = 0

    @property
    def line(self) -> ClockLine | None:
        """The line as of the last observations; None before there are enough."""
        return self._line

    @property
    def is_steady(self) -> bool:
        """Whether the line rests on enough observations to be relied on."""
        return self._line is not None and self._points[-1][0] - self._points[0][0] >= STEADY_S

    @property
    def in_doubt(self) -> bool:
        """Whether the last observation was far from the line: jitter, or the card has paused."""
        return bool(self._outliers)

    @property
    def noise_s(self) -> float:
        """Standard deviation of the observations around the line, in seconds."""
        return self._noise_s

    def observe(self, position_s: float, time_s: float) -> None:
        """Take one observation; positions must not fall."""
        limit_s = max(MAX_DEVIATION_S, NOISE_SDS * self._noise_s)
        if self._line is None or abs(time_s - self._line.time_of(position_s)) > limit_s:
            self._doubt(position_s, time_s)
            return
        self._outliers.clear()
        self._points.append((position_s, time_s))
        while position_s - self._points[0][0] > MEMORY_S:
            self._points.popleft()
        if position_s - self._fitted_s >= REFIT_S:
            self._fit()

    def _doubt(self, position_s: float, time_s: float) -> None:
        """Keep an observation that does not fit, and change sides when enough of them agree."""
        self._outliers.append((position_s, time_s))
        while position_s - self._outliers[0][0] > DOUBT_S:
            self._outliers.popleft()
        leads = np.array([time - position for position, time in self._outliers])
        agree = np.abs(leads - np.median(leads)) <= STEP_SPREAD_S
        points = [point for point, fits in zip(self._outliers, agree, strict=True) if fits]
        if 2 * len(points) > len(leads) and points[-1][0] - points[0][0] >= STEP_S:
            self.n_steps += self._line is not None
            self._points = deque(points)
            self._outliers.clear()
            self._fit()

    def _fit(self) -> None:
        points = np.array(self._points)
        positions, times = points[:, 0], points[:, 1]
        middle_s = float(positions.mean())
        x = positions - middle_s
        # What is left of the time when every second takes a second; small numbers keep precision.
        lead = times - positions
        offset, slope = float(np.median(lead)), 0.0
        for _ in range(3):
            residuals = lead - offset - slope * x
            noise_s = max(1.4826 * float(np.median(np.abs(residuals))), MIN_NOISE_S)
            offset, slope = _weighted_line(x, lead, _huber_weights(residuals, noise_s), noise_s)
        self._noise_s = noise_s
        self._fitted_s = float(positions[-1])
        self._line = ClockLine(middle_s, middle_s + offset, 1.0 + slope)


def _huber_weights(residuals: NDArray[np.float64], noise_s: float) -> NDArray[np.float64]:
    """Weights that let large residuals count by their sign only."""
    limit = HUBER_SDS * noise_s
    weights: NDArray[np.float64] = limit / np.maximum(np.abs(residuals), limit)
    return weights


def _weighted_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64], noise_s: float
) -> tuple[float, float]:
    """Return offset at ``x = 0`` and slope; the slope has a normal prior around 0."""
    total = weights.sum()
    mean_x, mean_y = (weights @ x) / total, (weights @ y) / total
    spread = weights @ (x - mean_x) ** 2 + (noise_s / RATE_PRIOR_SD) ** 2
    slope = float((weights * (x - mean_x)) @ (y - mean_y) / spread)
    return float(mean_y - slope * mean_x), slope
