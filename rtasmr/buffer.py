"""Bounded buffers of one stream: regular samples on their own grid, and images by presentation time.

A regular stream is kept as *stretches*: runs of samples at ``t_first + i / sfreq``. A new stretch
begins where a stamp leaves the current one, after a loss or where the source opened a new sample
grid. Every sample keeps an absolute index that grows with time, so a lost sample is an index that
nothing was stored under.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rtasmr.grid import ON_TICK_TOLERANCE_S, sample_index

EXACT_STAMP_TOLERANCE = 0.1
"""Deviation, in sample periods, up to which an exact stamp belongs to the current stretch.

liblsl deduces the stamps inside a chunk by repeated addition; over a second of sound that rounds by
0.03 of a sample period.
"""


STAMP_MEMORY_S = 5.0
"""Seconds over which stamps that jitter are averaged.

A clock off by 500 ppm is followed 2.5 ms late; jitter of 20 ms on chunks of 50 ms leaves about 2 ms.
"""


JITTER_SDS = 6.0
MIN_JITTER_S = 0.010
"""A deviation counts as a loss from six standard deviations of the jitter seen, 10 ms at least."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of samples on one grid: sample ``first_index`` lies at ``t_first`` seconds."""

    first_index: int
    t_first: float


class RegularBuffer:
    """The newest samples of one regular channel, with known losses.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz on the session clock.
    dtype : dtype
        Type of a sample.
    capacity_s : float
        Seconds kept; older samples are forgotten.
    stamp_tolerance_s : float
        Deviation of a stamp from its place on the grid up to which the run goes on. 0 for a source
        whose stamps are exact. For others samples are counted and the grid follows the stamps slowly
        (`STAMP_MEMORY_S`): jitter averages out, and a clock that drifts is followed. Once the jitter
        is known, it sets the tolerance, and this is its upper bound.

    Attributes
    ----------
    n_lost : int
        Samples known to be lost.
    n_rejected : int
        Samples refused because their stamps lie before data already here.
    """

    def __init__(
        self, sfreq: float, dtype: DTypeLike, capacity_s: float, stamp_tolerance_s: float = 0.0
    ) -> None:
        self.sfreq = sfreq
        self._capacity = max(2, round(capacity_s * sfreq))
        self._data: NDArray[Any] = np.zeros(self._capacity, dtype=dtype)
        self._present = np.zeros(self._capacity, dtype=bool)
        self._tolerance = max(EXACT_STAMP_TOLERANCE, stamp_tolerance_s * sfreq)
        self._max_tolerance = self._tolerance
        self._follows = stamp_tolerance_s > 0
        self._n_followed = 0
        self._jitter = 0.0
        self._stretches: deque[Stretch] = deque()
        self._next_index = 0
        self.n_lost = 0
        self.n_rejected = 0

    @property
    def is_empty(self) -> bool:
        """Whether no sample has arrived."""
        return not self._stretches

    @property
    def first_time(self) -> float:
        """Stamp of the oldest known stretch's first sample, in seconds."""
        return self._stretches[0].t_first

    @property
    def newest_time(self) -> float:
        """Stamp of the newest sample, in seconds."""
        return self.time_of(self._next_index - 1)

    @property
    def capacity(self) -> int:
        """Samples kept."""
        return self._capacity

    @property
    def next_index(self) -> int:
        """Index after the newest sample."""
        return self._next_index

    def push(self, times: NDArray[np.float64], data: NDArray[Any]) -> None:
        """Add consecutive samples.

        Parameters
        ----------
        times : ndarray of shape (n_samples,), float64
            Stamps in seconds on the session clock.
        data : ndarray of shape (n_samples,)
        """
        start = 0
        while start < len(times):
            if not self._stretches:
                self._stretches.append(Stretch(0, float(times[start])))
            stretch = self._stretches[-1]
            places = stretch.first_index + (times[start:] - stretch.t_first) * self.sfreq
            expected = self._next_index + np.arange(len(places))
            off = np.abs(places - expected) > self._tolerance
            n_run = int(np.argmax(off)) if off.any() else len(places)
            if n_run:
                if self._follows:
                    self._follow(float(np.mean(places[:n_run] - expected[:n_run])), n_run)
                self._store(data[start : start + n_run])
                start += n_run
            if start < len(times):
                start = self._open_stretch(times, start)

    def _follow(self, ahead: float, n_run: int) -> None:
        """Shift the newest stretch towards stamps that lie ``ahead`` samples past their places."""
        self._n_followed += n_run
        memory = min(self._n_followed, STAMP_MEMORY_S * self.sfreq)
        weight = n_run / memory
        stretch = self._stretches[-1]
        shift_s = weight * ahead / self.sfreq
        self._stretches[-1] = Stretch(stretch.first_index, stretch.t_first + shift_s)
        self._jitter += weight * (ahead * ahead - self._jitter)
        if self._n_followed >= self.sfreq * STAMP_MEMORY_S / 2:
            # Stamps that have proven regular reveal a short loss; ones that jitter must not feign any.
            seen = JITTER_SDS * math.sqrt(self._jitter)
            self._tolerance = min(max(seen, MIN_JITTER_S * self.sfreq, 1.0), self._max_tolerance)

    def _open_stretch(self, times: NDArray[np.float64], start: int) -> int:
        """Begin a stretch at sample ``start`` of a chunk; return the first sample that belongs to it."""
        stretch = self._stretches[-1]
        place = stretch.first_index + (float(times[start]) - stretch.t_first) * self.sfreq
        # Half a sample of phase step may fall either way; anything further back is old data again.
        if place < self._next_index - 0.5 - self._tolerance:
            limit = self.time_of(self._next_index) - 0.5 / self.sfreq
            accepted = np.nonzero(times[start:] >= limit)[0]
            n_old = int(accepted[0]) if len(accepted) else len(times) - start
            self.n_rejected += n_old
            start += n_old
            if start >= len(times):
                return start
            place = stretch.first_index + (float(times[start]) - stretch.t_first) * self.sfreq
        index = max(self._next_index, round(place))
        self._mark_lost(index - self._next_index)
        self._stretches.append(Stretch(index, float(times[start])))
        self._n_followed = 0
        self._tolerance = self._max_tolerance
        self._forget()
        return start

    def _mark_lost(self, n_samples: int) -> None:
        n_slots = min(n_samples, self._capacity)
        slots = (self._next_index + n_samples - n_slots + np.arange(n_slots)) % self._capacity
        self._present[slots] = False
        self._next_index += n_samples
        self.n_lost += n_samples

    def _store(self, data: NDArray[Any]) -> None:
        kept = data[-self._capacity :]
        first = self._next_index + len(data) - len(kept)
        slots = (first + np.arange(len(kept))) % self._capacity
        self._data[slots] = kept
        self._present[slots] = True
        self._next_index += len(data)

    def _forget(self) -> None:
        oldest = self._next_index - self._capacity
        while len(self._stretches) > 1 and self._stretches[1].first_index <= oldest:
            self._stretches.popleft()

    def time_of(self, index: int) -> float:
        """Return the time of sample ``index`` in seconds, on the stretch it belongs to."""
        stretch = next((s for s in reversed(self._stretches) if s.first_index <= index), self._stretches[0])
        return stretch.t_first + (index - stretch.first_index) / self.sfreq

    def index_at(self, time_s: float) -> int:
        """Return the index of the sample that a tick at ``time_s`` seconds picks."""
        for stretch in reversed(self._stretches):
            if stretch.t_first <= time_s + 0.5 / self.sfreq:
                break
        else:
            stretch = self._stretches[0]
        return stretch.first_index + sample_index(time_s, stretch.t_first, self.sfreq)

    def read(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return samples ``start`` to ``stop`` - 1 and whether each is here.

        Returns
        -------
        data : ndarray of shape (stop - start,)
            Undefined where not present.
        present : ndarray of shape (stop - start,), bool
            False for lost, forgotten and not yet arrived samples.
        """
        indices = np.arange(start, stop)
        slots = indices % self._capacity
        known = (indices >= max(0, self._next_index - self._capacity)) & (indices < self._next_index)
        return self._data[slots], self._present[slots] & known


class PictureBuffer:
    """The newest images of one stream, by presentation time.

    Parameters
    ----------
    n_kept : int
        Images kept beyond the one shown last, for ticks that a late marker brings.
    capacity : int
        Most images here while those that wait for their ticks are more.

    Attributes
    ----------
    n_rejected : int
        Images refused because they are older than the newest one here.
    n_lost : int
        Images forgotten while ticks that show them were still to come.
    """

    def __init__(self, n_kept: int, capacity: int) -> None:
        self._pictures: deque[tuple[float, NDArray[np.uint8]]] = deque()
        self._n_kept = n_kept
        self._capacity = capacity
        self._shown_s = np.inf  # no tick has asked yet: nothing waits
        self.n_rejected = 0
        self.n_lost = 0

    @property
    def is_empty(self) -> bool:
        """Whether no image has arrived."""
        return not self._pictures

    @property
    def first_time(self) -> float:
        """Presentation time of the oldest image here, in seconds."""
        return self._pictures[0][0]

    @property
    def newest_time(self) -> float:
        """Presentation time of the newest image, in seconds."""
        return self._pictures[-1][0]

    def push(self, times: NDArray[np.float64], pictures: NDArray[np.uint8]) -> None:
        """Add images of shape (n, height, width, 3) with times of shape (n,)."""
        for time_s, picture in zip(times, pictures, strict=True):
            if self._pictures and time_s < self._pictures[-1][0]:
                self.n_rejected += 1
                continue
            self._pictures.append((float(time_s), picture))
            if len(self._pictures) > self._capacity:
                # What the next image follows at or before the tick is superseded, not lost.
                self.n_lost += self._pictures[1][0] > self._shown_s
                self._pictures.popleft()
            while len(self._pictures) > self._n_kept and self._pictures[1][0] <= self._shown_s:
                self._pictures.popleft()

    def newest_at(self, time_s: float) -> tuple[float, NDArray[np.uint8]] | None:
        """Return the newest image shown at ``time_s`` with its time, or None."""
        limit = time_s + ON_TICK_TOLERANCE_S
        self._shown_s = limit
        return next((item for item in reversed(self._pictures) if item[0] <= limit), None)
