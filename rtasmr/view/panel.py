"""The column beside the curves: stream lights, model, latency, recording."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from pyqtgraph.Qt import QtCore, QtWidgets

from rtasmr.view.lights import Level, Light
from rtasmr.view.look import bold_label
from rtasmr.view.state import ViewState
from rtasmr.view.theme import Theme

WIDEST_LINE = "44.1 of 44.1 kHz, lag 250 ms, lost 9999"
"""Sets the width of the column, in whatever font the desktop has."""
SYMBOL_WIDTH = 20
MARGIN = 6
SYMBOLS = {
    Level.GOOD: "\N{BLACK CIRCLE}",
    Level.CARE: "\N{BLACK UP-POINTING TRIANGLE}",
    Level.BAD: "\N{BLACK SQUARE}",
    Level.OFF: "\N{WHITE CIRCLE}",
}
"""Shape as well as colour, so that nobody needs to tell green from red."""


class ElidedLabel(QtWidgets.QLabel):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """One line of plain text, shortened where it is too long; the tool tip has it whole.

    Parameters
    ----------
    keep_end : bool
        Whether the middle is left out, as for names that differ at their end, and not the end.
    """

    def __init__(self, *, keep_end: bool = True) -> None:
        super().__init__()
        modes = QtCore.Qt.TextElideMode
        self._mode = modes.ElideMiddle if keep_end else modes.ElideRight
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.whole = ""

    def show_text(self, text: str) -> None:
        """Show ``text`` as far as it fits."""
        if text != self.whole:
            self.whole = text
            self._elide()

    def resizeEvent(self, event: Any) -> None:
        """Fit the text again."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        fitting = self.fontMetrics().elidedText(self.whole, self._mode, max(self.width(), 1))
        if fitting != self.text():
            self.setText(fitting)
        # A tool tip takes what looks like rich text for it, and names come from strangers.
        self.setToolTip("" if fitting == self.whole else f"<span>{html.escape(self.whole)}</span>")


class LightWidget(QtWidgets.QWidget):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """One stream: symbol, role and state; its name; its numbers."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._light: Light | None = None
        self.symbol = QtWidgets.QLabel()
        self.symbol.setFixedWidth(SYMBOL_WIDTH)
        self.head, self.name = ElidedLabel(keep_end=False), ElidedLabel()
        self.numbers = ElidedLabel(keep_end=False)
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 5)
        grid.setVerticalSpacing(0)
        grid.setHorizontalSpacing(2)
        grid.addWidget(self.symbol, 0, 0)
        for row, label in enumerate((self.head, self.name, self.numbers)):
            grid.addWidget(label, row, 1)

    def show_light(self, light: Light) -> None:
        """Show ``light``."""
        if light == self._light:
            return
        self._light = light
        colour = self._theme.of(light.level)
        self.symbol.setText(SYMBOLS[light.level])
        self.symbol.setStyleSheet(f"color: {colour};")
        self.head.show_text(f"{light.title}: {light.word}")
        self.head.setStyleSheet(f"color: {colour}; font-weight: bold;")
        self.name.show_text(light.name)
        self.numbers.show_text(light.numbers)
        self.setAccessibleName(f"{light.title} {light.word}")


class LinesWidget(QtWidgets.QWidget):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """A heading and some lines."""

    def __init__(self, heading: str) -> None:
        super().__init__()
        self._rows = QtWidgets.QVBoxLayout(self)
        self._rows.setContentsMargins(0, 4, 0, 4)
        self._rows.setSpacing(0)
        self._rows.addWidget(bold_label(heading))
        self.lines: list[ElidedLabel] = []

    def show_lines(self, lines: Sequence[str]) -> None:
        """Show ``lines``."""
        while len(self.lines) < len(lines):
            self.lines.append(ElidedLabel())
            self._rows.addWidget(self.lines[-1])
        for i, label in enumerate(self.lines):
            label.setVisible(i < len(lines))
            label.show_text(lines[i] if i < len(lines) else "")


class StatusPanel(QtWidgets.QScrollArea):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """The whole column; it scrolls where the window is low."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.lights: list[LightWidget] = []
        self.model = LinesWidget("Model")
        self.latency = LinesWidget("Latency")
        self.recording = LinesWidget("Recording")
        self._streams = QtWidgets.QVBoxLayout()
        self._streams.setSpacing(0)
        content = QtWidgets.QWidget(objectName="body")
        rows = QtWidgets.QVBoxLayout(content)
        rows.setContentsMargins(MARGIN, 0, MARGIN, 0)
        rows.setSpacing(2)
        rows.addWidget(bold_label("Streams"))
        rows.addLayout(self._streams)
        for part in (self.model, self.latency, self.recording):
            rows.addWidget(part)
        rows.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll_bar = self.verticalScrollBar().sizeHint().width()
        line = self.fontMetrics().horizontalAdvance(WIDEST_LINE)
        self.setFixedWidth(line + SYMBOL_WIDTH + 2 * MARGIN + scroll_bar)

    def show_state(self, state: ViewState) -> None:
        """Show the words of ``state``."""
        lights = state.lights
        while len(self.lights) < len(lights):
            self.lights.append(LightWidget(self._theme))
            self._streams.addWidget(self.lights[-1])
        for i, widget in enumerate(self.lights):
            widget.setVisible(i < len(lights))
            if i < len(lights):
                widget.show_light(lights[i])
        self.model.show_lines(state.model_lines)
        self.latency.show_lines(state.latency_lines)
        self.recording.show_lines(state.recording_lines)
