"""The parts of the page; each shows the state and says what was changed, and does nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyqtgraph.Qt import QtCore, QtWidgets

from rtasmr.questions import Question
from rtasmr.start.choice import Shown
from rtasmr.start.found import MODEL
from rtasmr.start.state import DISPLAY, QUESTIONS, RATINGS, STATED_IN_PLAYLIST, StartState
from rtasmr.start.widgets import (
    CommandText,
    NoticeLabel,
    OfferBox,
    ProblemLabel,
    PulseCurve,
    VerdictLabel,
    plain_label,
    start_button,
    wide_button,
)
from rtasmr.types import Role
from rtasmr.view.theme import Theme

FILE_FILTER = (
    "Videos, sounds and playlists (*.mp4 *.mkv *.avi *.mov *.webm *.m4v *.mp3 *.wav *.flac *.ogg *.toml);;"
    "All files (*)"
)
SEARCH, SEARCHING = "Search &Bluetooth", "Searching ..."
CHECK, STOP_CHECK = "&Check the pulse (10 s)", "Stop the &check"
COMMAND, RUNNING_COMMAND = "The same as a command line:", "What runs, as a command line:"
REPORT, REPORTING = "Ma&ke its page", "Making it ..."


class Form(QtWidgets.QGroupBox):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """One part of the page: a grid of labels and fields, and below it what is to be mended."""

    changed = QtCore.Signal(dict)
    """Changed entries of the choice, by field."""

    def __init__(self, title: str, theme: Theme) -> None:
        super().__init__(title)
        self.problem = ProblemLabel(theme)
        self.grid = QtWidgets.QGridLayout(self)
        self.grid.setContentsMargins(12, 8, 12, 8)
        self.grid.setVerticalSpacing(6)
        self.grid.setHorizontalSpacing(8)
        self.grid.setColumnStretch(1, 1)

    def add_row(self, label: str, field: Any, *more: Any) -> None:
        """Add a field with its label, which carries its key, and buttons beside it."""
        row = self.grid.rowCount()
        name = QtWidgets.QLabel(label)
        name.setBuddy(field)
        field.setAccessibleName(label.replace("&", ""))
        self.grid.addWidget(name, row, 0)
        self.grid.addWidget(field, row, 1, 1, 1 if more else 2)
        for column, widget in enumerate(more, 2):
            self.grid.addWidget(widget, row, column)

    def add_wide(self, widget: Any) -> None:
        """Add what takes the whole width."""
        self.grid.addWidget(widget, self.grid.rowCount(), 0, 1, 3)

    def _tell(self, **changes: object) -> None:
        self.changed.emit(changes)


def _set_text(field: Any, text: str, read: Callable[[str], str] = str.strip) -> None:
    """Show a text, unless what stands there is read as the same: it is just being typed."""
    if read(field.text()) != text:
        field.setText(text)


class SensorForm(Form):
    """Which pulse sensor, and its check."""

    search = QtCore.Signal()
    check = QtCore.Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__("1. Pulse sensor", theme)
        self.box = OfferBox("Pulse sensor")
        self.text = QtWidgets.QLineEdit()
        self.text.setPlaceholderText("such as serial:/dev/ttyUSB0,sfreq=200")
        self.network = QtWidgets.QCheckBox("Streams of other computers on the &network, too")
        self.search_button = wide_button(SEARCH, SEARCHING)
        self.check_button = wide_button(CHECK, STOP_CHECK)
        self.curve = PulseCurve(theme)
        self.verdict = VerdictLabel(theme)
        self.notes = plain_label()
        self.add_row("&Sensor", self.box, self.search_button)
        self.add_row("&As typed", self.text, self.check_button)
        self.grid.addWidget(self.network, self.grid.rowCount(), 1, 1, 2)
        for widget in (self.problem, self.curve, self.verdict, self.notes):
            self.add_wide(widget)
            self.grid.setRowStretch(self.grid.rowCount() - 1, 100 * (widget is self.curve))
        self.box.chosen.connect(lambda text: self._tell(ppg=text))
        self.text.textEdited.connect(lambda text: self._tell(ppg=text.strip()))
        self.network.clicked.connect(lambda on: self._tell(network=on))
        self.search_button.clicked.connect(self.search)
        self.check_button.clicked.connect(self.check)

    def show_state(self, state: StartState, *, is_searching: bool) -> None:
        """Show what is known of the sensor."""
        self.box.show_offers(state.offers(Role.PPG), state.choice.ppg)
        _set_text(self.text, state.choice.ppg)
        self.network.setChecked(state.choice.network)
        self.search_button.setText(SEARCHING if is_searching else SEARCH)
        self.search_button.setEnabled(not is_searching)
        self.check_button.setEnabled(state.can_check or state.is_checking)
        self.check_button.setText(STOP_CHECK if state.is_checking else CHECK)
        self.problem.show_problem(state.problem_of(Role.PPG.value))
        self.curve.show_pulse(*state.pulse)
        self.verdict.show_verdict(state.verdict)
        self.notes.setText("\n".join(state.search_notes))
        self.notes.setVisible(bool(state.search_notes))


class StimulusForm(Form):
    """What is shown, and by whom."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("2. What is watched", theme)
        self.here = QtWidgets.QRadioButton("A &video or playlist, shown here")
        self.elsewhere = QtWidgets.QRadioButton("Somet&hing that another program shows")
        self.file = QtWidgets.QLineEdit()
        self.file.setPlaceholderText("video, sound or playlist (.toml)")
        self.browse = QtWidgets.QPushButton("Choose ...")
        self.browse.setAccessibleName("Choose the file")
        self.display, self.full_screen = OfferBox("Display"), QtWidgets.QCheckBox("Full scr&een")
        self.rating, self.question = OfferBox("Rated with"), OfferBox("Question")
        self.sound, self.picture = OfferBox("Sound"), OfferBox("Picture")
        self.add_wide(self.here)
        self.add_row("Fi&le", self.file, self.browse)
        self.add_row("&Display", self.display, self.full_screen)
        self.add_row("Rated &with", self.rating)
        self.add_row("&Question", self.question)
        self.add_wide(self.elsewhere)
        self.add_row("So&und", self.sound)
        self.add_row("&Picture", self.picture)
        self.add_wide(self.problem)
        self.here.clicked.connect(lambda: self._tell(shown=Shown.HERE))
        self.elsewhere.clicked.connect(lambda: self._tell(shown=Shown.ELSEWHERE))
        self.file.textEdited.connect(self._tell_file)
        self.browse.clicked.connect(self._browse)
        self.display.chosen.connect(lambda text: self._tell(display=text))
        self.rating.chosen.connect(lambda text: self._tell(rating=text))
        self.question.chosen.connect(lambda text: self._tell(question=Question(text)))
        self.full_screen.clicked.connect(lambda on: self._tell(full_screen=on))
        self.sound.chosen.connect(lambda text: self._tell(sound=text))
        self.picture.chosen.connect(lambda text: self._tell(picture=text))

    def show_state(self, state: StartState) -> None:
        """Show what was chosen; the fields of the other way are out of reach."""
        choice, is_here = state.choice, state.choice.shown is Shown.HERE
        self.here.setChecked(is_here)
        self.elsewhere.setChecked(not is_here)
        for widget in (self.file, self.browse, self.display, self.full_screen, self.rating):
            widget.setEnabled(is_here)
        self.question.setEnabled(is_here and not choice.is_playlist)
        for widget in (self.sound, self.picture):
            widget.setEnabled(not is_here)
        _set_text(self.file, choice.file, _whole)
        self.display.show_offers(state.offers(DISPLAY), choice.display)
        self.full_screen.setChecked(choice.full_screen)
        self.rating.show_offers(RATINGS, choice.rating)
        if choice.is_playlist:
            self.question.show_offers(STATED_IN_PLAYLIST, "")
        else:
            self.question.show_offers(QUESTIONS, choice.question)
        self.sound.show_offers(state.offers(Role.SOUND), choice.sound)
        self.picture.show_offers(state.offers(Role.PICTURE), choice.picture)
        self.problem.show_problem(state.problem_of("file", DISPLAY, Role.SOUND.value, Role.PICTURE.value))

    def _tell_file(self, text: str) -> None:
        self._tell(file=_whole(text))

    def _browse(self) -> None:
        file, _ = QtWidgets.QFileDialog.getOpenFileName(self, "What to show", self.file.text(), FILE_FILTER)
        if file:
            self.file.setText(file)
            self._tell_file(file)


