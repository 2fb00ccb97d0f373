"""A source's clock against this host's: jumps are undone at once, drift is followed.

A stamp can be judged by when it arrives. The *lag* of a chunk is its arrival less its last stamp; how
small it gets, its floor, moves only with the clocks: delays can but add to it. Owns no clock: the
arrival is an argument.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.clockdrift import ClockDrift, LagBlock

MIN_JUMP_S = 0.5
"""Leaps of the stamps below are the buffers' business: a loss, jitter or a late packet."""

MAX_LEAD_S = 0.5
MAX_START_LAG_S = 5.0
"""A first stamp further in the future, or in the past, comes from another clock than this host's."""

MAX_MARKER_LAG_S = 30.0
"""Markers may be sent late, or ahead, on purpose; a stamp further off comes from another clock."""

CONTINUITY_S = 0.1
"""If the samples went on within this across a jump, none was lost: the arrival cannot tell finer."""

BLOCK_S = 1.0
FLOOR_BLOCKS = 30
"""Blocks behind a floor: longer than a backlog, in which everything is late, takes to clear."""


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A source's clock was set: its stamps leapt by ``shift_s`` seconds against this host's clock."""

    shift_s: float


class ClockWatch:
    """Corrects the stamps of one stream.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz on the LSL clock; 0 for an irregular stream.
    burst_s : float
        Longest time between two deliveries that the source declares, in seconds.
    follow_drift : bool
        Whether the source's clock may drift against this host's. False for a source that keeps its
        stamps on the LSL clock itself: then a trend of the lag says something about delays only.
    is_marker : bool
        Events, stamped when they happened: only another clock altogether can be told.
    """

    def __init__(
        self, sfreq: float, burst_s: float = 0.0, *, follow_drift: bool = False, is_marker: bool = False
    ) -> None:
        self._period_s = 1.0 / sfreq if sfreq > 0 else 0.0
        self._max_start_lag_s = MAX_MARKER_LAG_S if is_marker else MAX_START_LAG_S + 1.5 * burst_s
        self._max_lead_s = MAX_MARKER_LAG_S if is_marker else MAX_LEAD_S
        self._is_marker = is_marker
        self._offset_s = 0.0
        self._last = math.nan
        self._floor = _Floor(max(BLOCK_S, 1.5 * burst_s))
        self._drift = ClockDrift() if follow_drift and not is_marker else None

    def correct(
        self, times: NDArray[np.float64], arrival_s: float
    ) -> tuple[NDArray[np.float64], list[ClockJump]]:
        """Return the stamps on this host's clock, and the jumps found among them.

        Parameters
        ----------
        times : ndarray of shape (n_samples,), float64
            Finite stamps in seconds, in the order in which the samples came.
        arrival_s : float
            This host's LSL clock when they came, in seconds.
        """
        corrected = np.empty_like(times)
        jumps: list[ClockJump] = []
        steps = np.diff(times, prepend=self._last) - self._period_s
        leaps = np.flatnonzero(~(np.abs(steps) < MIN_JUMP_S))  # the first sample ever counts as one
        edges = [0, *leaps[leaps > 0].tolist(), len(times)]
        for start, stop in itertools.pairwise(edges):
            run = times[start:stop]
            leap_s = float(steps[start])
            if self._is_off(leap_s, arrival_s - (float(run[-1]) + self._offset_s)):
                jumps.append(self._jump(run, leap_s, arrival_s))
            corrected[start:stop] = run + self._offset_s
        self._last = float(times[-1])
        corrected += self._observe(float(corrected[-1]), arrival_s)
        return corrected, jumps

    def _is_off(self, leap_s: float, lag_s: float) -> bool:
        """Whether a run that begins with a leap of its stamps needs another offset."""
        if self._is_marker or math.isnan(leap_s):
            return not -self._max_lead_s <= lag_s <= self._max_start_lag_s
        if leap_s <= -MIN_JUMP_S:
            return True  # time does not run backwards
        # After a loss the stamps leap with the time that has passed: only ones from the future betray
        # a clock that was set.
        expected_s = self._floor.value if self._floor.is_known else min(self._floor.value, 0.0)
        return leap_s >= MIN_JUMP_S and lag_s < expected_s - MIN_JUMP_S / 2

    def _jump(self, run: NDArray[np.float64], leap_s: float, arrival_s: float) -> ClockJump:
        is_first = self._is_marker or math.isnan(self._floor.value)
        floor_s = 0.0 if is_first else self._floor.value
        offset_s = arrival_s - floor_s - float(run[-1])
        unbroken_s = self._offset_s - leap_s
        if self._period_s and abs(unbroken_s - offset_s) <= CONTINUITY_S:
            offset_s = unbroken_s
        jump = ClockJump(self._offset_s - offset_s)
        self._offset_s = offset_s
        self._floor = _Floor(self._floor.block_s)
        if self._drift is not None:
            self._offset_s += self._drift.at(arrival_s)
            self._drift.restart(arrival_s)
        return jump

    def _observe(self, last: float, arrival_s: float) -> float:
        """Note the lag of a chunk; return what drift adds to its stamps."""
        block = self._floor.add(arrival_s, arrival_s - last)
        if self._drift is None:
            return 0.0
        if block is not None:
            self._drift.add(block)
        return self._drift.at(arrival_s)


class _Floor:
    """The smallest lag of the block that runs and of those before it."""

    def __init__(self, block_s: float) -> None:
        self.block_s = block_s
        self._began = math.nan
        self._least = math.nan
        self._lags: list[float] = []  # of the block that runs
        self._before: deque[float] = deque(maxlen=FLOOR_BLOCKS)

    @property
    def is_known(self) -> bool:
        """Whether a whole block was seen: what waited for the first pull is later than anything after."""
        return bool(self._before)

    @property
    def value(self) -> float:
        """Seconds; NaN before the first lag."""
        return min((lag for lag in (*self._before, self._least) if not math.isnan(lag)), default=math.nan)

    def add(self, arrival_s: float, lag_s: float) -> LagBlock | None:
        """Take one lag; return the block that it finishes, or None."""
        finished = None
        if math.isnan(self._began):
            self._began = arrival_s
        elif arrival_s - self._began >= self.block_s:
            middle_s = (self._began + arrival_s) / 2
            finished = LagBlock(middle_s, self._least, statistics.median(self._lags))
            self._before.append(self._least)
            self._least, self._began = math.nan, arrival_s
            self._lags.clear()
        if not lag_s >= self._least:
            self._least = lag_s
        self._lags.append(lag_s)
        return finished
