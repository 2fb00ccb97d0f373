"""The overlay that ``?`` shows: what the picture means, every key, and the notices of the model in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyqtgraph.Qt import QtCore, QtWidgets

from rtasmr.view.look import bold_label

LEGEND = (
    ("solid line", "probability of a tingle, from 0 to 1"),
    ("dotted line", "the same, with less look-ahead: an end or a gap is near"),
    ("band around it", "uncertainty, where the model gives it"),
    ("dashed line across", "threshold: from here on the model says tingle"),
    ("grey steps", "the person's own rating, 0 to 3 (axis on the right)"),
    ("dotted upright line", "a clip begins, or one ends (free: between clips)"),
    ("outside training", "red dots: unlike what the model learned from"),
    ("pending", "blue dots: the model looks ahead before it judges"),
    ("pulse: green, dashed", "beats per minute; quality of the signal, 0 to 1"),
    ("triangles", "beats of the pulse"),
)
REASONS = (
    ("warm-up", "the first 5 s of a clip, and of a sensor"),
    ("paused", "what is shown was held; no fault"),
    ("overload", "this computer did not keep up: close other programs"),
    ("stale", "a stream was late, or is silent"),
    ("gap", "samples were lost, or a stream is gone"),
    ("bad input", "a stream is flat, saturated, or of a wrong rate"),
    ("absent", "a stream that the model needs was never there"),
    ("no record", "nothing was judged"),
)
KEYS = (
    ("+ or =, and -", "shorter and longer time axis"),
    ("A", "the whole session"),
    ("T", "light or dark"),
    ("F11", "full screen"),
    ("Tab, Space", "go to a control, use it"),
    ("P", "pause what is shown, or go on"),
    ("N", "next clip, or end the only one"),
    ("Alt+T, twice", "stop: end the session"),
    ("?  or  F1", "this page; Esc closes it"),
    ("Ctrl+W, Ctrl+Q", "close the window; ends the session if it opened with it"),
)
RATING = (("1 to 4", "go to the window of the stimulus: click it if you worked here"),)
SECTIONS = (
    (("The picture", LEGEND), ("Rating keys", RATING)),
    (("Why there is no probability", REASONS), ("Keys", KEYS)),
)
"""Two columns."""
WIDTH = 1060


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
        columns = QtWidgets.QHBoxLayout()
        columns.setSpacing(24)
        for sections in SECTIONS:
            columns.addLayout(_grid_of(sections), stretch=1)
        self._notes_heading = bold_label("Notices")
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(20, 12, 20, 12)
        rows.addLayout(columns)
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


def _grid_of(sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Any:
    """Return headings, and under each what it explains, line by line."""
    grid = QtWidgets.QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(1, 1)
    row = 0
    for heading, lines in sections:
        grid.addWidget(bold_label(heading), row, 0, 1, 2)
        for i, (left, right) in enumerate(lines, start=row + 1):
            words = QtWidgets.QLabel(right)
            words.setWordWrap(True)
            grid.addWidget(QtWidgets.QLabel(left), i, 0, alignment=QtCore.Qt.AlignmentFlag.AlignTop)
            grid.addWidget(words, i, 1, alignment=QtCore.Qt.AlignmentFlag.AlignTop)
        row += len(lines) + 1
    grid.setRowStretch(row, 1)
    return grid
