"""The pulse of a live run: followed from stream to stream for window, recording and account."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.pulse_monitor import PulseMonitor, trouble_bits
from rtasmr.pulse_quality import PulseReading
from rtasmr.snapshot import PulseState
from rtasmr.types import Chunk

KEPT_READINGS = 36_000
"""Readings behind the account's medians: ten hours."""

STALE_S = 3.0
"""Session time after which a reading, due once a second, is out of date; bursts may hold it back longer."""


class PulseWatch:
    """Reads the pulse while there is one.

    Attributes
    ----------
    state : PulseState or None
        The newest reading; None without a pulse stream.
    """

    def __init__(self) -> None:
        self._monitor: PulseMonitor | None = None
        self._stale_s = STALE_S
        self._n_good = 0
        self._troubles: Counter[str] = Counter()
        self._rates: deque[float] = deque(maxlen=KEPT_READINGS)
        self._qualities: deque[float] = deque(maxlen=KEPT_READINGS)
        self._n_readings = 0
        self.state: PulseState | None = None

    def join(self, sfreq: float, burst_s: float = 0.0) -> None:
        """Begin with a stream of this rate in Hz and this length of its bursts, new or back."""
        self._monitor = PulseMonitor(sfreq)
        self._stale_s = STALE_S + burst_s

    def leave(self) -> None:
        """Note that the stream is gone: what it said last holds no more."""
        self._monitor = self.state = None

    def expire(self, now_s: float) -> None:
        """Drop a reading that nothing has followed: a stream that says nothing has no pulse to show."""
        if self.state is not None and now_s - self.state.time_s > self._stale_s:
            self.state = None

    def push(self, chunk: Chunk) -> list[PulseReading]:
        """Take samples of the pulse stream and return the readings that fell due."""
        if self._monitor is None:
            return []
        readings = self._monitor.push(chunk.times, chunk.data[:, 0])
        for reading in readings:
            self._count(reading)
        return readings

    def _count(self, reading: PulseReading) -> None:
        self._n_readings += 1
        self._n_good += not reading.troubles
        self._troubles.update(trouble.value for trouble in reading.troubles)
        self._rates.append(reading.rate_bpm)
        self._qualities.append(reading.quality)
        self.state = PulseState(
            time_s=reading.time_s,
            rate_bpm=reading.rate_bpm,
            quality=reading.quality,
            troubles=tuple(trouble.value for trouble in reading.troubles),
            beats=tuple(reading.beats.tolist()),
        )

    def account(self) -> dict[str, Any] | None:
        """Return what the run's readings add up to; None if there was no pulse."""
        if self._n_readings == 0:
            return None
        return {
            "readings": self._n_readings,
            "good": self._n_good,
            "rate_bpm": _median(self._rates),
            "quality": _median(self._qualities),
            "troubles": dict(self._troubles),
        }


def pulse_rows(readings: list[PulseReading]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return stamps (n_readings,) and samples (n_readings, 3) for the stream ``rtasmr-pulse``."""
    rows = [(reading.rate_bpm, reading.quality, trouble_bits(reading)) for reading in readings]
    return np.array([reading.time_s for reading in readings]), np.array(rows, dtype=np.float32)


def _median(values: deque[float]) -> float | None:
    known = np.array(values)
    known = known[np.isfinite(known)]
    return round(float(np.median(known)), 2) if len(known) else None
