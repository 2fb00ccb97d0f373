"""The two plots of the window; they draw what ``ViewState`` says and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui

from rtasmr.view.state import PULSE_WINDOW_S, Level, ViewState, clean, clock_text
from rtasmr.view.tracks import RatingStep, SegmentMark, Span

PULSE_HEADROOM = 0.75
"""Room above the wave for its beats and its reading, as a share of half its height."""
PENDING_WORD = "pending"
FREE_WORD = "free"
Y_LOW, Y_HIGH = -0.09, 1.1
"""Room for the words of the spans above and of the segments below."""
GRID_ALPHA = 0.15
_LABEL_MARGIN = 6


@dataclass(frozen=True)
class Theme:
    """Colours that keep their contrast on a light or dark palette and for colour-blind eyes.

    Hues after M. Okabe and K. Ito, "Color Universal Design" (2008): blue, vermilion, bluish green,
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


class DeviceItem(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph carries no types
    """Shapes over the whole height of the probability plot, painted in device pixels.

    Hatching and words thus keep their size when the axis moves, and a redraw costs the same however many
    shapes there are.
    """

    def __init__(self, theme: Theme, z_value: float) -> None:
        super().__init__()
        self.theme = theme
        self._shapes: tuple[Any, ...] = ()
        self._extent = QtCore.QRectF()
        self.setZValue(z_value)

    def show(self, shapes: tuple[Any, ...], start_s: float, stop_s: float) -> None:
        """Draw these shapes, which lie between ``start_s`` and ``stop_s`` on the plot's time axis."""
        if shapes != self._shapes:
            self.prepareGeometryChange()
            self._shapes = shapes
            self._extent = QtCore.QRectF(start_s, Y_LOW, stop_s - start_s, Y_HIGH - Y_LOW)
            self.update()

    def boundingRect(self) -> Any:
        """Return what the shapes cover."""
        return self._extent

    def paint(self, painter: Any, *_: Any) -> None:
        """Draw in device pixels."""
        to_device = painter.worldTransform()
        painter.save()
        painter.resetTransform()
        self.paint_device(painter, to_device)
        painter.restore()

    def paint_device(self, painter: Any, to_device: Any) -> None:
        """Draw with a painter that is set to device pixels."""
        raise NotImplementedError


class SpanItem(DeviceItem):
    """Hatched, labelled stretches."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is drawn."""
        return self._shapes

    def paint_device(self, painter: Any, to_device: Any) -> None:
        """Draw what of the stretches is in view."""
        view = self.viewRect()
        for span in self.spans:
            left, right = max(span.start_s, view.left()), min(span.stop_s, view.right())
            if right <= left:
                continue
            pending = span.word == PENDING_WORD
            colour = QtGui.QColor(self.theme.curve if pending else self.theme.span)
            pattern = QtCore.Qt.BrushStyle.Dense6Pattern if pending else QtCore.Qt.BrushStyle.BDiagPattern
            rect = to_device.mapRect(QtCore.QRectF(left, Y_LOW, right - left, Y_HIGH - Y_LOW))
            colour.setAlpha(26)
            painter.fillRect(rect, colour)
            colour.setAlpha(70)
            painter.fillRect(rect, QtGui.QBrush(colour, pattern))
            self._write(painter, rect, span.word)

    def _write(self, painter: Any, rect: Any, word: str) -> None:
        """Write along the top, upright where there is room and sideways where there is little."""
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(word), metrics.height()
        painter.setPen(QtGui.QColor(self.theme.text))
        if rect.width() >= width + _LABEL_MARGIN:
            place = QtCore.QPointF(rect.center().x() - width / 2, rect.top() + metrics.ascent() + 4)
            painter.drawText(place, word)
        elif rect.width() >= height / 3:
            painter.save()
            painter.translate(rect.center().x() + metrics.ascent() / 2 - 1, rect.top() + width + 6)
            painter.rotate(-90)
            painter.drawText(QtCore.QPointF(0, 0), word)
            painter.restore()


class MarkItem(DeviceItem):
    """A dotted line where a segment begins, with its label where there is room up to the next."""

    @property
    def marks(self) -> tuple[SegmentMark, ...]:
        """What is drawn."""
        return self._shapes

    def paint_device(self, painter: Any, to_device: Any) -> None:
        """Draw every line."""
        if not self.marks:
            return
        colour = QtGui.QColor(self.theme.text)
        metrics = painter.fontMetrics()
        right_edge = to_device.map(QtCore.QPointF(self.viewRect().right(), 0)).x()
        feet = [to_device.map(QtCore.QPointF(mark.time_s, Y_LOW)) for mark in self.marks]
        tops = [to_device.map(QtCore.QPointF(mark.time_s, Y_HIGH)) for mark in self.marks]
        ends = [foot.x() for foot in feet[1:]] + [right_edge]
        for mark, foot, top, end in zip(self.marks, feet, tops, ends, strict=True):
            painter.setPen(pg.mkPen(colour, width=1, style=QtCore.Qt.PenStyle.DotLine))
            painter.drawLine(foot, top)
            word = clean(mark.label, 20) or FREE_WORD
            if end - foot.x() >= metrics.horizontalAdvance(word) + _LABEL_MARGIN:
                painter.setPen(colour)
                painter.drawText(foot + QtCore.QPointF(4, -metrics.descent() - 2), word)


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
        self.item.setYRange(Y_LOW, Y_HIGH, padding=0)
        self.item.getAxis("left").setTicks([[(x, f"{x:g}") for x in (0, 0.25, 0.5, 0.75, 1)]])
        right = self.item.getAxis("right")
        right.setLabel("own rating")
        right.setTicks([[(rating / RatingItem.MAX, str(rating)) for rating in range(RatingItem.MAX + 1)]])
        self.spans = SpanItem(theme, z_value=-10)
        self.marks = MarkItem(theme, z_value=-3)
        self.rating = RatingItem(theme)
        self.threshold = pg.InfiniteLine(
            angle=0,
            pen=pg.mkPen(theme.threshold, width=1, style=QtCore.Qt.PenStyle.DashLine),
        )
        self.threshold.hide()
        self.curve = self.item.plot(pen=pg.mkPen(theme.curve, width=2), connect="finite", antialias=True)
        # As one path, a thick line of ten minutes takes a tenth of a second; in segments, a tenth of that.
        self.curve.curve.setSegmentedLineMode("on")
        for item in (self.spans, self.rating, self.marks, self.threshold):
            self.item.addItem(item)
        self._drawn_axis = (0.0, 0.0)
        self._drawn_to_s = -np.inf

    def draw(self, state: ViewState, clock_s: float, window_s: float) -> None:
        """Draw the newest ``window_s`` seconds, unless less than a pixel of them is new."""
        model = state.snapshot.model
        self.threshold.setVisible(model is not None)
        if model is not None:
            self.threshold.setValue(model.threshold)
        zero_s = state.start_s
        pending = state.pending(clock_s)
        newest_s = zero_s if state.newest is None else state.newest.time_s
        reached_s = newest_s if pending is None else pending[1]
        pixel_s = window_s / max(self.item.vb.width(), 1)
        axis = (zero_s, window_s)
        if axis == self._drawn_axis and 0 <= reached_s - self._drawn_to_s < pixel_s:
            return
        self._drawn_axis, self._drawn_to_s = axis, reached_s
        end_s = max(reached_s - zero_s, window_s)
        start_s = end_s - window_s
        columns = state.columns.since(start_s + zero_s)
        times, probabilities = columns.curve()
        self.curve.setData(times - zero_s, probabilities)
        spans = [Span(s.start_s - zero_s, s.stop_s - zero_s, s.word) for s in columns.spans()]
        if pending is not None:
            spans.append(Span(pending[0] - zero_s, pending[1] - zero_s, PENDING_WORD))
        self.spans.show(tuple(spans), start_s, end_s)
        steps = columns.rating_steps()
        self.rating.show(tuple(RatingStep(s.start_s - zero_s, s.stop_s - zero_s, s.rating) for s in steps))
        marks = tuple(SegmentMark(mark.time_s - zero_s, mark.label) for mark in state.marks)
        self.marks.show(tuple(mark for mark in marks if mark.time_s >= start_s), start_s, end_s)
        self.item.setXRange(start_s, end_s, padding=0)


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
            self.item.getAxis(side).enableAutoSIPrefix(False)
        self.item.setXRange(-PULSE_WINDOW_S, 0, padding=0)
        self.curve = self.item.plot(pen=pg.mkPen(theme.pulse, width=1), connect="finite", antialias=True)
        self.hint = pg.TextItem(color=theme.text, anchor=(0.5, 0.5))
        self.item.addItem(self.hint, ignoreBounds=True)
        self.reading = pg.TextItem(color=theme.text, anchor=(0, 0))
        self.item.addItem(self.reading, ignoreBounds=True)
        self.beats = self.item.plot(
            pen=None, symbol="t", symbolSize=8, symbolPen=None, symbolBrush=theme.threshold
        )

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
        top = middle + (1 + PULSE_HEADROOM) * half
        self.item.setYRange(middle - half, top, padding=0)
        pulse = state.snapshot.pulse
        beats_ago_s = np.array(() if pulse is None else pulse.beats) - state.now_s(clock_s)
        beats_ago_s = beats_ago_s[beats_ago_s >= -PULSE_WINDOW_S]
        # Above the wave and not on it: a reading is up to a second older than the newest wave.
        self.beats.setData(beats_ago_s, np.full(len(beats_ago_s), middle + 1.12 * half))
        self.reading.setText(state.pulse_text)
        self.reading.setPos(-PULSE_WINDOW_S, top)
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
