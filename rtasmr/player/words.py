"""Words and marks on the black screen."""

from __future__ import annotations

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

TEXT_COLOUR = QColor(190, 190, 190)
"""Grey: white on black would dazzle in a dark room."""

MIN_TEXT_PX = 14
WIDEST = 0.8
"""Share of the width that words take."""


def draw_words(painter: QPainter, room: QRectF, text: str) -> None:
    """Draw a text in the middle of ``room``, wrapped, as large as a person reads with ease.

    It becomes smaller where it would not fit.
    """
    font = painter.font()
    width = WIDEST * room.width()
    flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
    place = QRectF(0, 0, width, 0.95 * room.height())
    place.moveCenter(room.center())
    size = max(MIN_TEXT_PX, round(min(0.05 * room.width(), 0.55 * room.height(), 40)))
    while True:
        font.setPixelSize(size)
        painter.setFont(font)
        if size <= MIN_TEXT_PX or painter.boundingRect(place, flags, text).height() <= place.height():
            break
        size -= 2
    painter.setPen(TEXT_COLOUR)
    painter.drawText(place, flags, text)


def draw_cross(painter: QPainter, room: QRectF) -> None:
    """Draw the mark to look at during a rest."""
    arm = max(6.0, 0.02 * min(room.width(), room.height()))
    centre = room.center()
    painter.setPen(QPen(TEXT_COLOUR, max(2.0, arm / 5)))
    for x, y in ((arm, 0.0), (0.0, arm)):
        painter.drawLine(centre - QPointF(x, y), centre + QPointF(x, y))
