"""Records as curves, steps and spans: what the window and the figure draw, without drawing.

Nothing is interpolated: a curve breaks wherever a tick has no probability, no record, or another
segment begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.snapshot import NO_RATING, TickRecord
from rtasmr.types import Cause, Status

TICK_S = 1 / FRAME_RATE_HZ

SEAM_S = 0.25
"""Two segments follow each other at once if their ticks are no further apart than this."""

NO_RECORD = "no record"
OUTSIDE = "outside training"
SHORT = "less look-ahead"
"""Of ticks that the model judged with fewer frames after them than it looks ahead."""
TREND_GAP_S = 2.5
"""Readings of the pulse come once a second; farther apart, they do not belong to one curve."""

STATUS_WORDS = {
    Status.OK: "ok",
    Status.WARMUP: "warm-up",
    Status.STALE: "stale",
    Status.GAP: "gap",
    Status.BAD_INPUT: "bad input",
    Status.ABSENT: "absent",
}
CAUSE_WORDS = {Cause.PAUSED: "paused", Cause.OVERLOAD: "overload"}
_CAUSES = tuple(Cause)


def reason_word(status: Status, cause: Cause) -> str:
    """Return the word for how a tick is: what it lacks its data for says more than that it does."""
    return STATUS_WORDS[status] if status is Status.OK else CAUSE_WORDS.get(cause, STATUS_WORDS[status])


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch without a probability, in seconds on the session clock, and the word for why."""

    start_s: float
    stop_s: float
    word: str


@dataclass(frozen=True, slots=True)
class RatingStep:
    """A stretch with one rating, 0 to 3, in a segment."""

    start_s: float
    stop_s: float
    rating: int
    segment: int = 0


@dataclass(frozen=True, slots=True)
class SegmentMark:
    """Where a segment begins.

    ``label`` is empty for a free segment, ``question`` where there is no need to name it.
    """

    time_s: float
    label: str
    question: str = ""


