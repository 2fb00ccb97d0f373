"""What the probability plot is made of, painted with Qt; the items decide nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui

from rtasmr.types import Status
from rtasmr.view.look import pen_of
from rtasmr.view.theme import Theme
from rtasmr.view.tracks import NO_RECORD, OUTSIDE, STATUS_WORDS, RatingStep, SegmentMark, Span
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
}
"""Each reason has a hatching of its own, and its word where there is room."""


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
            painter.setPen(pen_of(colour, style=QtCore.Qt.PenStyle.DotLine))
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
        self._line = pen_of(theme.rating)
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


class BandItem(pg.GraphicsObject):  # type: ignore[misc]  # pyqtgraph carries no types
    """The uncertainty of the probability, from ``low`` to ``high``; breaks where there is none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        colour = QtGui.QColor(theme.curve)
        colour.setAlpha(60)
        self._fill = colour
        self._polygons: list[Any] = []
        self._extent = QtCore.QRectF()
        self.setZValue(-2)

    @property
    def n_parts(self) -> int:
        """Number of unbroken stretches that are drawn."""
        return len(self._polygons)

    def show(self, times: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        """Draw the band; arrays of shape (n_points,), NaN where it breaks."""
        known = np.isfinite(low) & np.isfinite(high)
        if not known.any() and not self._polygons:
            return
        self.prepareGeometryChange()
        edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False]))))
        self._polygons = [
            pg.functions.arrayToQPolygonF(
                np.concatenate((times[first:stop], times[first:stop][::-1])),
                np.concatenate((low[first:stop], high[first:stop][::-1])),
            )
            for first, stop in zip(edges[::2], edges[1::2], strict=True)
        ]
        self._extent = (
            QtCore.QRectF(QtCore.QPointF(times[edges[0]], 0), QtCore.QPointF(times[edges[-1] - 1], 1))
            if len(edges)
            else QtCore.QRectF()
        )
        self.update()

    def boundingRect(self) -> Any:
        """Return what the band covers."""
        return self._extent

    def paint(self, painter: Any, *_: Any) -> None:
        """Fill every stretch."""
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(self._fill)
        for polygon in self._polygons:
            painter.drawPolygon(polygon)
