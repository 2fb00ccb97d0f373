"""Whether a stream delivers the rate that its header promises."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

PERIOD_S = 8.0
"""Seconds of data behind one verdict."""

REFUSE_AFTER_S = 4.0
"""A rate off by a factor of 2 shows sooner: before the warm-up of a segment (5 s) is over."""

PLAUSIBLE_AFTER_S = 1.0
PLAUSIBLE_FACTOR = 1.5
"""A rate so near its header's after 1 s is not off by a factor of 2; any other has to wait for the 4 s."""

WARN_RATIO = 0.05
REFUSE_FACTOR = 1.95
"""A factor of 2, less what the jitter of arrival may hide of it."""

_OUTAGE_S = 1.0
_SETTLE_S = 1.0
"""A source that was held up sends what it owes at once: until that is through, nothing is counted."""


STAMPS_S = 4.0
"""Seconds of data behind the rate of a stream that declares none."""
LEAST_STAMPS_S = 1.0
MAX_STAMPS = 1000


class RateVerdict(StrEnum):
    """What follows from the measured rate."""

    UNKNOWN = "unknown"
    OK = "ok"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class RateState:
    """The last verdict of a monitor.

    ``measured_hz`` is NaN while unknown; ``message`` is empty unless something is wrong. ``is_plausible``
    says that a rate off by a factor of 2 would have been seen by now: what is sent may be judged.
    """

    verdict: RateVerdict = RateVerdict.UNKNOWN
    measured_hz: float = math.nan
    message: str = ""
    is_plausible: bool = False


@dataclass(slots=True)
class _Period:
    """What was counted since a first sample, which itself does not count."""

    first_arrival_s: float
    first_stamp_s: float
    arrival_s: float
    stamp_s: float
    n_samples: int = 0

    @classmethod
    def beginning(cls, arrival_s: float, stamp_s: float) -> _Period:
        return cls(arrival_s, stamp_s, arrival_s, stamp_s)


class RateMonitor:
    """Counts samples against their stamps and against their arrival, 8 s at a time.

    The stamps alone do not tell: liblsl derives them from the header's rate. The arrival alone does
    not either: it jitters. The one further from the header decides. A silence of more than 1 s
    starts a new period 1 s later, since neither a loss nor the backlog after it is a wrong rate. Nor is what
    a burst holds back at either end of a period: it goes on until that can not be all that is off.

    Parameters
    ----------
    nominal_hz : float
        Rate in the header, in Hz.
    burst_s : float
        Longest time between two deliveries that the source declares, in seconds.
    is_recorded : bool
        Whether a recording is replayed, whose rate was settled when it was made: it is plausible at once.
    """

    def __init__(self, nominal_hz: float, burst_s: float = 0.0, *, is_recorded: bool = False) -> None:
        self._nominal_hz = nominal_hz
        self._burst_s = burst_s
        self._is_recorded = is_recorded
        self._period: _Period | None = None
        self._settled_s = -math.inf
        self.state = RateState(is_plausible=is_recorded)

    def update(self, times: NDArray[np.float64], arrival_s: float) -> RateState:
        """Count samples that have just arrived.

        Parameters
        ----------
        times : ndarray of shape (n_samples,), float64
            Stamps in seconds on the LSL clock.
        arrival_s : float
            The LSL clock at arrival, in seconds.
        """
        if len(times) == 0:
            return self.state
        period, first, last = self._period, float(times[0]), float(times[-1])
        if period is not None and max(arrival_s - period.arrival_s, first - period.stamp_s) > _OUTAGE_S:
            self._settled_s = arrival_s + _SETTLE_S
        if period is None or arrival_s < self._settled_s:
            self._period = _Period.beginning(arrival_s, last)
            return self.state
        period.n_samples += len(times)
        period.arrival_s, period.stamp_s = arrival_s, last
        elapsed_s = arrival_s - period.first_arrival_s
        if elapsed_s >= PLAUSIBLE_AFTER_S:
            span_s = last - period.first_stamp_s
            rates = [period.n_samples / elapsed_s, period.n_samples / span_s if span_s > 0 else math.inf]
            rate_hz = max(rates, key=self._deviation)
            state, can_refuse = self._judge(rate_hz), elapsed_s >= REFUSE_AFTER_S
            is_over = elapsed_s >= PERIOD_S and self._is_sure(rate_hz, elapsed_s)
            if is_over or (can_refuse and state.verdict is RateVerdict.REFUSE):
                self.state = state
                self._period = _Period.beginning(arrival_s, last)
            elif self.state.verdict is RateVerdict.UNKNOWN:
                # Anew each time: one that is held up for a moment may look right in the first second.
                is_near = can_refuse or self._deviation(rate_hz) < PLAUSIBLE_FACTOR
                self.state = replace(self.state, is_plausible=self._is_recorded or is_near)
        return self.state

    def _deviation(self, rate_hz: float) -> float:
        return max(rate_hz / self._nominal_hz, self._nominal_hz / rate_hz)

    def _is_sure(self, rate_hz: float, elapsed_s: float) -> bool:
        """Whether the verdict holds whatever a burst holds back."""
        off = abs(rate_hz / self._nominal_hz - 1)
        return off <= WARN_RATIO or off > WARN_RATIO + self._burst_s / elapsed_s

    def _judge(self, rate_hz: float) -> RateState:
        measured = f"the header says {self._nominal_hz:g} Hz, {rate_hz:.6g} Hz arrive"
        if self._deviation(rate_hz) >= REFUSE_FACTOR:
            return RateState(
                RateVerdict.REFUSE, rate_hz, f"{measured}: refused. Set the rate of the source right."
            )
        if abs(rate_hz / self._nominal_hz - 1) > WARN_RATIO:
            return RateState(
                RateVerdict.WARN,
                rate_hz,
                f"{measured}. Check the rate of the source and its losses.",
                is_plausible=True,
            )
        return RateState(RateVerdict.OK, rate_hz, is_plausible=True)


class StampRate:
    """The rate of a stream that declares none, such as pictures, told by its newest stamps."""

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=MAX_STAMPS)

    def update(self, times: NDArray[np.float64]) -> None:
        """Take the stamps of new samples, array of shape (n_samples,), in seconds and ascending."""
        self._stamps.extend(times.tolist())
        while self._stamps and self._stamps[-1] - self._stamps[0] > STAMPS_S:
            self._stamps.popleft()

    @property
    def hz(self) -> float:
        """Samples per second over the newest 4 s; NaN while there is less than 1 s to tell it by."""
        if len(self._stamps) < 2:
            return math.nan
        span_s = self._stamps[-1] - self._stamps[0]
        return (len(self._stamps) - 1) / span_s if span_s >= LEAST_STAMPS_S else math.nan
