"""What the probability plot is made of, painted with Qt; the items decide nothing."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui

from rtasmr.types import Cause, Status
from rtasmr.view.look import draw_line, pen_of, stretches
from rtasmr.view.theme import Theme
from rtasmr.view.tracks import CAUSE_WORDS, NO_RECORD, OUTSIDE, STATUS_WORDS, RatingStep, SegmentMark, Span
from rtasmr.view.wording import clean

PENDING_WORD = "pending"
FREE_WORD = "free"
Y_LOW, Y_HIGH = -0.09, 1.1
"""Room for the words of the spans above and of the segments below."""
_LABEL_MARGIN = 6

_BRUSH = QtCore.Qt.BrushStyle
PATTERNS = {
    PENDING_WORD: _BRUSH.Dense6Pattern,
    OUTSIDE: _BRUSH.Dense7Pattern,
    NO_RECORD: _BRUSH.DiagCrossPattern,
    STATUS_WORDS[Status.WARMUP]: _BRUSH.BDiagPattern,
    STATUS_WORDS[Status.STALE]: _BRUSH.HorPattern,
    STATUS_WORDS[Status.GAP]: _BRUSH.FDiagPattern,
    STATUS_WORDS[Status.BAD_INPUT]: _BRUSH.CrossPattern,
    STATUS_WORDS[Status.ABSENT]: _BRUSH.VerPattern,
    CAUSE_WORDS[Cause.PAUSED]: _BRUSH.NoBrush,
    CAUSE_WORDS[Cause.OVERLOAD]: _BRUSH.Dense5Pattern,
}
"""Each reason has a hatching of its own (a pause, in which nothing is amiss, none), and its word."""


class PlotPart(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph carries no types
    """Something on the probability plot; what of it is painted again, `ProbabilityPlot` decides.

    Its extent is the axes', not its own: a tick more changes no geometry, for which Qt would paint all of
    it again, and only the stretch that is new is painted.
    """

    def __init__(self, theme: Theme, z_value: float) -> None:
        super().__init__()
        self.theme = theme
        self._extent = QtCore.QRectF()
        self.setZValue(z_value)
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption)  # tells `paint` what is exposed

    def cover(self, begin_s: float, end_s: float) -> None:
        """Reach from ``begin_s`` to ``end_s`` on the plot's time axis; all of it is painted again."""
        self.prepareGeometryChange()
        self._extent = QtCore.QRectF(begin_s, Y_LOW, end_s - begin_s, Y_HIGH - Y_LOW)
        self.update()

    def boundingRect(self) -> Any:
        """Return the extent of the axes."""
        return self._extent


