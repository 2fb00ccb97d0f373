"""The two plots of the window; they draw what ``ViewState`` says and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui

from rtasmr.view.state import Level, ViewState, clean, clock_text
from rtasmr.view.tracks import RatingStep, SegmentMark, Span

PULSE_WINDOW_S = 10.0
PENDING_WORD = "pending"
GRID_ALPHA = 0.15
_LABEL_MARGIN = 6


@dataclass(frozen=True)
class Theme:
    """Colours that keep their contrast on a light or dark palette and for colour-blind eyes.

    Hues after M. Okabe and K. Ito, "Color Universal Design" (2008): blue, vermillion, bluish green,
    orange.
    """

    background: str
    text: str
    faint: str
    curve: str
    threshold: str
    rating: str
    pulse: str
    span: str
    good: str
    care: str
    bad: str

    def of(self, level: Level) -> str:
        """Return the colour of a level."""
        return {Level.GOOD: self.good, Level.CARE: self.care, Level.BAD: self.bad}[level]


LIGHT = Theme(
    background="#ffffff",
    text="#1b1f24",
    faint="#d7dade",
    curve="#0072b2",
    threshold="#b84a00",
    rating="#9aa0a6",
    pulse="#00775a",
    span="#8a6d3b",
    good="#00775a",
    care="#8f5b00",
    bad="#b3261e",
)
DARK = Theme(
    background="#16191d",
    text="#e8eaed",
    faint="#3a3f45",
    curve="#56b4e9",
    threshold="#ff9d5c",
    rating="#8b9197",
    pulse="#4fd1a5",
    span="#d9b36c",
    good="#4fd1a5",
    care="#f0b429",
    bad="#ff8a80",
)


class ClockAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph carries no types
    """A time axis in minutes and seconds since the session began."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the label of every tick position."""
        del scale
        if spacing < 1:
            return [f"{value:.1f} s" for value in values]
        return [clock_text(value) if value >= 0 else "" for value in values]


