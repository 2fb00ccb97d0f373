"""The pulse wave of the last seconds, painted without a plot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.view.look import draw_line, pen_of, side_width
from rtasmr.view.state import PULSE_WINDOW_S, ViewState
from rtasmr.view.theme import Theme

LEAST_SHARE = 0.5
"""Share of the axes that is the wave's however low they are; above it are its beats and its reading."""
LEAST_FILL = 0.75
"""Share of its axis that a wave fills before the axis is fitted again, so that it mostly stands still."""
LABELLED_S = (-8, -6, -4, -2)
NO_PULSE = f"no pulse in the last {PULSE_WINDOW_S:g} s"
GRID_ALPHA = 0.15
_TOP, _TICK, _GAP = 5, 5, 4
"""Pixels above the axes, of a tick, and beside a text."""
_BEAT = 8
"""Width and height of a triangle."""


class PulseView(QtWidgets.QWidget):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """The last ten seconds of the pulse wave, against time before now.

    All of it moves with every snapshot. A plot of pyqtgraph would take several times as long to paint it.

    Attributes
    ----------
    ago_s, values : ndarray of shape (n_points,)
        What is drawn of the wave: seconds from now on, negative; NaN where it breaks.
    beats_s : ndarray of shape (n_beats,)
        Times of the beats, likewise.
    reading, hint : str
        The words in the corner and in the middle; empty for none.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._pen = pen_of(theme.pulse)
        self._axes = QtGui.QPixmap()
        self._middle, self._half = 0.0, 0.0
        self.ago_s: NDArray[np.float64] = np.empty(0)
        self.values: NDArray[np.float64] = np.empty(0)
        self.beats_s: NDArray[np.float64] = np.empty(0)
        self.reading = self.hint = ""
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def draw(self, state: ViewState, clock_s: float) -> None:
        """Draw what the state holds of the last ten seconds."""
        now_s = state.now_s(clock_s)
        ago_s = state.ppg_times - now_s
        shown = ago_s >= -PULSE_WINDOW_S
        self.ago_s, self.values = ago_s[shown], state.ppg_values[shown]
        pulse = state.snapshot.pulse
        beats_s = np.array(() if pulse is None else pulse.beats) - now_s
        self.beats_s = beats_s[beats_s >= -PULSE_WINDOW_S]
        finite = self.values[np.isfinite(self.values)]
        self.hint = "" if len(finite) else NO_PULSE
        self.reading = state.pulse_text
        self._fit(finite)
        self.update()

    def _fit(self, values: NDArray[np.float64]) -> None:
        """Fit the axis to the wave, if it has left the axis or has become small on it."""
        low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        # A flat line stands in the middle; without the floor its range would be empty.
        half, middle = max((high - low) / 2, 1e-6), (low + high) / 2
        fits = low >= self._middle - self._half and high <= self._middle + self._half
        if fits and half >= LEAST_FILL * self._half:
            return
        self._half, self._middle = 1.1 * half, middle

    def _box(self) -> Any:
        """Return the rectangle of the axes, in pixels."""
        side, foot = side_width(), _TICK + self.fontMetrics().height()
        return QtCore.QRectF(self.rect()).adjusted(side + 1, _TOP, -side, -foot)

    def resizeEvent(self, event: Any) -> None:
        """Have the axes drawn anew."""
        super().resizeEvent(event)
        self._axes = QtGui.QPixmap()

    def paintEvent(self, _event: Any) -> None:
        """Draw the axes as they are kept, and what moves over them."""
        ratio = self.devicePixelRatioF()
        if self._axes.isNull() or self._axes.devicePixelRatio() != ratio:
            self._axes = QtGui.QPixmap(math.ceil(self.width() * ratio), math.ceil(self.height() * ratio))
            self._axes.setDevicePixelRatio(ratio)
            self._draw_axes(self._axes)
        painter = QtGui.QPainter(self)
        painter.drawPixmap(0, 0, self._axes)
        box = self._box()
        painter.setClipRect(box)
        per_s = box.width() / PULSE_WINDOW_S
        head = painter.fontMetrics().height() + _BEAT + 2 * _GAP
        height = max(box.height() - head, LEAST_SHARE * box.height())
        per_unit = height / (2 * self._half) if self._half else 0.0
        foot = self._middle - self._half
        draw_line(
            painter,
            self._pen,
            box.right() + per_s * self.ago_s,
            box.bottom() - per_unit * (self.values - foot),
        )
        # Above the wave and not on it: a reading is up to a second older than the newest wave.
        above = box.bottom() - height - (_BEAT + _GAP) / 2
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.setBrush(QtGui.QColor(self._theme.threshold))
        for beat in (box.right() + per_s * self.beats_s).tolist():
            corners = ((-0.5, -0.5), (0.5, -0.5), (0.0, 0.5))
            painter.drawPolygon(*(QtCore.QPointF(beat + _BEAT * i, above + _BEAT * k) for i, k in corners))
        painter.setPen(QtGui.QColor(self._theme.text))
        corner = QtCore.QPointF(box.left() + _GAP, box.top() + _GAP + painter.fontMetrics().ascent())
        painter.drawText(corner, self.reading)
        painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), self.hint)

    def _draw_axes(self, onto: Any) -> None:
        """Draw what stands still: ground, frame, time grid, labels."""
        theme, box = self._theme, self._box()
        onto.fill(QtGui.QColor(theme.background))
        painter = QtGui.QPainter(onto)
        painter.setFont(self.font())
        faint, grid = QtGui.QColor(theme.faint), QtGui.QColor(theme.faint)
        grid.setAlphaF(GRID_ALPHA)
        metrics = painter.fontMetrics()
        for ago_s in LABELLED_S:
            x = box.right() + ago_s * box.width() / PULSE_WINDOW_S
            painter.setPen(grid)
            painter.drawLine(QtCore.QLineF(x, box.top(), x, box.bottom() + _TICK))
            painter.setPen(QtGui.QColor(theme.text))
            label = f"{ago_s} s"
            painter.drawText(
                QtCore.QPointF(x - metrics.horizontalAdvance(label) / 2, self.height() - metrics.descent()),
                label,
            )
        painter.setPen(faint)
        painter.drawPolyline(box.topLeft(), box.bottomLeft(), box.bottomRight(), box.topRight())
        # No unit is known for a raw pulse: its height means nothing, its shape does.
        painter.setPen(QtGui.QColor(theme.text))
        painter.translate(metrics.ascent() - 2, box.center().y() + metrics.horizontalAdvance("pulse") / 2)
        painter.rotate(-90)
        painter.drawText(QtCore.QPointF(0, 0), "pulse")
        painter.end()
