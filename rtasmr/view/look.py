"""How a theme looks in Qt: its palette, and the theme that fits the desktop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.view.theme import DARK, LIGHT, Theme

_PIECE = 32
"""Points of a line that are drawn at a time."""


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

    As one path, a thick line of ten minutes takes a tenth of a second; in short pieces, a tenth of that.
    Single segments are no way out: each array of them that Qt is handed leaks (PyQt5 5.15.11, sip 12.20).
    """
    painter.setRenderHint(painter.RenderHint.Antialiasing)
    painter.setPen(pen)
    for first, stop in stretches(y):
        for begin in range(first, stop - 1, _PIECE):
            piece = slice(begin, min(begin + _PIECE + 1, stop))
            painter.drawPolyline(pg.functions.arrayToQPolygonF(x[piece], y[piece]))


def stretches(values: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return first and one past the last of every run of numbers that are not NaN."""
    known = np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def side_width() -> int:
    """Return the room for a scale beside a plot: numbers, gap, upright label.

    One width for all plots, so that they stand under each other.
    """
    metrics = QtGui.QFontMetrics(QtGui.QFont())
    return int(metrics.horizontalAdvance("0.75") + metrics.height() + 14)


def bold_label(text: str) -> Any:
    """Return a label in bold."""
    label = QtWidgets.QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


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