class ModelForm(Form):
    """Which model, and what must be told of it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("3. Model", theme)
        self.box = OfferBox("Model")
        self.notices = NoticeLabel()
        self.add_row("&Model", self.box)
        self.add_wide(self.notices)
        self.add_wide(self.problem)
        self.box.chosen.connect(lambda text: self._tell(model=text))

    def show_state(self, state: StartState) -> None:
        """Show the models and the notices of the one that will run."""
        self.box.show_offers(state.offers(MODEL), state.choice.model)
        self.notices.show_notices(state.model_notices)
        self.problem.show_problem(state.problem_of(MODEL))


class RecordingForm(Form):
    """What is kept, of whom, where."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("4. Recording", theme)
        self.record = QtWidgets.QCheckBox("&Record this viewing")
        self.folder, self.code = QtWidgets.QLineEdit(), QtWidgets.QLineEdit()
        self.code.setPlaceholderText("such as 021; no real name")
        self.browse = QtWidgets.QPushButton("Choose ...")
        self.browse.setAccessibleName("Choose the folder")
        self.consent = QtWidgets.QCheckBox("The person has &given consent")
        self.next_file = plain_label()
        self.room = ProblemLabel(theme)
        self.add_wide(self.record)
        self.add_row("F&older", self.folder, self.browse)
        self.add_row("Participan&t", self.code)
        self.grid.addWidget(self.consent, self.grid.rowCount(), 1, 1, 2)
        self.add_wide(self.next_file)
        self.add_wide(self.room)
        self.add_wide(self.problem)
        self.record.clicked.connect(lambda on: self._tell(record=on))
        self.folder.textEdited.connect(lambda text: self._tell(folder=_whole(text)))
        self.code.textEdited.connect(lambda text: self._tell(participant=text.strip()))
        self.consent.clicked.connect(lambda on: self._tell(consent=on))
        self.browse.clicked.connect(self._browse)

    def show_state(self, state: StartState) -> None:
        """Show what was chosen and which file it comes to."""
        choice = state.choice
        self.record.setChecked(choice.record)
        for widget in (self.folder, self.browse):
            widget.setEnabled(choice.record)
        _set_text(self.folder, choice.folder, _whole)
        _set_text(self.code, choice.participant)
        self.consent.setChecked(choice.consent)
        self.next_file.setText(state.recording_text)
        self.room.show_problem(state.room_text)
        self.problem.show_problem(state.problem_of("participant", "folder"))

    def _browse(self) -> None:
        folder = QtWidgets.QFileDialog.getExistingDirectory(self, "Where recordings go", self.folder.text())
        if folder:
            self.folder.setText(folder)
            self._tell(folder=folder)


