"""Time stamps of a live device: its sample counter laid on the LSL clock by a robust fit to arrivals.

An arrival is late by a delay that is never negative: a transfer that waits for its burst, a busy radio, a
host that was asleep. The samples therefore lie on the *lower envelope* of arrival against index, whose
slope is the device's true rate. The envelope is fitted over the last minute, and the published stamps
approach it without a step, so that every sample of a stretch keeps its place on the grid to a small
fraction of a period. No clock here: arrivals are arguments.

The least of ``n`` delays is not 0 either. Were they exponential with mean ``m``, the true line would lie
below all of them by an amount that is, given the delays and its slope, exponential with mean ``m / n``. Of
stamps that are late there is a long tail, while they are early by no more than the line is lowered: it is
lowered by twice that mean, but by half at most of what streams may be misaligned by.

The likelihood of a slope is ``exp(n c / m)``, ``c`` being the height in the middle of the line of that slope
that touches the arrivals from below. With the spread of real clocks as prior it gives the mean slope, and the
mean line: a few late bursts move it by as much as they are worth. Where hardly a doubt is left, or the rate
is off by more than a clock is, the line is the edge of the lower convex hull that is in the middle.

References
----------
Moon, Skelly and Towsley (1999), Estimation and removal of clock skew from network delay measurements,
IEEE INFOCOM: the line below all points that minimises the sum of the delays.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.sources.device import Reading

MEMORY_S = 60.0
"""Seconds of arrivals behind the fit."""

BLOCK_S = 0.5
"""Of the arrivals of this many seconds the one with the least delay is kept, which bounds the memory."""

SLOPE_SPAN_S = 3.0
SLOPE_SPAN_BURSTS = 20.0
"""Before the arrivals span this many seconds, and bursts, no rate is believed that no clock has."""

CLOCK_SPREAD = 150e-6
CLOCK_STEP = 25e-6
CLOCK_SLOPES = np.arange(-60, 61) * CLOCK_STEP
"""Half of all devices are taken to be off by less than the spread, few by much more (a Cauchy distribution);
and the slopes that are weighed against each other."""

MIN_DELAYS = 4
"""Before there are this many blocks nothing is known of how delays vary."""

MEDIAN_DELAYS = 1.86
"""Medians of the delays that ``m`` is: 1.44 were they exponential, 1.86 for half a normal distribution, whose
least ones are spread like those of an exponential with that mean. A stall does not move the median."""

MAX_LOWERED_S = 0.005
"""Half of what streams may be misaligned by."""

MIN_LEAST_DELAY_S = 1e-7
"""Arrivals are not known better: clocks tick in microseconds."""

MAX_SLOPE = 0.1
"""Largest believable deviation of the true rate from the nominal one."""

SETTLE_S = 0.2
SETTLE_BURSTS = 2.5
"""A stretch is held back for this many seconds, and bursts, to begin at a usable place.

It begins as late as the least of the delays seen by then makes it. More would be better for the stamps, but
a device that is lost meanwhile has sent nothing.
"""

START_ERROR_S = 0.0005
MAX_SETTLE_BURSTS = 4.5
"""While delays vary by more than this standard error of the start, up to so many bursts are waited for."""

SLEW = 0.01
SLEW_TIME_S = 1.0
"""Published stamps approach the fit with this time constant, by at most this many seconds per second."""

EARLY_S = 0.1
"""An arrival this much before its sample's time proves that the counter has jumped."""

STEP_S = 0.025
STEP_BURSTS = 0.2
STEP_SEEN_S = 2.0
STEP_SEEN_BURSTS = 3.0
"""Delays that stay above the envelope by this much for so long: samples went missing uncounted."""

