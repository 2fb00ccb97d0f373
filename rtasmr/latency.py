"""Latency as a feature: what each tick took, stage by stage, kept in bounded memory.

The stages of a tick follow each other without a gap, so their sum is its publish latency:

========  =================================================================================================
acquire   from the stamp of the newest sample the tick needs until the runtime has pulled it: the source's
          packets, LSL, the wait for a late stream, the poll
align     ring buffers and grid, and the wait behind earlier ticks of the same turn
features  sound, pulse and the frame, without the encoder
encoder   the picture's pass; 0 for a picture seen before
model     window and model
publish   later ticks of the same turn, and the output stream
========  =================================================================================================

What the window adds, from the publication to the screen, is told by the window: ``draw``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.types import FeatureFrame, Modality, Status, TickTiming

KEPT = 36_000
"""Values kept per figure: one hour of ticks."""

AHEAD_S = 0.01
"""Stamps are not known better than this, the precision to which streams are aligned: a tick that is early by
less is not measured, and nobody is told."""

AHEAD_FOR_S = 10.0

STAGES = ("acquire", "align", "features", "encoder", "model", "publish")
DRAW = "draw"


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


class _Newest:
    """The newest ``KEPT`` rows of durations and the maxima of all; seconds in, milliseconds out."""

    def __init__(self, n_columns: int) -> None:
        # Written at once: memory that is only reserved grows for the first hour, as a leak does.
        self._rows = np.full((KEPT, n_columns), math.nan, dtype=np.float32)
        self._n_seen = 0
        self._max = np.full(n_columns, -math.inf)

    def add(self, row: NDArray[np.float64]) -> None:
        self._rows[self._n_seen % KEPT] = row
        self._n_seen += 1
        np.maximum(self._max, row, out=self._max)

    def __len__(self) -> int:
        return min(self._n_seen, KEPT)

    def percentiles(self, newest: int | None) -> list[Percentiles]:
        n = len(self) if newest is None else min(newest, len(self))
        if n == 0:
            return [Percentiles(math.nan, math.nan, math.nan)] * len(self._max)
        at = np.arange(self._n_seen - n, self._n_seen) % KEPT
        figures = np.vstack((np.percentile(self._rows[at], [50, 99], axis=0), self._max)) * 1000
        return [Percentiles(*column) for column in figures.T.tolist()]


class Durations:
    """The newest durations of one kind.

    Values are in seconds; the figures that come out are in milliseconds.
    """

    def __init__(self) -> None:
        self._newest = _Newest(1)

    def add(self, seconds: float) -> None:
        """Take one duration in seconds."""
        self._newest.add(np.array([seconds]))

    def __len__(self) -> int:
        return len(self._newest)

    def percentiles(self, newest: int | None = None) -> Percentiles:
        """Return the figures of the ``newest`` values, or of all that are kept.

        The maximum is that of the whole run either way.
        """
        return self._newest.percentiles(newest)[0]


def newest_needed(frame: FeatureFrame, lookahead_s: float) -> float:
    """Return the stamp of the newest sample that a tick waited for, in seconds of session time.

    Only pulse and sound are taken to the end of the look-ahead: a tick of pictures alone is complete with the
    picture that is shown at its own time.
    """
    is_ahead = Status.OK in (frame.status[Modality.PPG], frame.status[Modality.SOUND])
    return frame.time_s + (lookahead_s if is_ahead else 0.0)


class LeadWatch:
    """Notices ticks that are served before the newest sample they need was due.

    The stamps of a source then run ahead of this host's clock, by a rate in the header that is too low for
    instance, and what is read off them is no latency. Stamps that run ahead and are set back again and again
    are off in between too, so nothing is measured until none was ahead for 10 s.
    """

    def __init__(self) -> None:
        self._until_s = -math.inf
        self._told = False
        self._news_s: float | None = None

    def can_measure(self, needed: float, taken: float) -> bool:
        """Whether the latency of a tick is one.

        Parameters
        ----------
        needed : float
            Stamp of the newest sample that the tick needs, in seconds.
        taken : float
            When that was there already, in seconds on the same clock.
        """
        ahead_s = needed - taken
        if ahead_s > AHEAD_S:
            self._until_s = taken + AHEAD_FOR_S
            if not self._told:
                self._told, self._news_s = True, ahead_s
        return taken >= max(needed, self._until_s)

    def take_news(self) -> float | None:
        """Return by how many seconds the first tick was early that was, once; None ever after."""
        news_s, self._news_s = self._news_s, None
        return news_s


class StageDurations:
    """The newest durations of every stage of a tick."""

    def __init__(self) -> None:
        self._newest = _Newest(len(STAGES))

    def add(self, needed: float, timing: TickTiming, published: float) -> NDArray[np.float64]:
        """Take one tick and return its durations in seconds, in the order of ``STAGES``.

        Parameters
        ----------
        needed : float
            Stamp of the newest sample that the tick needs, in seconds on the clock of ``timing``.
        timing : TickTiming
        published : float
            When its prediction was published, on the same clock.
        """
        seconds = np.array(
            [
                timing.began - needed,
                timing.aligned - timing.began,
                timing.featured - timing.aligned - timing.encoder_s,
                timing.encoder_s,
                timing.predicted - timing.featured,
                published - timing.predicted,
            ]
        )
        self._newest.add(seconds)
        return seconds

    def __len__(self) -> int:
        return len(self._newest)

    def percentiles(self, newest: int | None = None) -> Mapping[str, Percentiles]:
        """Return the figures of every stage; see `Durations.percentiles`."""
        return dict(zip(STAGES, self._newest.percentiles(newest), strict=True))
