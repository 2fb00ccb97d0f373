"""How a theme looks in Qt: its palette, and the theme that fits the desktop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.graphicsItems.PlotCurveItem import arrayToLineSegments
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.view.theme import DARK, LIGHT, Theme


def desktop_theme() -> Theme:
    """Return the theme that fits the desktop's palette."""
    ground = QtWidgets.QApplication.palette().color(QtGui.QPalette.ColorRole.Window)
    return DARK if ground.lightness() < 128 else LIGHT


def pen_of(colour: Any, width: float = 1.0, style: Any = QtCore.Qt.PenStyle.SolidLine) -> Any:
    """Return a pen for a plot; ``width`` in pixels of a usual screen.

    The pens of plots do not grow with the axes, and for that reason not with the screen's resolution either.
    """
    # In whole pixels: a line of 1.04 takes the slow way of drawing and looks no different.
    ratio = max(1, round(QtWidgets.QApplication.instance().devicePixelRatio()))
    return pg.mkPen(colour, width=width * ratio, style=style)


def draw_line(painter: Any, pen: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Draw a line through points, arrays of shape (n_points,), that breaks where it is NaN.

    As one path, a thick line of ten minutes takes a tenth of a second; in segments, a tenth of that.
    """
    painter.setRenderHint(painter.RenderHint.Antialiasing)
    painter.setPen(pen)
    painter.drawLines(*arrayToLineSegments(x, y, connect="finite", finiteCheck=True).drawargs())


def side_width() -> int:
    """Return the room for a scale beside a plot: numbers, gap, upright label.

    One width for all plots, so that they stand under each other.
    """
    metrics = QtGui.QFontMetrics(QtGui.QFont())
    return int(metrics.horizontalAdvance("0.75") + metrics.height() + 14)


def palette_of(theme: Theme) -> Any:
    """Return the palette of every widget of the window."""
    roles, groups = QtGui.QPalette.ColorRole, QtGui.QPalette.ColorGroup
    palette = QtGui.QPalette()
    colours = {
        roles.Window: theme.background,
        roles.WindowText: theme.text,
        roles.Base: theme.field,
        roles.AlternateBase: theme.field,
        roles.Text: theme.text,
        roles.Button: theme.field,
        roles.ButtonText: theme.text,
        roles.ToolTipBase: theme.field,
        roles.ToolTipText: theme.text,
        roles.Highlight: theme.curve,
        roles.HighlightedText: theme.background,
    }
    for role, colour in colours.items():
        palette.setColor(role, QtGui.QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(groups.Disabled, role, QtGui.QColor(theme.rating))
    return palette