SILENCE_S = 0.5
SILENCE_BURSTS = 1.5
"""After a pause of this length the place of the stretch is checked before it goes on."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Samples with their times.

    Parameters
    ----------
    times : ndarray of shape (n_samples,), float64
        LSL seconds, strictly increasing, also from one `Stamped` to the next.
    samples : ndarray of shape (n_samples, n_channels)
    """

    times: NDArray[np.float64]
    samples: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Samples whose indices increase, and when the last one arrived."""

    index: NDArray[np.int64]
    samples: NDArray[Any]
    arrival: float


class Stamper:
    """Give every sample of a regular device a time; memory is bounded.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz.
    burst_s : float
        Longest time between two deliveries of the device, in seconds.

    Attributes
    ----------
    n_lost : int
        Samples that the device's counter shows to be lost.
    n_stretches : int
        Stretches begun: one more than the breaks seen (restart of the device, uncounted loss).
    """

    def __init__(self, sfreq: float, burst_s: float = 0.0) -> None:
        self._sfreq = sfreq
        self._burst_s = burst_s
        self._settle_s = max(SETTLE_S, SETTLE_BURSTS * burst_s)
        self._max_settle_s = max(SETTLE_S, MAX_SETTLE_BURSTS * burst_s)
        self._step_s = STEP_S + STEP_BURSTS * burst_s
        self._step_seen_s = STEP_SEEN_S + STEP_SEEN_BURSTS * burst_s
        self._silence_s = max(SILENCE_S, SILENCE_BURSTS * burst_s)
        self._slope_span_s = max(SLOPE_SPAN_S, SLOPE_SPAN_BURSTS * burst_s)
        self._envelope = _Envelope(sfreq, self._slope_span_s)
        self._held: list[_Run] = []
        self._hold_from: float | None = None
        self._late_from: float | None = None
        self._next_index = 0
        self._last_arrival = -math.inf
        self._newest: tuple[int, float] | None = None
        self._last_time = -math.inf
        self.n_lost = 0
        self.n_stretches = 0

    def push(self, reading: Reading) -> Stamped | None:
        """Take a reading; return what can be stamped now, or None while a stretch settles."""
        done = [stamped for run in self._runs(reading) for stamped in self._push(run)]
        if not done:
            return None
        return Stamped(np.concatenate([s.times for s in done]), np.concatenate([s.samples for s in done]))

    def _runs(self, reading: Reading) -> Iterator[_Run]:
        """Cut a reading where its counter falls."""
        n_samples = len(reading.samples)
        if n_samples == 0:
            return
        counter = reading.counter
        index = self._next_index + np.arange(n_samples) if counter is None else counter
        falls = np.nonzero(np.diff(index) <= 0)[0] + 1
        edges = [0, *falls.tolist(), n_samples]
        for start, stop in itertools.pairwise(edges):
            yield _Run(index[start:stop], reading.samples[start:stop], reading.arrival)

    def _push(self, run: _Run) -> Iterator[Stamped]:
        last = int(run.index[-1])
        if self._envelope.is_empty or run.index[0] < self._next_index or self._is_early(last, run.arrival):
            yield from self._release()
            self._restart(run.arrival)
        elif run.arrival - self._last_arrival > self._silence_s and self._hold_from is None:
            self._hold_from = run.arrival
        self._envelope.add(last, run.arrival)
        self._next_index = last + 1
        self._last_arrival = run.arrival
        self._held.append(run)
        if self._is_displaced(run):
            self._begin_again_with_held()
        if self._hold_from is None:
            yield from self._release()
        elif self._has_settled(run.arrival - self._hold_from):
            # All that came after a pause is late: the device did not run on while it was silent.
            if all(self._is_late(held) for held in self._held):
                self._begin_again_with_held()
            self._hold_from = None
            yield from self._release()

    def _has_settled(self, held_s: float) -> bool:
        if held_s >= self._max_settle_s:
            return True
        is_known = self._burst_s == 0 or self._envelope.start_error_s <= START_ERROR_S
        return held_s >= self._settle_s and is_known

    def _is_early(self, last: int, arrival: float) -> bool:
        # The first pieces of a burst are late by up to a burst; they do not show where the stretch lies.
        unsettled_s = self._burst_s if self._newest is None else 0.0
        return self._envelope.delay(last, arrival) < -(EARLY_S + unsettled_s)

    def _is_late(self, run: _Run) -> bool:
        return self._envelope.delay(int(run.index[-1]), run.arrival) > self._step_s

    def _is_displaced(self, run: _Run) -> bool:
        """Whether delays have been above the envelope for so long that the envelope is the wrong one."""
        if not self._is_late(run) or not self._envelope.has_rate:
            self._late_from = None
            return False
        if self._late_from is None:
            self._late_from = run.arrival
        return run.arrival - self._late_from >= self._step_seen_s

    def _begin_again_with_held(self) -> None:
        held = self._held
        self._restart(held[0].arrival)
        for run in held:
            self._envelope.add(int(run.index[-1]), run.arrival)
        self._held = held

    def _restart(self, arrival: float) -> None:
        self._envelope = _Envelope(self._sfreq, self._slope_span_s)
        self._held = []
        self._hold_from = arrival
        self._late_from = None
        self._newest = None
        self.n_stretches += 1

    def _release(self) -> Iterator[Stamped]:
        held, self._held = self._held, []
        for run in held:
            yield Stamped(self._times(run.index), run.samples)

    def _times(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the stamps of consecutive samples and remember the newest."""
        first, last = int(index[0]), int(index[-1])
        if self._newest is None:
            self._newest = first - 1, max(self._envelope.time_of(first - 1), self._last_time)
        from_index, from_time = self._newest
        n_steps = last - from_index
        elapsed_s = n_steps / self._sfreq * self._envelope.period_ratio
        behind_s = self._envelope.time_of(last) - (from_time + elapsed_s)
        shift_s = behind_s * -math.expm1(-elapsed_s / SLEW_TIME_S)
        shift_s = min(max(shift_s, -SLEW * elapsed_s), SLEW * elapsed_s)
        times = from_time + (index - from_index).astype(np.float64) * ((elapsed_s + shift_s) / n_steps)
        self.n_lost += n_steps - len(index)
        self._last_time = float(times[-1])
        self._newest = last, self._last_time
        return times


