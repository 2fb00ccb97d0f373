"""Latency as a feature: percentiles of what each tick took, kept in bounded memory."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

KEPT = 36_000
"""Values kept per figure: one hour of ticks."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Median, 99th percentile and maximum of a duration, in milliseconds; NaN without values."""

    p50: float
    p99: float
    max: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the figures for JSON, rounded to 0.01 ms; None without values."""
        items = {"p50": self.p50, "p99": self.p99, "max": self.max}
        return {k: None if math.isnan(v) else round(v, 2) for k, v in items.items()}


class Durations:
    """The newest durations of one kind.

    Values are in seconds; the figures that come out are in milliseconds.
    """

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=KEPT)
        self._max = -math.inf

    def add(self, seconds: float) -> None:
        """Take one duration in seconds."""
        self._values.append(seconds)
        self._max = max(self._max, seconds)

    def __len__(self) -> int:
        return len(self._values)

    def percentiles(self, newest: int | None = None) -> Percentiles:
        """Return the figures of the ``newest`` values, or of all that are kept.

        The maximum is that of the whole run either way.
        """
        values = list(self._values) if newest is None else list(self._values)[-newest:]
        if not values:
            return Percentiles(math.nan, math.nan, math.nan)
        p50, p99 = np.percentile(values, [50, 99]) * 1000
        return Percentiles(float(p50), float(p99), self._max * 1000)
