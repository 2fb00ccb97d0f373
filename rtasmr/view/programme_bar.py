"""The experimenter's line on a session of several clips: where it is, and buttons for it."""

from __future__ import annotations

from pyqtgraph.Qt import QtCore, QtWidgets

from rtasmr.snapshot import Command
from rtasmr.view.panel import ElidedLabel
from rtasmr.view.state import ViewState

CONFIRM_MS = 4000
"""How long the second press of Stop is waited for."""
STOP, SURE = "S&top", "Really s&top?"
UNHEARD = "No answer yet from a busy runtime: pressing again does no harm"
UNHEARD_MS = 4000


class ProgrammeBar(QtWidgets.QWidget):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """Position, time left and what comes next; hidden without a programme."""

    asked = QtCore.Signal(Command, int)
    """A button was pressed, or its key, while the item of this number was shown."""

    def __init__(self) -> None:
        super().__init__()
        self._pause_asks: Command = Command.PAUSE
        self._step = 0
        self.words, self.ahead = ElidedLabel(keep_end=False), ElidedLabel(keep_end=False)
        self.pause = QtWidgets.QPushButton("&Pause")
        self.skip = QtWidgets.QPushButton("&Next")
        self.stop = QtWidgets.QPushButton(STOP)
        # As wide as its longer text, so that nothing moves under the pointer.
        self.stop.setMinimumWidth(self.fontMetrics().horizontalAdvance(SURE) + 24)
        self.pause.setAccessibleName("Pause the session or go on")
        self.skip.setAccessibleName("Go on to the next item")
        self.stop.setAccessibleName("Stop the session; press twice")
        self.pause.clicked.connect(lambda: self.asked.emit(self._pause_asks, self._step))
        self.skip.clicked.connect(lambda: self.asked.emit(Command.SKIP, self._step))
        self.stop.clicked.connect(self._stop)
        self._unheard = QtCore.QTimer(self)
        self._unheard.setSingleShot(True)
        self._calm = QtCore.QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.timeout.connect(lambda: self.stop.setText(STOP))
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        lines = QtWidgets.QVBoxLayout()
        lines.setSpacing(0)
        lines.addWidget(self.words)
        lines.addWidget(self.ahead)
        row.addLayout(lines, stretch=1)
        for button in (self.pause, self.skip, self.stop):
            row.addWidget(button)
        self.hide()

    def _stop(self) -> None:
        """Ask at the first press, stop at the second."""
        if self.stop.text() == STOP:
            self.stop.setText(SURE)
            self._calm.start(CONFIRM_MS)
        else:
            self._calm.stop()
            self.stop.setText(STOP)
            self.asked.emit(Command.STOP, self._step)

    def show_unheard(self) -> None:
        """Say that what a button asked for has not reached the runtime."""
        self.words.show_text(UNHEARD)
        self._unheard.start(UNHEARD_MS)

    def show_state(self, state: ViewState) -> None:
        """Show where the programme of ``state`` is."""
        programme = state.snapshot.programme
        self.setVisible(programme is not None)
        # Their keys would reach hidden buttons, too.
        for button in (self.pause, self.skip, self.stop):
            button.setEnabled(programme is not None and state.linked and not state.over)
        if programme is None:
            return
        now, ahead = state.programme_lines
        self.ahead.show_text(ahead)
        if not self._unheard.isActive():
            self.words.show_text(now)
        self._step = programme.step
        self._pause_asks = Command.RESUME if programme.paused else Command.PAUSE
        text = "Go &on" if programme.paused else "&Pause"
        if self.pause.text() != text:
            self.pause.setText(text)
