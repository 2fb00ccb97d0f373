"""The pulse of a stream, read once a second whatever the pieces it comes in."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from rtasmr.pulse_quality import RATE_WINDOW_S, PulseReading, read_pulse
from rtasmr.types import Trouble

USUAL_READINGS = 30
"""Good readings behind the usual height of the wave: half a minute."""
_MIN_USUAL = 3

MIN_SET_BACK_S = 0.5
"""Stamps that go back by less are late samples, or a drift that was corrected, and no clock set anew."""


class PulseMonitor:
    """Reads the last 10 s of a pulse stream at every whole second of its stamps.

    A reading is due when the first sample at or after its second has come, and sees the samples before
    that second only: it depends on no later sample and on no division into chunks. A stream that says
    nothing gives no reading.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz.
    """

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        # Twice what a window holds: only stamps that stand still can fill it.
        self._max_samples = 2 * math.ceil(RATE_WINDOW_S * sfreq) + 1000
        self._forget()

    def _forget(self) -> None:
        self._parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._n_samples = 0
        self._last_s = -math.inf
        self._due_s = math.nan
        self._has_dropped = False
        self._heights: deque[float] = deque(maxlen=USUAL_READINGS)

    def push(self, times: NDArray[np.float64], values: NDArray[np.floating]) -> list[PulseReading]:
        """Take consecutive samples and return the readings that fell due.

        Parameters
        ----------
        times : ndarray of shape (n_samples,), float64
            Stamps in seconds. Where they go back by 0.5 s, the clock was set anew, and all before is
            forgotten; a sample that is late by less is left out.
        values : ndarray of shape (n_samples,)
            Not finite where a sample is lost.
        """
        stamped = np.isfinite(times)
        times, wave = times[stamped], values[stamped].astype(np.float64)
        readings: list[PulseReading] = []
        while len(times):
            newest = np.maximum.accumulate(np.append(self._last_s, times[:-1]))
            set_back = np.flatnonzero(times <= newest - MIN_SET_BACK_S)
            stop = int(set_back[0]) if len(set_back) else len(times)
            in_order = times[:stop] >= newest[:stop]
            readings += self._push_ascending(times[:stop][in_order], wave[:stop][in_order])
            times, wave = times[stop:], wave[stop:]
            if len(times):
                self._forget()
        return readings

    def _push_ascending(self, times: NDArray[np.float64], values: NDArray[np.float64]) -> list[PulseReading]:
        if len(times) == 0:
            return []
        if self._n_samples > self._max_samples:
            self._forget()
        self._last_s = float(times[-1])
        if math.isnan(self._due_s):
            self._due_s = math.floor(times[0]) + 1.0
        readings = []
        while len(times) and times[-1] >= self._due_s:
            n_before = int(np.searchsorted(times, self._due_s))
            self._keep(times[:n_before], values[:n_before])
            times, values = times[n_before:], values[n_before:]
            readings.append(self._read())
            self._due_s = math.floor(times[0]) + 1.0
        self._keep(times, values)
        return readings

    def _keep(self, times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        self._parts.append((times, values))
        self._n_samples += len(times)

    def _window(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the samples of the window that is due; older ones are dropped."""
        times, values = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        first = int(np.searchsorted(times, self._due_s - RATE_WINDOW_S))
        self._has_dropped |= first > 0
        self._parts, self._n_samples = [(times[first:], values[first:])], len(times) - first
        return self._parts[0]

    def _read(self) -> PulseReading:
        times, values = self._window()
        is_good = np.isfinite(values)
        usual = float(np.median(self._heights)) if len(self._heights) >= _MIN_USUAL else math.nan
        reading = read_pulse(
            times[is_good],
            values[is_good],
            self._sfreq,
            self._due_s,
            usual,
            lost=self._has_dropped or not is_good.all(),
        )
        if not reading.troubles:
            self._heights.append(reading.height)
        return reading


def trouble_bits(reading: PulseReading) -> int:
    """Return the troubles of a reading as bits, bit ``i`` for the ``i``-th `Trouble`."""
    return sum(1 << bit for bit, trouble in enumerate(Trouble) if trouble in reading.troubles)
