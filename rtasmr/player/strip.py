"""The strip below the stimulus: how to rate, the rating that holds, and that an estimate runs."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

from rtasmr.player.hint import Hint, read_hint
from rtasmr.player.scene import ESTIMATE_RUNS
from rtasmr.player.words import TEXT_COLOUR

ROW = 0.055
MIN_ROW_PX, MAX_ROW_PX = 30.0, 120.0
"""Height of a row: a share of that of the window, within limits."""

SLIDER_SHARE = 0.5
"""Share of the width that the slider takes, in the middle."""


HINT_SPARES = 0.2
"""Share of the width that the hint leaves on either side, for the word of the estimate."""

HINT_PAD = 0.6
"""Room left and right of each part of the hint, in heights of its letters."""

MIN_FONT_PX = 8
MAX_RATING = 3.0
_HELD = QColor(170, 170, 170)
"""Ground of the level that holds, which is written in black: told by light and shape, not by a colour."""
_DIM = QColor(90, 90, 90)
_KNOB = QColor(230, 190, 90)


def strip_height(window_height: float, *, has_slider: bool) -> float:
    """Return the height of the strip in pixels: a row of words, and one for the slider."""
    row = min(MAX_ROW_PX, max(MIN_ROW_PX, ROW * window_height))
    return row * (2 if has_slider else 1)


def slider_value(strip: QRectF, x: float) -> float:
    """Return the rating at a place of the slider; left and right of it the ends of the scale."""
    track = _track(strip)
    return float(min(MAX_RATING, max(0.0, MAX_RATING * (x - track.left()) / track.width())))


def draw_strip(
    painter: QPainter, strip: QRectF, hint: str, held: int | None, estimate: str, value: float | None
) -> None:
    """Draw the strip.

    Parameters
    ----------
    painter : QPainter
    strip : QRectF
    hint : str
        How to rate.
    held : int or None
        Level that the person's rating stands for, 0 to 3, which is marked; None before the first one.
    estimate : str
        The word of the estimate.
    value : float or None
        Where the slider stands, 0 to 3; None where there is none.
    """
    row = strip.height() / (1 if value is None else 2)
    margin = 0.5 * row
    words = QRectF(strip.left() + margin, strip.top(), strip.width() - 2 * margin, row)
    side = HINT_SPARES * words.width()
    _draw_hint(painter, words.adjusted(side, 0, -side, 0), read_hint(hint), held)
    estimate_room = words.adjusted(words.width() - side + margin, 0, 0, 0)
    colour = _DIM if estimate == ESTIMATE_RUNS else TEXT_COLOUR
    _draw_line(painter, estimate_room, estimate, colour, Qt.AlignmentFlag.AlignRight)
    if value is not None:
        _draw_slider(painter, strip.adjusted(0, row, 0, 0), value)


def _draw_hint(painter: QPainter, room: QRectF, hint: Hint, held: int | None) -> None:
    """Draw the question and the levels in a row, each at the same place whichever is held."""
    parts = [part for part in (hint.question, *hint.levels) if part]
    n_before = len(parts) - len(hint.levels)
    font = painter.font()
    for size in range(round(0.5 * room.height()), MIN_FONT_PX - 1, -1):
        font.setPixelSize(size)
        painter.setFont(font)
        pad = HINT_PAD * size
        widths = [painter.fontMetrics().horizontalAdvance(part) + 2 * pad for part in parts]
        if sum(widths) <= room.width():
            break
    x = room.center().x() - sum(widths) / 2
    tall = 1.5 * size
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for i, (part, width) in enumerate(zip(parts, widths, strict=True)):
        place = QRectF(x, room.center().y() - tall / 2, width, tall)
        is_held = held is not None and i == n_before + held
        if is_held:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_HELD)
            painter.drawRoundedRect(place, pad / 2, pad / 2)
        painter.setPen(Qt.GlobalColor.black if is_held else TEXT_COLOUR)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), part)
        x += width


def _draw_line(painter: QPainter, room: QRectF, text: str, colour: QColor, side: Qt.AlignmentFlag) -> None:
    """Draw one line, smaller where it is too long."""
    font = painter.font()
    size = round(0.5 * room.height())
    font.setPixelSize(size)
    painter.setFont(font)
    painter.setPen(colour)
    while size > MIN_FONT_PX and painter.fontMetrics().horizontalAdvance(text) > room.width():
        size -= 1
        font.setPixelSize(size)
        painter.setFont(font)
    painter.drawText(room, int(side) | int(Qt.AlignmentFlag.AlignVCenter), text)


def _track(strip: QRectF) -> QRectF:
    track = QRectF(0, 0, SLIDER_SHARE * strip.width(), 4)
    track.moveCenter(strip.center())
    return track


def _draw_slider(painter: QPainter, row: QRectF, value: float) -> None:
    track = _track(row)
    painter.fillRect(track, _DIM)
    painter.setPen(QPen(TEXT_COLOUR, 2))
    for level in range(int(MAX_RATING) + 1):
        x = track.left() + level / MAX_RATING * track.width()
        painter.drawLine(QPointF(x, track.top() - 5), QPointF(x, track.bottom() + 5))
    knob = QPointF(track.left() + value / MAX_RATING * track.width(), track.center().y())
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_KNOB)
    painter.drawEllipse(knob, 0.25 * row.height(), 0.25 * row.height())