@dataclass(frozen=True)
class RecordColumns:
    """Records as arrays of shape (n_records,), oldest first.

    ``time_s``, ``p``, ``p_low`` and ``p_high`` are float64; ``status``, ``rating`` and ``cause`` (its
    place in `Cause`) int8; ``segment`` and ``tick`` int64; ``outside`` bool.
    """

    time_s: NDArray[np.float64]
    p: NDArray[np.float64]
    p_low: NDArray[np.float64]
    p_high: NDArray[np.float64]
    status: NDArray[np.int8]
    rating: NDArray[np.int8]
    segment: NDArray[np.int64]
    tick: NDArray[np.int64]
    outside: NDArray[np.bool_]
    cause: NDArray[np.int8]

    @classmethod
    def of(cls, records: Sequence[TickRecord]) -> RecordColumns:
        """Return the columns of records in order of time."""
        return cls(
            time_s=np.array([r.time_s for r in records], dtype=np.float64),
            p=np.array([r.p for r in records], dtype=np.float64),
            p_low=np.array([r.p_low for r in records], dtype=np.float64),
            p_high=np.array([r.p_high for r in records], dtype=np.float64),
            status=np.array([r.status for r in records], dtype=np.int8),
            rating=np.array([r.rating for r in records], dtype=np.int8),
            segment=np.array([r.segment for r in records], dtype=np.int64),
            tick=np.array([r.tick for r in records], dtype=np.int64),
            outside=np.array([r.outside for r in records], dtype=np.bool_),
            cause=np.array([_CAUSES.index(r.cause) for r in records], dtype=np.int8),
        )

    def __len__(self) -> int:
        return len(self.time_s)

    def joined(self, other: RecordColumns, n_kept: int) -> RecordColumns:
        """Return these records and then ``other``'s, the newest ``n_kept`` of them."""
        return RecordColumns(
            *(np.concatenate((getattr(self, c), getattr(other, c)))[-n_kept:] for c in _COLUMNS)
        )

    def since(self, start_s: float) -> RecordColumns:
        """Return the records from ``start_s`` on, and one before it so that curves enter the picture."""
        first = max(int(np.searchsorted(self.time_s, start_s)) - 1, 0)
        return RecordColumns(*(getattr(self, c)[first:] for c in _COLUMNS))

    @cached_property
    def _breaks(self) -> NDArray[np.intp]:
        """Numbers of the records that do not follow their predecessor's tick by one, ascending."""
        follows = (np.diff(self.segment) == 0) & (np.diff(self.tick) == 1)
        return np.flatnonzero(~follows) + 1

    def _runs(self, values: NDArray[np.int8] | NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Return first and last record of every unbroken run of one value."""
        if len(self) == 0:
            return []
        starts = np.union1d(self._breaks, np.flatnonzero(values[1:] != values[:-1]) + 1).astype(int).tolist()
        return list(zip([0, *starts], [start - 1 for start in starts] + [len(self) - 1], strict=True))

    @property
    def _reasons(self) -> NDArray[np.int8]:
        """A number for every word that a record has: a known cause makes all statuses but OK one."""
        with_cause = (self.status != Status.OK) & (self.cause > 0)
        reasons: NDArray[np.int8] = np.where(with_cause, -self.cause, self.status)
        return reasons

    def counted(self, cause: Cause) -> NDArray[np.bool_]:
        """Return which records have this cause, shape (n_records,)."""
        is_cause: NDArray[np.bool_] = self.cause == _CAUSES.index(cause)
        return is_cause

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return times and probabilities with a NaN at every break, each of shape (n_points,)."""
        return self._broken(self.p)

    def is_short(self, lookahead: int, *, is_over: bool) -> NDArray[np.bool_]:
        """Return which ticks were judged with fewer frames after them than the model looks ahead.

        At the end of a segment there are no more; frames of a pause or of another stretch without a
        probability lack their data.

        Parameters
        ----------
        lookahead : int
            How many frames after a tick the model looks at.
        is_over : bool
            Whether the segment of the newest record has ended: else that was judged with all of them.

        Returns
        -------
        ndarray of shape (n_records,)
        """
        short = np.zeros(len(self), dtype=np.bool_)
        judged = self.status == Status.OK
        for first, last in self._runs(judged):
            is_newest = last == len(self) - 1
            # A record that is lost, not missing: nobody knows what came after.
            is_cut = not is_newest and judged[last + 1] and self.segment[last + 1] == self.segment[last]
            if judged[first] and not is_cut and (is_over or not is_newest):
                short[max(first, last + 1 - lookahead) : last + 1] = True
        return short

    def curves(
        self, lookahead: int, *, is_over: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return `curve` in two: times, what rests on the whole look-ahead, and the rest; see `is_short`.

        The second begins where the first ends, so that there is no gap between them.
        """
        short = self.is_short(lookahead, is_over=is_over)
        joint = short.copy()
        joint[:-1] |= short[1:]
        times, whole = self._broken(np.where(short, np.nan, self.p))
        return times, whole, self._broken(np.where(joint, self.p, np.nan))[1]

    def band(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return times and both ends of the uncertainty band, as `curve`; NaN where there is none."""
        times, low = self._broken(self.p_low)
        return times, low, self._broken(self.p_high)[1]

    def _broken(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        breaks = self._breaks
        return np.insert(self.time_s, breaks, self.time_s[breaks]), np.insert(values, breaks, np.nan)

    def spans(self, *, between_segments: bool = True) -> list[Span]:
        """Return the stretches without a probability, in order of time.

        Parameters
        ----------
        between_segments : bool
            Whether time that belongs to none of these segments counts, and a stretch goes on from one into
            the next, as the warm-up of a session does into that of its first clip.
        """
        half = TICK_S / 2
        spans = []
        for first, last in self._runs(self._reasons):
            status, cause = Status(self.status[first]), _CAUSES[self.cause[first]]
            if status is not Status.OK:
                word = reason_word(status, cause)
                spans.append(Span(self.time_s[first] - half, self.time_s[last] + half, word))
        for i in self._breaks:
            same = self.segment[i] == self.segment[i - 1]
            if not same and not between_segments:
                continue
            if self.time_s[i] - self.time_s[i - 1] > (1.5 * TICK_S if same else SEAM_S):
                spans.append(Span(self.time_s[i - 1] + half, self.time_s[i] - half, NO_RECORD))
        spans.sort(key=lambda span: span.start_s)
        return _joined(spans) if between_segments else spans

    def outside_spans(self) -> list[Span]:
        """Return the stretches outside what the model was trained on, in order of time."""
        half = TICK_S / 2
        return [
            Span(self.time_s[first] - half, self.time_s[last] + half, OUTSIDE)
            for first, last in self._runs(self.outside)
            if self.outside[first]
        ]

    @property
    def is_rated(self) -> bool:
        """Whether somebody could rate: 0 is a rating, too."""
        return bool((self.rating != NO_RATING).any())

    def rating_steps(self) -> list[RatingStep]:
        """Return the stretches of one known rating, in order of time."""
        half = TICK_S / 2
        return [
            RatingStep(
                self.time_s[first] - half,
                self.time_s[last] + half,
                int(self.rating[first]),
                int(self.segment[first]),
            )
            for first, last in self._runs(self.rating)
            if self.rating[first] != NO_RATING
        ]


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Return stretches in order of time, those with one word as one where they follow each other at once."""
    joined: list[Span] = []
    for span in spans:
        before = joined[-1] if joined else None
        if before is not None and before.word == span.word and span.start_s - before.stop_s < SEAM_S:
            joined[-1] = Span(before.start_s, span.stop_s, span.word)
        else:
            joined.append(span)
    return joined


_COLUMNS = tuple(RecordColumns.__dataclass_fields__)


def thinned(
    times: NDArray[np.float64], values: NDArray[np.float64], bin_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what can be seen of a curve: the least and the greatest value of every ``bin_s`` seconds.

    Parameters
    ----------
    times, values : ndarray of shape (n_points,)
        A curve that breaks where it is NaN; times do not decrease.
    bin_s : float
        What a pixel shows. The bins lie on the clock of ``times``, not on the points: a point more changes
        nothing before it.

    Returns
    -------
    times, values : ndarray of shape (n_kept,)
        Some of the points, in order. Every run of NaN keeps one, so that no gap is bridged. A curve of
        fewer than four points a bin comes back as it is.
    """
    if len(times) == 0 or len(times) < 4 * (times[-1] - times[0]) / bin_s:
        return times, values
    bins = np.floor(times / bin_s).astype(np.int64)
    gap = np.isnan(values)
    # Sorted by bin and then by value, the ends of each stretch are its extremes; NaN sorts last and is cut.
    finite = np.flatnonzero(~gap)
    order = finite[np.lexsort((values[finite], bins[finite]))]
    edge = np.flatnonzero(np.diff(bins[order])) + 1
    ends = np.concatenate(([0], edge, edge - 1, [len(order) - 1])) if len(order) else np.empty(0, np.intp)
    begins_gap = np.flatnonzero(gap & ~np.concatenate(([False], gap[:-1])))
    kept = np.unique(np.concatenate((order[ends], begins_gap)))
    return times[kept], values[kept]


def trend_steps(
    times: NDArray[np.float64], values: NDArray[np.float64], reading_s: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return readings, each of the second before it, as steps that break where one is missing.

    Parameters
    ----------
    times, values : ndarray of shape (n_readings,)
        End of each reading in seconds, ascending; NaN where nothing could be read.
    reading_s : float
        Length of a step.
    """
    breaks = 2 * (np.flatnonzero(np.diff(times) > TREND_GAP_S) + 1)
    begins = np.maximum(times - reading_s, np.concatenate(([-np.inf], times[:-1])))
    step_times = np.column_stack((begins, times)).ravel()
    step_values = np.repeat(values, 2)
    return np.insert(step_times, breaks, step_times[breaks]), np.insert(step_values, breaks, np.nan)
