"""How far a source's clock has run away from this host's, from the lags of its chunks. Owns no clock.

The lag of a chunk is its arrival less its last stamp: a reference that stays, plus what the source's clock
has run away since the start, plus noise. Of the lags of a block two values are followed: the least, which
delays can hardly move, and the middle one, which stamps that jitter move less. They share the drift but not
the reference. With the state

    x = (reference of the least, reference of the middle, offset c, drift d)

the model is c(t + dt) = c(t) + d dt with d a slow random walk, and each block measures reference + c with the
noise that is seen in its statistic; the Kalman filter is then the least-squares estimate. It starts from what
is known: c = 0 with certainty, since later stamps have to agree with those of the start, and d = 0 with the
spread of real devices. Early estimates are pulled to 0 by as much as they are uncertain, so they need no test
of significance.

References
----------
Anderson and Moore (1979), Optimal Filtering. Huber (1964), Robust estimation of a location parameter, Annals
of Mathematical Statistics 35: a block far off moves the estimate like one three standard deviations off.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRIFT_SD = 300e-6
"""Spread of the drift of real devices: crystals of some 50 ppm, cheap ones and rates that are not quite true.

The more is believed, the sooner a drift of 500 ppm is followed and the more a steady clock is misread.
"""

WALK_SD = 1e-6
"""How far the drift itself wanders in a second, by the warmth of the device: 8 ppm in a minute."""

UNKNOWN_S = 10.0
"""Spread of a reference before it was seen."""

MIN_BLOCKS = 8
NOISE_BLOCKS = 30
MIN_NOISE_S = 2e-4
"""The noise is that of the last 30 blocks; 8 are needed to know it."""

CLIPPED_AT = 3.0

MIN_OFFSET_S = 0.003
"""Stamps are left as they are until the clock has run away by this much."""

MAX_DRIFT = 3e-3
"""A steady trend above 3000 ppm is a reader that falls behind, not a clock."""

_LEAST, _MIDDLE, _OFFSET, _DRIFT = range(4)


@dataclass(frozen=True, slots=True)
class LagBlock:
    """The lags of about a second: when, the least and the middle one, all in seconds."""

    time_s: float
    least_s: float
    middle_s: float


class ClockDrift:
    """What is to be added to the stamps of a source so that they go on as they began."""

    def __init__(self) -> None:
        self._state = np.zeros(4)
        self._variance = np.diag([0.0, 0.0, 0.0, DRIFT_SD**2])
        self._time_s = math.nan
        self._recent: deque[LagBlock] = deque(maxlen=NOISE_BLOCKS)
        self._n_waiting = 0
        self._applies = False
        self._forget_references()

    def add(self, block: LagBlock) -> None:
        """Take a finished block, later than all before."""
        if math.isnan(self._time_s):
            self._time_s = block.time_s
        self._recent.append(block)
        self._n_waiting += 1
        if len(self._recent) < MIN_BLOCKS or self._is_backlog():
            return
        noise = self._noise_s()
        for waiting in list(self._recent)[-self._n_waiting :]:
            self._update(waiting, noise)
        self._n_waiting = 0
        self._applies = self._applies or abs(self._state[_OFFSET]) >= MIN_OFFSET_S

    def at(self, time_s: float) -> float:
        """Return the seconds to add to a stamp that arrives at ``time_s``."""
        if not self._applies:
            return 0.0
        return float(self._state[_OFFSET] + self._state[_DRIFT] * (time_s - self._time_s))

    def restart(self, time_s: float) -> None:
        """Begin anew at ``time_s``, where the clock was set; how fast it goes is known already."""
        self._move_to(time_s)
        self._state[_OFFSET] = 0.0
        self._variance[_OFFSET] = self._variance[:, _OFFSET] = 0.0
        self._recent.clear()
        self._n_waiting = 0
        self._forget_references()

    def _forget_references(self) -> None:
        for row in (_LEAST, _MIDDLE):
            self._state[row] = 0.0
            self._variance[row] = self._variance[:, row] = 0.0
            self._variance[row, row] = UNKNOWN_S**2

    def _is_backlog(self) -> bool:
        """Whether the lag has a trend that no clock has."""
        newest = list(self._recent)[-MIN_BLOCKS:]
        times, lags = (
            np.array(column) for column in zip(*((b.time_s, b.least_s) for b in newest), strict=True)
        )
        spread = times - times.mean()
        slope = float(spread @ lags / (spread @ spread))
        residual = lags - lags.mean() - slope * spread
        error = math.sqrt(float(residual @ residual / (spread @ spread)) / (len(newest) - 2))
        return abs(slope) > MAX_DRIFT + CLIPPED_AT * error

    def _noise_s(self) -> tuple[float, float]:
        """Return the standard deviations of the least and the middle lag, in spite of stalls."""
        lags = np.array([(block.least_s, block.middle_s) for block in self._recent])
        steps = np.diff(lags, axis=0)
        # The median deviation of a normal distribution is 0.6745 SD; a step has twice the variance.
        sds = np.median(np.abs(steps - np.median(steps, axis=0)), axis=0) / (0.6745 * math.sqrt(2))
        least_s, middle_s = np.maximum(sds, MIN_NOISE_S).tolist()
        return least_s, middle_s

    def _move_to(self, time_s: float) -> None:
        """Let the clock run on to ``time_s``."""
        step_s = max(0.0, time_s - self._time_s)
        if not step_s > 0:  # also before the first block
            return
        transition = np.eye(4)
        transition[_OFFSET, _DRIFT] = step_s
        self._state = transition @ self._state
        self._variance = transition @ self._variance @ transition.T
        self._variance[_DRIFT, _DRIFT] += WALK_SD**2 * step_s
        self._time_s = time_s

    def _update(self, block: LagBlock, noise_s: tuple[float, float]) -> None:
        self._move_to(block.time_s)
        for row, lag_s, sd_s in zip((_LEAST, _MIDDLE), (block.least_s, block.middle_s), noise_s, strict=True):
            covariance: NDArray[np.float64] = self._variance[:, row] + self._variance[:, _OFFSET]
            total = float(covariance[row] + covariance[_OFFSET]) + sd_s**2
            limit_s = CLIPPED_AT * math.sqrt(total)
            surprise_s = lag_s - float(self._state[row] + self._state[_OFFSET])
            gain = covariance / total
            self._state = self._state + gain * min(max(surprise_s, -limit_s), limit_s)
            self._variance = self._variance - np.outer(gain, covariance)
