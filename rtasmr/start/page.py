"""The start page's window: the forms, the helpers that look and check, and the run."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.display import TITLE_PX, without_gl
from rtasmr.ending import end_signals
from rtasmr.errors import DataError
from rtasmr.player.screen import describe_screens
from rtasmr.start.child import Child
from rtasmr.start.forms import (
    Form,
    ModelForm,
    NextForm,
    RecordingForm,
    RunForm,
    SensorForm,
    StimulusForm,
)
from rtasmr.start.found import Kind, Listing, Offer
from rtasmr.start.remembered import first_choice, load_choice, save_choice, settings_file
from rtasmr.start.run import Run
from rtasmr.start.state import DISPLAY, PageMaking, StartState
from rtasmr.start.widgets import plain_label
from rtasmr.view.look import desktop_theme, palette_of
from rtasmr.view.theme import Theme

SIZE = (1200, 840)
LARGEST = (1400, 800)
"""Fields longer than a line, and boxes with nothing in them, help nobody."""
ROOMY = 780
"""Lower pages have to do without an outlook."""
POLL_MS = 250
IDLE_POLLS = 8
"""Of so many polls without a run one draws: files come and go, and a list that was open has closed."""
STOP_S = 10.0
"""How long a run may take to end in order when the page is closed."""

AT_ONCE = (Kind.STREAMS, Kind.MODELS, Kind.SERIAL, Kind.BRAINFLOW, Kind.SOUND, Kind.CAMERA)
"""Looked for when the page opens; a search over radio is asked for."""


class StartPage(QtWidgets.QMainWindow):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """The page.

    Parameters
    ----------
    state : StartState
    settings : Path
        Where the choice is kept for the next time.
    note : str
        What is to be told of the settings.
    theme : Theme or None
        None follows the desktop.
    """

    def __init__(
        self, state: StartState, settings: Path, *, note: str = "", theme: Theme | None = None
    ) -> None:
        super().__init__()
        self.state = state
        self._settings = settings
        self._error = ""
        self._n_polls = 0
        self._children: dict[Kind, Child] = {}
        self._checker: Child | None = None
        self._reporter: Child | None = None
        self._asked_s = 0.0
        self._run: Run | None = None
        self.open_page: Callable[[Any], bool] = QtGui.QDesktopServices.openUrl
        self._build(theme or desktop_theme(), note)
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._poll)
        self._timer.start(POLL_MS)
        self.redraw()

    def _build(self, theme: Theme, note: str) -> None:
        self.setWindowTitle("rtasmr: set up a viewing")
        palette, roles = palette_of(theme), QtGui.QPalette.ColorRole
        # A form is mostly fields: they are the lighter part here, as elsewhere on a desktop.
        palette.setColor(roles.Window, QtGui.QColor(theme.field))
        palette.setColor(roles.Base, QtGui.QColor(theme.background))
        self.setPalette(palette)
        self.note = plain_label()
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.sensor, self.stimulus = SensorForm(theme), StimulusForm(theme)
        self.model, self.recording, self.runs = ModelForm(theme), RecordingForm(theme), RunForm(theme)
        self.next = NextForm(theme)
        columns = QtWidgets.QHBoxLayout()
        columns.setSpacing(16)
        right = (self.model, self.recording, self.runs, self.next)
        growing = (self.sensor, self.runs)  # their curve and command line can do with more room
        for forms in ((self.sensor, self.stimulus), right):
            column = QtWidgets.QVBoxLayout()
            column.setSpacing(10)
            for form in forms:
                column.addWidget(form, int(form in growing))
            columns.addLayout(column, 1)
        rows = QtWidgets.QVBoxLayout()
        rows.setContentsMargins(16, 10, 16, 10)
        rows.addWidget(self.note)
        rows.addLayout(columns)
        page = QtWidgets.QWidget()
        page.setLayout(rows)
        page.setMaximumSize(*LARGEST)
        middle = QtWidgets.QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.addWidget(page)
        body = QtWidgets.QWidget()
        body.setLayout(middle)
        scroll = QtWidgets.QScrollArea()  # for fonts larger than the screen was made for
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        scroll.setWidget(body)
        self.setCentralWidget(scroll)
        room = QtWidgets.QApplication.primaryScreen().availableSize()
        self.resize(QtCore.QSize(*SIZE).boundedTo(room - QtCore.QSize(0, TITLE_PX)))
        self.setMinimumSize(860, 500)
        choosing: tuple[Form, ...] = (self.sensor, self.stimulus, self.model, self.recording)
        for chooser in choosing:
            chooser.changed.connect(self._change)
        self.sensor.search.connect(lambda: self.look(Kind.POLAR))
        self.sensor.check.connect(self._check_or_stop)
        self.runs.start.connect(self.start_run)
        self.runs.stop.connect(self.stop_run)
        self.runs.report.connect(self.report)
        QtWidgets.QShortcut(QtGui.QKeySequence("F5"), self, lambda: self.look(*AT_ONCE))

    def redraw(self) -> None:
        """Show the state."""
        self.state.displays = display_offers()
        self.sensor.show_state(self.state, is_searching=Kind.POLAR in self.state.looking)
        self.stimulus.show_state(self.state)
        self.model.show_state(self.state)
        self.recording.show_state(self.state)
        self.next.show_state(self.state)
        self.runs.show_state(self.state, error=self._error)

    def _change(self, changes: dict[str, object]) -> None:
        if changes.keys() & {"ppg", "network"}:
            self._stop_check()
        self.state.choose(**changes)
        if "network" in changes and Kind.STREAMS in self._children:
            self.look(Kind.STREAMS)
        self.redraw()

    @property
    def _scope(self) -> tuple[str, ...]:
        """What tells a helper to look on the network, too."""
        return ("--network",) * self.state.choice.network

    # What there is

    def look(self, *kinds: Kind) -> None:
        """Look for these kinds of things, each in a process of its own."""
        for kind in kinds:
            if kind in self._children:
                self._children.pop(kind).stop()
            child = Child("rtasmr.start.find", kind.value, "--tied", *self._scope, parent=self)
            child.told.connect(lambda content: self._take(Listing.from_json(content)))
            child.ended.connect(lambda code, word, kind=kind: self._end_look(kind, code, word))
            self._children[kind] = child
            self.state.looking.add(kind)
        self.redraw()

    def _take(self, listing: Listing) -> None:
        self.state.take(listing)
        self.redraw()

    def _end_look(self, kind: Kind, code: int, word: str) -> None:
        if code:
            self.state.take(Listing(kind, (), f"{kind.value}: {word or f'ended with {code}'}. Press F5."))
        self.redraw()

    # The check

    def _check_or_stop(self) -> None:
        if self.state.is_checking:
            self._stop_check()
        elif self.state.can_check:
            self.state.begin_check()
            words = ("--tied", *self._scope, "--", self.state.choice.ppg)
            self._checker = Child("rtasmr.start.check", *words, parent=self)
            self._checker.told.connect(self.state.take_check)
            self._checker.ended.connect(self._end_check)
        self.redraw()

    def _end_check(self, _code: int, word: str) -> None:
        self.state.end_check(word)
        self._checker = None
        self.redraw()

    def _stop_check(self) -> None:
        if self._checker is not None:
            self._checker.stop()
            self._checker = None
            self.state.drop_check()

    # The run

    def start_run(self) -> None:
        """Start what was chosen, as its command line would, and keep the choice."""
        if not self.state.can_start:
            return
        choice = self.state.choice
        self._error = ""
        try:
            save_choice(choice, self._settings)
        except DataError as error:
            self._error = str(error)  # the run goes on without
        recording, words = choice.recording, choice.words()
        try:
            if recording is not None:
                recording.parent.mkdir(parents=True, exist_ok=True)
            self._run = Run(words)
        except OSError as error:
            self._error = (
                f"It cannot be started: {error.strerror} ({error.filename}). Free space or check its rights."
            )
        else:
            self.state.begin_run(words, recording, self._run.progress())
            self.lower()  # the windows that open now are what is to be seen
            if not self.state.is_making:  # what was told is of the recording before
                self.state.making = None
        self.redraw()

    def stop_run(self) -> None:
        """Ask the run to end in order."""
        if self._run is not None:
            self._run.stop()

    def _poll(self) -> None:
        self._n_polls += 1
        if self._run is None and self._reporter is None and self._n_polls % IDLE_POLLS:
            return
        making = self.state.making
        if making is not None and making.code is None:
            self.state.making = replace(making, seconds=time.monotonic() - self._asked_s)
        if self._run is not None:
            self.state.progress = self._run.progress()
            if self.state.progress.code is not None:
                self._run.close()
                self._run = None
                self.raise_()
        self.redraw()

    def report(self) -> None:
        """Make the page of the newest recording, and open it."""
        if self._reporter is not None or not self.state.recordings:
            return
        recording = self.state.recordings[-1]
        out = recording.with_name(f"{recording.stem}_report")
        self._error = ""
        self._asked_s = time.monotonic()
        self.state.making = PageMaking(out / "session.html")
        self._reporter = Child("rtasmr", "report", str(recording), "--out", str(out), parent=self)
        self._reporter.ended.connect(self._end_report)
        self.redraw()

    def _end_report(self, code: int, word: str) -> None:
        self._reporter = None
        if self.state.making is not None:
            self.state.making = making = replace(self.state.making, code=code, reason=word)
            self.redraw()  # told first: a browser may take its time, or never come
            if not code:
                self.open_page(QtCore.QUrl.fromLocalFile(str(making.page)))

    def resizeEvent(self, event: Any) -> None:
        """Say what comes next only where there is room for it."""
        super().resizeEvent(event)
        self.next.setVisible(self.height() >= ROOMY)

    # The end

    def closeEvent(self, event: Any) -> None:
        """End the helpers; ask about a run that goes on, which never ends without being asked."""
        if self._run is not None and self.state.is_running:
            answer = self.ask_about_run()
            if answer is None:
                event.ignore()
                return
            if answer:
                self._run.stop()
                self._run.wait(STOP_S)
        self._timer.stop()
        if self._run is not None:
            self._run.close()
        for child in (*self._children.values(), self._checker, self._reporter):
            if child is not None:
                child.stop()
        # A signal may close a page that is closed.
        self._children.clear()
        self._checker = self._reporter = None
        super().closeEvent(event)

    def ask_about_run(self) -> bool | None:
        """Return whether a run that goes on is to be stopped; None to stay."""
        buttons = QtWidgets.QMessageBox.StandardButton
        box = QtWidgets.QMessageBox(self)
        box.setWindowTitle("A viewing is running")
        box.setText("A viewing is running. Stop it, or leave it running without this page?")
        stop = box.addButton("Stop it", QtWidgets.QMessageBox.ButtonRole.DestructiveRole)
        leave = box.addButton("Leave it running", QtWidgets.QMessageBox.ButtonRole.AcceptRole)
        box.addButton(buttons.Cancel)
        box.exec_()
        return {stop: True, leave: False}.get(box.clickedButton())


def display_offers() -> tuple[Offer, ...]:
    """Return the displays of this machine; one whose name another one has goes by its number."""
    names = [screen.name() for screen in QtWidgets.QApplication.screens()]
    return tuple(
        Offer(DISPLAY, name if names.count(name) == 1 else str(number), line)
        for number, (name, line) in enumerate(zip(names, describe_screens(), strict=True), 1)
    )


def open_page() -> int:
    """Open the page and return the exit code once it is closed."""
    settings, note = settings_file(), ""
    try:
        remembered = load_choice(settings)
    except DataError as error:
        remembered, note = None, str(error)
    state = StartState(remembered or first_choice(), is_first=remembered is None)
    with without_gl():
        app = pg.mkQApp("rtasmr")  # sets up screens of high resolution
        app.setStyle("Fusion")  # the one style that follows a palette everywhere
        page = StartPage(state, settings, note=note)
        page.winId()

    def end(*_: object) -> None:
        # Left to the loop, which would not end for a page that was closed before it began.
        QtCore.QTimer.singleShot(0, page.close)

    # Ctrl-C: Python runs its handlers between two ticks of the page's timer.
    previous = {number: signal.signal(number, end) for number in end_signals()}
    page.show()
    page.look(*AT_ONCE)
    app.exec_()
    for number, handler in previous.items():
        signal.signal(number, handler)
    return 0