class CurveItem(PlotPart):
    """A line that breaks where it is NaN."""

    def __init__(self, theme: Theme, *, dotted: bool = False) -> None:
        super().__init__(theme, z_value=0)
        styles = QtCore.Qt.PenStyle
        self._dotted = dotted
        self._pen = pen_of(theme.curve, 2, styles.DotLine if dotted else styles.SolidLine)
        self.times: NDArray[np.float64] = np.empty(0)
        self.values: NDArray[np.float64] = np.empty(0)

    def show(self, times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Take the line, arrays of shape (n_points,), on the plot's own axes."""
        self.times, self.values = times, values

    def paint(self, painter: Any, option: Any, *_: Any) -> None:
        """Draw what is exposed; dots stay in their places only where they begin at the same point."""
        shown = slice(None) if self._dotted else exposed_part(self.times, option)
        draw_line(painter, self._pen, self.times[shown], self.values[shown])


class DeviceItem(PlotPart):
    """Shapes that are painted in device pixels.

    Hatching and words thus keep their size when the axis moves, and a redraw costs the same however many
    shapes there are.
    """

    def __init__(self, theme: Theme, z_value: float) -> None:
        super().__init__(theme, z_value)
        self._shapes: tuple[Any, ...] = ()

    def show(self, shapes: tuple[Any, ...]) -> float:
        """Take the shapes, in order of time, and return where the first begins that is another than before.

        In seconds on the plot's time axis; infinite where all are the same.
        """
        pairs = zip_longest(self._shapes, shapes)
        changed = next((pair for pair in pairs if pair[0] != pair[1]), ())
        self._shapes = shapes
        return min((self.begin_of(shape) for shape in changed if shape is not None), default=math.inf)

    def begin_of(self, shape: Any) -> float:
        """Return where a shape begins, in seconds on the plot's time axis."""
        raise NotImplementedError

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

    def begin_of(self, shape: Span) -> float:
        """Return where a stretch begins."""
        return shape.start_s

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is drawn."""
        return self._shapes

    def paint_device(self, painter: Any, to_device: Any) -> None:
        """Draw what of the stretches is in view."""
        view = self.viewRect()
        right_px = to_device.map(QtCore.QPointF(view.right(), 0)).x()
        for span in self.spans:
            left, right = max(span.start_s, view.left()), min(span.stop_s, view.right())
            if right <= left:
                continue
            colour = QtGui.QColor(self._colour(span.word))
            rect = to_device.mapRect(QtCore.QRectF(left, Y_LOW, right - left, Y_HIGH - Y_LOW))
            colour.setAlpha(26)
            painter.fillRect(rect, colour)
            colour.setAlpha(70)
            painter.fillRect(rect, QtGui.QBrush(colour, PATTERNS[span.word]))
            self._write(painter, rect, span.word, right_px)

    def _colour(self, word: str) -> str:
        return {PENDING_WORD: self.theme.curve, OUTSIDE: self.theme.bad}.get(word, self.theme.span)

    def _write(self, painter: Any, rect: Any, word: str, right_px: float) -> None:
        """Write along the top, upright where there is room and sideways where there is little."""
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(word), metrics.height()
        painter.setPen(QtGui.QColor(self.theme.text))
        if rect.width() >= width + _LABEL_MARGIN:
            place = QtCore.QPointF(rect.center().x() - width / 2, rect.top() + metrics.ascent() + 4)
            painter.drawText(place, word)
        elif rect.width() >= 0.8 * height:  # narrower, it would run into the next stretch's word
            # A word on a narrow stretch at the edge of the plot stays inside.
            foot = min(rect.center().x() + metrics.ascent() / 2 - 1, right_px - metrics.descent())
            painter.save()
            painter.translate(foot, rect.top() + width + 6)
            painter.rotate(-90)
            painter.drawText(QtCore.QPointF(0, 0), word)
            painter.restore()


class MarkItem(DeviceItem):
    """A dotted line where a segment begins, with its label where there is room up to the next."""

    def begin_of(self, shape: SegmentMark) -> float:
        """Return where the line of a segment stands."""
        return shape.time_s

    @property
    def marks(self) -> tuple[SegmentMark, ...]:
        """What is drawn."""
        return self._shapes

    def show(self, shapes: tuple[SegmentMark, ...]) -> float:
        """Take the marks; the label before one that is new may have to give way to it."""
        changed_s = super().show(shapes)
        if math.isinf(changed_s):
            return changed_s
        return max((mark.time_s for mark in shapes if mark.time_s < changed_s), default=changed_s)

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
            painter.setPen(pen_of(colour, style=QtCore.Qt.PenStyle.DotLine))
            painter.drawLine(foot, top)
            name = clean(mark.label, 20) or FREE_WORD
            words = [f"{name}: {mark.question}", name] if mark.question else [name]
            room_px = end - foot.x() - _LABEL_MARGIN
            word = next((word for word in words if metrics.horizontalAdvance(word) <= room_px), "")
            painter.setPen(colour)
            painter.drawText(foot + QtCore.QPointF(4, -metrics.descent() - 2), word)


class RatingItem(PlotPart):
    """The person's own rating as grey steps, 0 to 3 on the height of a probability of 0 to 1."""

    MAX = 3

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, z_value=-5)
        self._fill = QtGui.QColor(theme.rating)
        self._fill.setAlpha(80)
        self._line = pen_of(theme.rating)
        self.steps: tuple[RatingStep, ...] = ()

    def show(self, steps: tuple[RatingStep, ...]) -> None:
        """Take the steps, on the plot's own time axis."""
        self.steps = steps

    def paint(self, painter: Any, option: Any, *_: Any) -> None:
        """Draw every step as a bar with a line on top; a rating of 0 is the line alone."""
        exposed = option.exposedRect
        painter.setPen(self._line)
        for step in self.steps:
            if step.stop_s < exposed.left() or step.start_s > exposed.right():
                continue
            width, height = step.stop_s - step.start_s, step.rating / self.MAX
            painter.fillRect(QtCore.QRectF(step.start_s, 0, width, height), self._fill)
            painter.drawLine(QtCore.QPointF(step.start_s, height), QtCore.QPointF(step.stop_s, height))


class BandItem(PlotPart):
    """The uncertainty of the probability, from ``low`` to ``high``; breaks where there is none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, z_value=-2)
        self._fill = QtGui.QColor(theme.curve)
        self._fill.setAlpha(60)
        self._times: NDArray[np.float64] = np.empty(0)
        self._low, self._high = self._times, self._times

    @property
    def n_parts(self) -> int:
        """Number of unbroken stretches that are drawn."""
        return len(stretches(self._low + self._high))

    def show(self, times: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        """Take the band; arrays of shape (n_points,), NaN where it breaks."""
        self._times, self._low, self._high = times, low, high

    def paint(self, painter: Any, option: Any, *_: Any) -> None:
        """Fill what is exposed of every stretch."""
        shown = exposed_part(self._times, option)
        times, low, high = self._times[shown], self._low[shown], self._high[shown]
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(self._fill)
        for first, stop in stretches(low + high):
            x = np.concatenate((times[first:stop], times[first:stop][::-1]))
            y = np.concatenate((low[first:stop], high[first:stop][::-1]))
            painter.drawPolygon(pg.functions.arrayToQPolygonF(x, y))


def exposed_part(times: NDArray[np.float64], option: Any) -> slice:
    """Return which points of a line have to be painted: those exposed and one on either side."""
    exposed = option.exposedRect
    first, stop = np.searchsorted(times, (exposed.left(), exposed.right()))
    return slice(max(int(first) - 1, 0), int(stop) + 1)