class RunForm(Form):
    """The command line, the start, how the run goes and what it left."""

    start = QtCore.Signal()
    stop = QtCore.Signal()
    report = QtCore.Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__("5. Start", theme)
        self.command = CommandText()
        self.copy = QtWidgets.QPushButton("Cop&y")
        self.start_button = start_button(theme, "Start (Ctrl+Return)")
        self.start_button.setShortcut("Ctrl+Return")
        self.stop_button = QtWidgets.QPushButton("Stop")
        self.stop_button.setAccessibleName("Stop the run")
        self.report_button = wide_button(REPORT, REPORTING)
        self.verdict, self.page_verdict = VerdictLabel(theme), VerdictLabel(theme)
        self.page_verdict.text.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.command_name = QtWidgets.QLabel()
        self.grid.addWidget(self.command_name, 0, 0, 1, 2)
        self.grid.addWidget(self.copy, 0, 2)
        self.add_wide(self.command)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.start_button, stretch=1)
        for button in (self.stop_button, self.report_button):
            row.addWidget(button)
        self.grid.addLayout(row, self.grid.rowCount(), 0, 1, 3)
        self.add_wide(self.verdict)
        self.add_wide(self.page_verdict)
        self.add_wide(self.problem)
        self.copy.clicked.connect(self._copy)
        self.start_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.report_button.clicked.connect(self.report)

    def show_state(self, state: StartState, *, error: str) -> None:
        """Show what would run, what runs, and what ran."""
        self.command_name.setText(RUNNING_COMMAND if state.is_running else COMMAND)
        if self.command.toPlainText() != state.command:
            self.command.setPlainText(state.command)
        self.copy.setEnabled(bool(state.command))
        self.start_button.setEnabled(state.can_start)
        self.stop_button.setEnabled(state.is_running)
        self.report_button.setEnabled(bool(state.recordings) and not state.is_making)
        self.report_button.setText(REPORTING if state.is_making else REPORT)
        self.verdict.show_verdict(state.run_text)
        self.page_verdict.show_verdict(state.page_text)
        self.page_verdict.setVisible(state.making is not None)
        self.problem.show_problem(error)

    def _copy(self) -> None:
        QtWidgets.QApplication.clipboard().setText(self.command.toPlainText())


class NextForm(Form):
    """What comes after the start, for those who start for the first time."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("And then", theme)
        self.lines = [plain_label() for _ in range(4)]
        for line in self.lines:
            self.add_wide(line)

    def show_state(self, state: StartState) -> None:
        """Show what the choice leads to."""
        for line, text in zip(self.lines, state.next_steps, strict=True):
            line.setText(text)


def _whole(text: str) -> str:
    """Return a path as it was meant: with the home folder for the tilde."""
    return os.path.expanduser(text.strip())  # noqa: PTH111 - Path.expanduser fails for users that are none