class SpanItem(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph carries no types
    """Hatched, labelled stretches over the whole height of a plot.

    One item for all of them, painted in device pixels: hatching and words keep their size when the axis
    moves, and a redraw costs the same however many stretches there are.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._spans: tuple[Span, ...] = ()
        self.setZValue(-10)

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is drawn."""
        return self._spans

    def show(self, spans: tuple[Span, ...]) -> None:
        """Draw these stretches, on the plot's own time axis."""
        if spans != self._spans:
            self._spans = spans
            self.update()

    def boundingRect(self) -> Any:
        """Return the whole view, which the stretches may fill."""
        return self.viewRect()

    def viewTransformChanged(self) -> None:
        """Follow the view."""
        self.prepareGeometryChange()

    def paint(self, painter: Any, *_: Any) -> None:
        """Draw in device pixels."""
        to_device = painter.worldTransform()
        view = self.viewRect()
        painter.save()
        painter.resetTransform()
        for span in self._spans:
            pending = span.word == PENDING_WORD
            colour = QtGui.QColor(self._theme.curve if pending else self._theme.span)
            pattern = QtCore.Qt.BrushStyle.Dense6Pattern if pending else QtCore.Qt.BrushStyle.BDiagPattern
            left, right = max(span.start_s, view.left()), min(span.stop_s, view.right())
            if right <= left:
                continue
            area = QtCore.QRectF(left, view.top(), right - left, view.height())
            rect = to_device.mapRect(area)
            colour.setAlpha(26)
            painter.fillRect(rect, colour)
            colour.setAlpha(70)
            painter.fillRect(rect, QtGui.QBrush(colour, pattern))
            self._write(painter, rect, span.word)
        painter.restore()

    def _write(self, painter: Any, rect: Any, word: str) -> None:
        """Write along the top, upright where there is room and sideways where there is little."""
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(word), metrics.height()
        painter.setPen(QtGui.QColor(self._theme.text))
        if rect.width() >= width + _LABEL_MARGIN:
            place = QtCore.QPointF(rect.center().x() - width / 2, rect.top() + metrics.ascent() + 4)
            painter.drawText(place, word)
        elif rect.width() >= height / 3:
            painter.save()
            painter.translate(rect.center().x() + metrics.ascent() / 2 - 1, rect.top() + width + 6)
            painter.rotate(-90)
            painter.drawText(QtCore.QPointF(0, 0), word)
            painter.restore()


class RatingItem(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph carries no types
    """The person's own rating as grey steps, 0 to 3 on the height of a probability of 0 to 1."""

    MAX = 3

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        fill = QtGui.QColor(theme.rating)
        fill.setAlpha(80)
        self._fill = fill
        self._line = pg.mkPen(theme.rating, width=1)
        self._steps: tuple[RatingStep, ...] = ()
        self.setZValue(-5)

    @property
    def steps(self) -> tuple[RatingStep, ...]:
        """What is drawn."""
        return self._steps

    def show(self, steps: tuple[RatingStep, ...]) -> None:
        """Draw these steps, on the plot's own time axis."""
        if steps != self._steps:
            self.prepareGeometryChange()
            self._steps = steps
            self.update()

    def boundingRect(self) -> Any:
        """Return what the steps cover."""
        if not self._steps:
            return QtCore.QRectF()
        return QtCore.QRectF(
            QtCore.QPointF(self._steps[0].start_s, 0), QtCore.QPointF(self._steps[-1].stop_s, 1)
        )

    def paint(self, painter: Any, *_: Any) -> None:
        """Draw every step as a bar with a line on top; a rating of 0 is the line alone."""
        for step in self._steps:
            width, height = step.stop_s - step.start_s, step.rating / self.MAX
            painter.fillRect(QtCore.QRectF(step.start_s, 0, width, height), self._fill)
            painter.setPen(self._line)
            painter.drawLine(QtCore.QPointF(step.start_s, height), QtCore.QPointF(step.stop_s, height))


class ProbabilityPlot:
    """Probability, threshold, rating and the stretches without a probability."""

    def __init__(self, layout: Any, theme: Theme) -> None:
        self.item = layout.addPlot(row=0, col=0, axisItems={"bottom": ClockAxis("bottom")})
        _prepare(self.item, theme)
        self.item.setLabel("left", "tingle probability")
        # Room for the words of the spans above, and for the labels of 0 and 1, which are left out at an edge.
        self.item.setYRange(-0.05, 1.1, padding=0)
        self.item.getAxis("left").setTicks([[(x, f"{x:g}") for x in (0, 0.25, 0.5, 0.75, 1)]])
        right = self.item.getAxis("right")
        right.setLabel("own rating")
        right.setTicks([[(rating / RatingItem.MAX, str(rating)) for rating in range(RatingItem.MAX + 1)]])
        self._theme = theme
        self.spans = SpanItem(theme)
        self.rating = RatingItem(theme)
        self.threshold = pg.InfiniteLine(
            angle=0,
            pen=pg.mkPen(theme.threshold, width=1, style=QtCore.Qt.PenStyle.DashLine),
        )
        self.threshold.hide()
        self.curve = self.item.plot(pen=pg.mkPen(theme.curve, width=2), connect="finite", antialias=True)
        self.item.addItem(self.spans)
        self.item.addItem(self.rating)
        self.item.addItem(self.threshold)
        self._marks: dict[SegmentMark, Any] = {}

    def draw(self, state: ViewState, clock_s: float, window_s: float) -> None:
        """Draw the newest ``window_s`` seconds."""
        zero_s = state.start_s
        pending = state.pending(clock_s)
        if pending is not None:
            end_s = pending[1]
        elif state.newest is not None:
            end_s = state.newest.time_s
        else:
            end_s = zero_s
        stop = max(end_s - zero_s, window_s)
        columns = state.columns.since(end_s - window_s)
        times, probabilities = columns.curve()
        self.curve.setData(times - zero_s, probabilities)
        spans = [Span(s.start_s - zero_s, s.stop_s - zero_s, s.word) for s in columns.spans()]
        if pending is not None:
            spans.append(Span(pending[0] - zero_s, pending[1] - zero_s, PENDING_WORD))
        self.spans.show(tuple(spans))
        self.rating.show(
            tuple(
                RatingStep(step.start_s - zero_s, step.stop_s - zero_s, step.rating)
                for step in columns.rating_steps()
            )
        )
        self._draw_marks(state.marks, zero_s)
        model = state.snapshot.model
        self.threshold.setVisible(model is not None)
        if model is not None:
            self.threshold.setValue(model.threshold)
        self.item.setXRange(stop - window_s, stop, padding=0)

    def _draw_marks(self, marks: tuple[SegmentMark, ...], zero_s: float) -> None:
        for mark in self._marks.keys() - set(marks):
            self.item.removeItem(self._marks.pop(mark))
        for mark in marks:
            if mark not in self._marks:
                line = pg.InfiniteLine(
                    pos=mark.time_s - zero_s,
                    pen=pg.mkPen(self._theme.text, width=1, style=QtCore.Qt.PenStyle.DotLine),
                    label=clean(mark.label, 20) or "free",
                    labelOpts={"position": 0.04, "color": self._theme.text, "anchors": [(0, 1), (0, 1)]},
                )
                self._marks[mark] = line
                self.item.addItem(line)


class PulsePlot:
    """The last ten seconds of the pulse wave, against time before now."""

    def __init__(self, layout: Any, theme: Theme) -> None:
        self.item = layout.addPlot(row=1, col=0)
        _prepare(self.item, theme)
        self.item.setLabel("left", "pulse")
        self.item.setLabel("bottom", "seconds before now")
        # No unit is known for a raw pulse: its height means nothing, its shape does.
        self.item.showGrid(x=True, y=False, alpha=GRID_ALPHA)
        for side in ("left", "right"):
            self.item.getAxis(side).setTicks([[]])
        self.item.setXRange(-PULSE_WINDOW_S, 0, padding=0)
        self.curve = self.item.plot(pen=pg.mkPen(theme.pulse, width=1), connect="finite", antialias=True)
        self.hint = pg.TextItem(color=theme.text, anchor=(0.5, 0.5))
        self.item.addItem(self.hint, ignoreBounds=True)

    def draw(self, state: ViewState, clock_s: float) -> None:
        """Draw what the state holds of the last ten seconds."""
        ago_s = state.ppg_times - state.now_s(clock_s)
        shown = ago_s >= -PULSE_WINDOW_S
        values = state.ppg_values[shown]
        self.curve.setData(ago_s[shown], values)
        finite = values[np.isfinite(values)]
        self.hint.setText("" if len(finite) else "no pulse in the last 10 s")
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
        # A flat line stands in the middle; without the floor its range would be empty.
        half = max((high - low) / 2, 1e-6) * 1.1
        middle = (low + high) / 2
        self.item.setYRange(middle - half, middle + half, padding=0)
        self.hint.setPos(-PULSE_WINDOW_S / 2, middle)


def _prepare(item: Any, theme: Theme) -> None:
    """Give a plot the window's look and take away what a user could only get lost with."""
    item.setMenuEnabled(False)
    item.hideButtons()
    item.setMouseEnabled(x=False, y=False)
    item.disableAutoRange()
    item.showGrid(x=True, y=True, alpha=GRID_ALPHA)
    item.showAxis("right")
    # One width for both plots, so that they stand under each other: numbers, gap, upright label.
    metrics = QtGui.QFontMetrics(QtGui.QFont())
    width = metrics.horizontalAdvance("0.75") + metrics.height() + 14
    item.getAxis("left").setWidth(width)
    item.getAxis("right").setWidth(width)
    for side in ("left", "right", "bottom"):
        axis = item.getAxis(side)
        # Lines between the labelled ticks doubled the cost of a redraw and told nothing.
        axis.setStyle(maxTickLevel=0)
        axis.setPen(theme.faint)
        axis.setTextPen(theme.text)
