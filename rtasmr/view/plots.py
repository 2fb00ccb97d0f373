"""The two plots over the session; they draw what ``ViewState`` says and decide nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore

from rtasmr.questions import Question
from rtasmr.view.items import (
    PENDING_WORD,
    Y_HIGH,
    Y_LOW,
    BandItem,
    CurveItem,
    MarkItem,
    RatingItem,
    SpanItem,
)
from rtasmr.view.look import draw_line, pen_of, side_width, stretches
from rtasmr.view.state import ViewState
from rtasmr.view.theme import Theme
from rtasmr.view.tracks import TICK_S, RatingStep, RecordColumns, SegmentMark, Span, thinned, trend_steps
from rtasmr.view.wording import clock_text, rating_axis_words

STALL_S = 0.5
"""Longest that what is pending stands still in the picture."""
SEAM_PX = 4
"""What a thick line and a sideways word reach beyond their place in time."""
GRID_ALPHA = 0.15
CLOCK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
LABEL_PX = 80
"""Room for a label of the time axis and the gap to the next."""
USUAL_BPM = (50.0, 100.0)
"""The axis of the pulse rate, widened by rates beyond it."""


class ClockAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph carries no types
    """A time axis in minutes and seconds since the session began."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Return the step between two labels, a round number of seconds or minutes."""
        least_s = (maxVal - minVal) * LABEL_PX / max(size, 1)
        return [(next((step for step in CLOCK_STEPS_S if step >= least_s), CLOCK_STEPS_S[-1]), 0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the label of every tick position."""
        del scale
        if spacing < 1:
            return [f"{value:.1f} s" for value in values]
        return [clock_text(value) if value >= 0 else "" for value in values]


_Axis = tuple[str, bool, float, float, float, Mapping[str, Question]]
"""What all of the picture hangs on: session and whether it is over, zero, begin and end of the time axis,
what is asked."""


class ProbabilityPlot:
    """Probability with its band, threshold, rating and the stretches without a probability."""

    def __init__(self, layout: Any, row: int, theme: Theme) -> None:
        self.item = layout.addPlot(row=row, col=0, axisItems={"bottom": ClockAxis("bottom")})
        _prepare(self.item, theme)
        self.item.setLabel("left", "tingle probability")
        self.item.setYRange(Y_LOW, Y_HIGH, padding=0)
        self.item.getAxis("left").setTicks([[(x, f"{x:g}") for x in (0, 0.25, 0.5, 0.75, 1)]])
        right = self.item.getAxis("right")
        right.setTicks([[(rating / RatingItem.MAX, str(rating)) for rating in range(RatingItem.MAX + 1)]])
        self.spans = SpanItem(theme, z_value=-10)
        self.marks = MarkItem(theme, z_value=-3)
        self.rating = RatingItem(theme)
        self.band = BandItem(theme)
        self.curve, self.short = CurveItem(theme), CurveItem(theme, dotted=True)
        self.threshold = pg.InfiniteLine(
            angle=0,
            pen=pen_of(theme.threshold, style=QtCore.Qt.PenStyle.DashLine),
        )
        self.threshold.hide()
        self._short_starts: frozenset[float] = frozenset()
        self._items = (self.spans, self.rating, self.band, self.marks, self.short, self.curve)
        for item in (*self._items[:-1], self.threshold, self.curve):
            self.item.addItem(item)
        self._drawn: tuple[_Axis, float, float] = (("", False, 0.0, 0.0, 0.0, {}), 0.0, 0.0)

    def draw(self, state: ViewState, clock_s: float, span_s: float | None) -> None:
        """Draw the newest ``span_s`` seconds, or all that is kept, unless less than a pixel is new."""
        model = state.snapshot.model
        self.threshold.setVisible(model is not None)
        if model is not None:
            self.threshold.setValue(model.threshold)
        zero_s = state.start_s
        begin_s, end_s = state.axis_s(clock_s, span_s)
        pending = state.pending(clock_s)
        newest_s = 0.0 if state.newest is None else state.newest.time_s - zero_s
        reached_s = newest_s if pending is None else pending[1] - zero_s
        axis = (state.snapshot.session, state.over or state.gone, zero_s, begin_s, end_s, state.asked)
        drawn_axis, drawn_newest_s, drawn_reached_s = self._drawn
        pixel_s = (end_s - begin_s) / max(self.item.vb.width(), 1)
        # What is pending grows all the time, and is worth a picture of its own only where no record comes.
        same = 0 <= newest_s - drawn_newest_s < pixel_s and reached_s - drawn_reached_s < STALL_S
        if axis == drawn_axis and same:
            return
        self._drawn = (axis, newest_s, reached_s)
        columns = state.columns.since(begin_s + zero_s)
        short_from_s = self._show_curves(state, columns, pixel_s)
        times, low, high = columns.band()
        self.band.show(times - zero_s, low, high)
        steps = columns.rating_steps()
        rated = state.rated(steps)
        right = self.item.getAxis("right")
        if right.labelText != (text := rating_axis_words(rated)):
            right.setLabel(text)
            right.resizeEvent()  # it alone puts a label in the middle
        self.rating.show(tuple(RatingStep(s.start_s - zero_s, s.stop_s - zero_s, s.rating) for s in steps))
        spans = [*columns.spans(), *columns.outside_spans()]
        shown = [Span(span.start_s - zero_s, span.stop_s - zero_s, span.word) for span in spans]
        if pending is not None:
            shown.append(Span(pending[0] - zero_s, pending[1] - zero_s, PENDING_WORD))
        spans_from_s = self.spans.show(tuple(sorted(shown, key=lambda span: span.start_s)))
        marks = (_mark_of(state, mark, is_mixed=len(rated) > 1) for mark in state.marks)
        marks_from_s = self.marks.show(tuple(mark for mark in marks if mark.time_s >= begin_s))
        if axis == drawn_axis:
            seam_s = SEAM_PX * pixel_s
            # The record before may have been the end of a line: it is the begin of a piece now.
            new_s = min(drawn_newest_s - TICK_S, spans_from_s, marks_from_s, short_from_s) - seam_s
            # The label of a mark may reach far beyond it.
            stop_s = max(reached_s, drawn_reached_s) + seam_s if math.isinf(marks_from_s) else end_s
            self.curve.update(QtCore.QRectF(new_s, Y_LOW, stop_s - new_s, Y_HIGH - Y_LOW))
            return
        for item in self._items:
            item.cover(begin_s, end_s)
        _move(self.item, begin_s, end_s)

    def _show_curves(self, state: ViewState, columns: RecordColumns, pixel_s: float) -> float:
        """Take both parts of the curve, and return from where on one is drawn other than before.

        In seconds on the plot's time axis; infinite where all is the same.
        """
        model = state.snapshot.model
        lookahead = 0 if model is None else model.lookahead_frames
        times, whole, short = columns.curves(lookahead, is_over=state.over)
        for item, values in ((self.curve, whole), (self.short, short)):
            shown_s, shown = thinned(times, values, pixel_s)
            item.show(shown_s - state.start_s, shown)
        starts = frozenset((times[[first for first, _ in stretches(short)]] - state.start_s).tolist())
        changed, self._short_starts = starts ^ self._short_starts, starts
        return min(changed, default=math.inf)


def _mark_of(state: ViewState, mark: SegmentMark, *, is_mixed: bool) -> SegmentMark:
    """Return a mark on the plot's time axis, with its question where the clips have different ones."""
    question = state.question_of(mark.label).value if is_mixed and mark.label else ""
    return SegmentMark(mark.time_s - state.start_s, mark.label, question)


class SolidCurve(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph carries no types
    """A curve that breaks where it is NaN, drawn in pieces."""

    def paint(self, painter: Any, *_: Any) -> None:
        """Draw it."""
        draw_line(painter, self.opts["pen"], *self.getData())


class TrendPlot:
    """Pulse rate and quality over the same time as the probability."""

    def __init__(self, layout: Any, row: int, theme: Theme) -> None:
        self.item = layout.addPlot(row=row, col=0, axisItems={"bottom": ClockAxis("bottom")})
        _prepare(self.item, theme)
        # The times stand under the probability, right above.
        self.item.getAxis("bottom").setStyle(showValues=False)
        self.item.setLabel("left", "pulse / min", color=theme.pulse)
        self.item.setLabel("right", "quality", color=theme.span)
        # A thin solid and a dashed line: apart without their colours, too.
        dashed = pen_of(theme.span, style=QtCore.Qt.PenStyle.DashLine)
        self.quality = pg.PlotCurveItem(pen=dashed, connect="finite")
        self.rate = SolidCurve(pen=pen_of(theme.pulse, 2))
        for item in (self.quality, self.rate):
            self.item.addItem(item)
        self._range_bpm = (0.0, 0.0)
        self._drawn = (0.0, 0.0, 0.0)

    def draw(self, state: ViewState, clock_s: float, span_s: float | None) -> None:
        """Draw the readings of the newest ``span_s`` seconds, or all that are kept."""
        begin_s, end_s = state.axis_s(clock_s, span_s)
        newest_s = float(state.trend[-1, 0]) if len(state.trend) else -np.inf
        if (begin_s, end_s, newest_s) == self._drawn:
            return
        self._drawn = (begin_s, end_s, newest_s)
        shown = state.trend[state.trend[:, 0] >= begin_s + state.start_s]
        times, rate, quality = shown[:, 0] - state.start_s, shown[:, 1], shown[:, 2]
        low, high = self._fit(rate)
        self.rate.setData(*trend_steps(times, rate))
        self.quality.setData(*trend_steps(times, low + (high - low) * quality))
        _move(self.item, begin_s, end_s)

    def _fit(self, rate: NDArray[np.float64]) -> tuple[float, float]:
        """Fit the axes to the rates that are drawn and return their ends, in beats per minute."""
        known = rate[np.isfinite(rate)]
        low, high = USUAL_BPM
        if len(known):
            low = min(low, 10 * np.floor(known.min() / 10))
            high = max(high, 10 * np.ceil(known.max() / 10))
        if (low, high) != self._range_bpm:
            self._range_bpm = (low, high)
            self.item.setYRange(low, high, padding=0.15)
            middle = (low + high) / 2
            left, right = ((low, middle, high), (0, 0.5, 1))
            self.item.getAxis("left").setTicks([[(bpm, f"{bpm:g}") for bpm in left]])
            self.item.getAxis("right").setTicks(
                [[(bpm, f"{q:g}") for bpm, q in zip(left, right, strict=True)]]
            )
        return low, high


def _move(item: Any, begin_s: float, end_s: float) -> None:
    """Move a plot's time axis."""
    item.setXRange(begin_s, end_s, padding=0)
    # Else it happens in the middle of the next painting, and all is painted a second time.
    item.vb.prepareForPaint()


def _prepare(item: Any, theme: Theme) -> None:
    """Give a plot the window's look and take away what a user could only get lost with."""
    item.setMenuEnabled(False)
    item.hideButtons()
    item.setMouseEnabled(x=False, y=False)
    item.disableAutoRange()
    item.showGrid(x=True, y=True, alpha=GRID_ALPHA)
    item.showAxis("right")
    item.getAxis("left").setWidth(side_width())
    item.getAxis("right").setWidth(side_width())
    for side in ("left", "right", "bottom"):
        axis = item.getAxis(side)
        # Lines between the labelled ticks doubled the cost of a redraw and told nothing.
        axis.setStyle(maxTickLevel=0)
        axis.setPen(theme.faint)
        axis.setTextPen(theme.text)