class _Envelope:
    """The line below the arrivals of the last minute: LSL time of a sample index.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz.
    slope_span_s : float
        Seconds of arrivals before the true rate is fitted.
    """

    def __init__(self, sfreq: float, slope_span_s: float) -> None:
        self._sfreq = sfreq
        self._slope_span_s = slope_span_s
        # Nominal seconds since the first sample, and delay against nominal time; one point per block.
        self._points: deque[tuple[float, float]] = deque(maxlen=round(MEMORY_S / BLOCK_S))
        self._origin: tuple[int, float] | None = None
        self._block = -1
        self._at, self._offset, self._slope = 0.0, 0.0, 0.0
        self._least_delay_s = 0.0  # m / n

    @property
    def is_empty(self) -> bool:
        """Whether there is no line yet."""
        return self._origin is None

    @property
    def has_rate(self) -> bool:
        """Whether the arrivals span enough to tell the true rate."""
        return bool(self._points) and self._points[-1][0] - self._points[0][0] >= self._slope_span_s

    @property
    def period_ratio(self) -> float:
        """True sample period over the nominal one."""
        return 1 + self._slope

    @property
    def start_error_s(self) -> float:
        """Standard error of the line's place in seconds; infinite while nothing is known of the delays.

        From the mean of the delays: a stall may well have it take longer to be known.
        """
        if len(self._points) < MIN_DELAYS:
            return math.inf
        delays = [y - self._line(x) for x, y in self._points]
        return (statistics.fmean(delays) - min(delays)) / (len(delays) - 1)

    def add(self, index: int, arrival: float) -> None:
        """Take the arrival (LSL seconds) of a sample."""
        if self._origin is None:
            self._origin = index, arrival
        x, y = self._point(index, arrival)
        block = math.floor((arrival - self._origin[1]) / BLOCK_S)
        is_new = block > self._block
        if is_new:
            self._block = block
            self._points.append((x, y))
        elif y < self._points[-1][1]:
            self._points[-1] = x, y
        # Points above the line of a block that is known already change nothing worth the work.
        if is_new or y < self._line(x):
            self._fit()

    def time_of(self, index: int) -> float:
        """Return the time of a sample in LSL seconds."""
        if self._origin is None:
            raise ValueError("no arrival yet: the line is not known")
        x = (index - self._origin[0]) / self._sfreq
        return self._origin[1] + x + self._line(x) - min(2 * self._least_delay_s, MAX_LOWERED_S)

    def delay(self, index: int, arrival: float) -> float:
        """Return by how much a sample arrived after its time, in seconds."""
        return arrival - self.time_of(index)

    def _point(self, index: int, arrival: float) -> tuple[float, float]:
        if self._origin is None:
            raise ValueError("no arrival yet: the line is not known")
        x = (index - self._origin[0]) / self._sfreq
        return x, arrival - self._origin[1] - x

    def _line(self, x: float) -> float:
        return self._offset + self._slope * (x - self._at)

    def _fit(self) -> None:
        points = list(self._points)
        if len(points) < MIN_DELAYS:
            self._at, self._offset = min(points, key=lambda point: point[1])
            self._slope = 0.0
            return
        x, y = np.array(points).T
        middle = float(x.mean())
        if self.has_rate:
            self._fit_any_rate(points)
        delays = y - self._slope * (x - middle)
        # Measured from the least one, a mean of n delays is short by its n-th part.
        self._least_delay_s = MEDIAN_DELAYS * float(np.median(delays - delays.min())) / (len(points) - 1)
        self._fit_clock(middle, x - middle, y)

    def _fit_clock(self, middle: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Lay the line by the mean of all slopes that a clock may have, if it has one and which is in doubt.

        Parameters
        ----------
        middle : float
            Nominal time of the middle of the points, in seconds.
        x, y : ndarray of shape (n_points,)
            Nominal time from there, and delay, in seconds.
        """
        least = (y - CLOCK_SLOPES[:, np.newaxis] * x).min(axis=1)
        scale_s = max(self._least_delay_s, MIN_LEAST_DELAY_S)
        log_weights = least / scale_s - np.log1p((CLOCK_SLOPES / CLOCK_SPREAD) ** 2)
        weights = np.exp(log_weights - log_weights.max())
        weights /= weights.sum()
        slope = float(weights @ CLOCK_SLOPES)
        is_clock = 0 < int(weights.argmax()) < len(weights) - 1
        is_in_doubt = float(weights @ (CLOCK_SLOPES - slope) ** 2) > CLOCK_STEP**2
        if not self.has_rate or (is_clock and is_in_doubt):
            self._at, self._offset, self._slope = middle, float(weights @ least), slope

    def _fit_any_rate(self, points: list[tuple[float, float]]) -> None:
        """Lay the line through the edge of the lower convex hull that is in the middle."""
        hull = _lower_hull(points)
        centre = sum(x for x, _ in points) / len(points)
        right = next(i for i in range(1, len(hull)) if hull[i][0] >= centre)
        (x0, y0), (x1, y1) = hull[right - 1], hull[right]
        self._slope = min(max((y1 - y0) / (x1 - x0), -MAX_SLOPE), MAX_SLOPE)
        self._at, self._offset = x1, y1


def _lower_hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of the lower convex hull of points that are sorted by x."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0):
                break
            hull.pop()
        hull.append((x, y))
    return hull
