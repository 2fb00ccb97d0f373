"""The overlay that ``?`` shows: what the picture means, every key, and the notices of the model in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyqtgraph.Qt import QtCore, QtWidgets

from rtasmr.view.look import bold_label

LEGEND = (
    ("solid line", "probability of a tingle, from 0 to 1"),
    ("band around it", "uncertainty, where the model gives it"),
    ("dashed line", "threshold: from here on the model says tingle"),
    ("grey steps", "the person's own rating, 0 to 3"),
    ("hatched", "no probability, and the word for why"),
    ("dots at the end", "pending: the model looks ahead before it judges"),
    ("triangles", "beats of the pulse"),
)
KEYS = (
    ("+  and  -", "shorter and longer time axis"),
    ("A", "the whole session"),
    ("T", "light or dark"),
    ("F11", "full screen"),
    ("Tab, Space", "go to a control, use it"),
    ("P, N", "with a playlist: pause or go on, next item"),
    ("?  or  F1", "this page; Esc closes it"),
    ("Ctrl+W", "close the window; ends the run if it opened with it"),
)
WIDTH = 640


class HelpOverlay(QtWidgets.QFrame):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """Lies over the middle of its parent until it is closed."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.setAutoFillBackground(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.Box)
        self.setLineWidth(2)
        self.setAccessibleName("Help")
        self.notes = QtWidgets.QLabel()
        self.notes.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.notes.setWordWrap(True)
        self.close_button = QtWidgets.QPushButton("Close")
        self.close_button.clicked.connect(self.hide)
        grid = QtWidgets.QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        row = 0
        for heading, lines in (("The picture", LEGEND), ("Keys", KEYS)):
            grid.addWidget(bold_label(heading), row, 0, 1, 2)
            for i, (left, right) in enumerate(lines, start=row + 1):
                grid.addWidget(QtWidgets.QLabel(left), i, 0)
                grid.addWidget(QtWidgets.QLabel(right), i, 1)
            row += len(lines) + 1
        self._notes_heading = bold_label("Notices")
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(20, 12, 20, 12)
        rows.addLayout(grid)
        rows.addWidget(self._notes_heading)
        rows.addWidget(self.notes)
        rows.addWidget(self.close_button, alignment=QtCore.Qt.AlignmentFlag.AlignRight)
        self.hide()

    def open_with(self, notices: Sequence[str]) -> None:
        """Show the page with these notices and give it the keyboard."""
        self.notes.setText("\n".join(notices))
        for part in (self.notes, self._notes_heading):
            part.setVisible(bool(notices))
        self.place()
        self.show()
        self.raise_()
        self.close_button.setFocus()

    def place(self) -> None:
        """Lie in the middle of the parent, no larger than it."""
        room = self.parentWidget().size()
        width = min(WIDTH, room.width())
        height = min(max(self.sizeHint().height(), self.heightForWidth(width)), room.height())
        self.setGeometry((room.width() - width) // 2, (room.height() - height) // 2, width, height)
