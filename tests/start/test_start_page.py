"""Every control of the start page, in a real window."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from rtasmr.questions import Question
from rtasmr.start.choice import Choice, Shown
from rtasmr.start.found import Kind, Listing, Offer
from rtasmr.start.state import StartState
from rtasmr.view.lights import Level
from rtasmr.view.theme import THEMES

pytestmark = pytest.mark.gui


@pytest.fixture
def page(open_start_page, ready_state):
    return open_start_page(ready_state)


def click(button) -> None:
    assert button.isEnabled()
    button.click()


def write(qtbot, field, text: str) -> None:
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)


def pick(box, text: str) -> None:
    """Choose a row as a click in the open list does."""
    row = [offer.text for offer in box._offers].index(text)
    box.setCurrentIndex(row)
    box.activated.emit(row)


def test_what_is_typed_and_chosen_is_the_choice(qtbot, page, tmp_path):
    write(qtbot, page.sensor.text, "serial:/dev/ttyUSB0,sfreq=200")
    click(page.sensor.network)
    click(page.stimulus.full_screen)
    pick(page.stimulus.display, page.state.displays[0].text)
    pick(page.stimulus.rating, "slider")
    pick(page.stimulus.question, "pleasantness")
    pick(page.model.box, "other")
    write(qtbot, page.recording.folder, str(tmp_path / "elsewhere"))
    write(qtbot, page.recording.code, " 021 ")
    click(page.recording.consent)

    assert page.state.choice == Choice(
        ppg="serial:/dev/ttyUSB0,sfreq=200",
        file=str(tmp_path / "clip.mp4"),
        network=True,
        full_screen=True,
        display=page.state.displays[0].text,
        rating="slider",
        question=Question.PLEASANTNESS,
        model="other",
        folder=str(tmp_path / "elsewhere"),
        participant="021",
        consent=True,
    )
    assert page.recording.next_file.text() == "Next file: 021_001.xdf"


def test_a_sensor_from_the_list_stands_in_the_field_to_be_refined(qtbot, page):
    pick(page.sensor.box, "simulated")

    assert page.state.choice.ppg == "simulated"
    assert page.sensor.text.text() == "simulated"

    write(qtbot, page.sensor.text, "simulated,bpm=80")
    assert page.state.choice.ppg == "simulated,bpm=80"
    assert page.sensor.box.currentText() == "As typed: simulated,bpm=80"


def test_only_the_fields_of_who_shows_the_stimulus_are_in_reach(qtbot, page):
    form = page.stimulus
    here = (form.file, form.browse, form.display, form.full_screen, form.rating, form.question)
    elsewhere = (page.stimulus.sound, page.stimulus.picture)

    click(page.stimulus.elsewhere)

    assert page.state.choice.shown is Shown.ELSEWHERE
    assert not any(widget.isEnabled() for widget in here)
    assert all(widget.isEnabled() for widget in elsewhere)
    pick(page.stimulus.sound, "loopback")
    pick(page.stimulus.picture, "screen")
    assert "--audio loopback --video screen" in page.runs.command.toPlainText()

    click(page.stimulus.here)
    assert all(widget.isEnabled() for widget in here)
    assert not any(widget.isEnabled() for widget in elsewhere)


def test_the_question_stands_on_the_page_and_a_playlist_says_it_itself(qtbot, page, tmp_path):
    form = page.stimulus
    assert form.question.currentText() == "how strongly it tingles"
    assert page.runs.command.toPlainText().split("--question")[1].split()[0] == "tingling"

    write(qtbot, form.file, str(tmp_path / "session.toml"))
    assert not form.question.isEnabled()
    assert form.question.currentText() == "as the playlist says of each clip"

    write(qtbot, form.file, str(tmp_path / "clip.mp4"))
    assert form.question.isEnabled()
    assert form.question.currentText() == "how strongly it tingles"


def test_a_display_that_is_not_there_any_more_is_told(qtbot, page):
    page.state.choose(display="gone")
    page.redraw()

    assert not page.runs.start_button.isEnabled()
    assert page.stimulus.display.currentText() == "Not connected: gone"
    assert "connect it" in page.stimulus.problem.text()

    pick(page.stimulus.display, "")
    assert page.runs.start_button.isEnabled()


def test_no_two_controls_have_the_same_key(page):
    from pyqtgraph.Qt import QtWidgets

    kinds = (QtWidgets.QAbstractButton, QtWidgets.QLabel)
    texts = [widget.text().replace("&&", "") for kind in kinds for widget in page.findChildren(kind)]
    keys = [text[text.index("&") + 1].casefold() for text in texts if "&" in text]
    assert len(keys) > 10
    assert sorted(keys) == sorted(set(keys))


def test_without_recording_no_file_is_named(qtbot, page):
    click(page.recording.record)

    assert not page.state.choice.record
    assert not page.recording.folder.isEnabled()
    assert page.recording.next_file.text() == "Nothing is kept."
    assert "--record" not in page.runs.command.toPlainText()


def test_files_and_folders_are_chosen_in_a_dialogue(qtbot, page, tmp_path, monkeypatch):
    from pyqtgraph.Qt import QtWidgets

    dialog = QtWidgets.QFileDialog
    monkeypatch.setattr(dialog, "getOpenFileName", lambda *_: (str(tmp_path / "b.toml"), ""))
    monkeypatch.setattr(dialog, "getExistingDirectory", lambda *_: str(tmp_path / "c"))
    click(page.stimulus.browse)
    click(page.recording.browse)
    assert (page.state.choice.file, page.state.choice.folder) == (
        str(tmp_path / "b.toml"),
        str(tmp_path / "c"),
    )

    monkeypatch.setattr(dialog, "getOpenFileName", lambda *_: ("", ""))  # the dialogue was left
    click(page.stimulus.browse)
    assert page.state.choice.file == str(tmp_path / "b.toml")


def test_the_tilde_is_the_home_folder(qtbot, page, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    write(qtbot, page.stimulus.file, "~/clip.mp4")

    assert Path(page.state.choice.file) == tmp_path / "clip.mp4"
    assert page.stimulus.file.text() == "~/clip.mp4"


def test_what_is_to_be_mended_stands_where_it_is(qtbot, page):
    labels = {form: form.problem for form in (page.sensor, page.stimulus, page.model, page.recording)}
    assert not any(label.isVisible() for label in labels.values())

    write(qtbot, page.sensor.text, "nonsense")
    write(qtbot, page.stimulus.file, "/nowhere/x.mp4")
    write(qtbot, page.recording.code, "../x")
    page.state.take(Listing(Kind.MODELS, (), "No model is installed. Run 'make demo'."))
    page.redraw()

    assert all(label.isVisible() and label.text() for label in labels.values())
    assert not page.runs.start_button.isEnabled()
    assert page.runs.command.toPlainText() == ""

    write(qtbot, page.recording.code, "021")
    assert not page.recording.problem.isVisible()


def test_the_notices_of_the_model_stand_above_the_start(page):
    assert page.model.notices.isVisible()
    assert page.model.notices.text() == "DEMO MODEL: says nothing about people"

    pick(page.model.box, "other")

    assert not page.model.notices.isVisible()


def test_the_command_is_copied_as_it_stands(qtbot, page):
    from pyqtgraph.Qt import QtWidgets

    pick(page.sensor.box, "simulated")
    click(page.runs.copy)

    copied = QtWidgets.QApplication.clipboard().text()
    assert shlex.split(copied) == ["rtasmr", *page.state.choice.words()]


def test_a_name_from_a_stranger_is_no_markup(page):
    page.state.take(Listing(Kind.STREAMS, (Offer("ppg", "name=x", "<b>Stream</b>"),)))
    page.state.take(Listing(Kind.POLAR, (), "<img src=x>"))
    page.redraw()

    assert "<b>Stream</b>" in [page.sensor.box.itemText(row) for row in range(page.sensor.box.count())]
    assert page.sensor.notes.text() == "<img src=x>"


def test_a_list_that_is_open_stands_still(qtbot, page):
    page.sensor.box.showPopup()
    before = page.sensor.box.count()
    page.state.take(Listing(Kind.STREAMS, (Offer("ppg", "name=x", "Stream x"),)))
    page.redraw()
    assert page.sensor.box.count() == before

    page.sensor.box.hidePopup()
    page.redraw()
    assert page.sensor.box.count() == before + 1


def test_the_keyboard_reaches_every_control(qtbot, page):
    from pyqtgraph.Qt import QtCore, QtWidgets

    wanted = {
        widget
        for kind in (QtWidgets.QAbstractButton, QtWidgets.QLineEdit, QtWidgets.QComboBox)
        for widget in page.centralWidget().widget().findChildren(kind)
        if widget.isEnabled() and widget.isVisible()
    }
    # Of two radio buttons Tab reaches the one that is set; the arrow keys go on from there.
    wanted.discard(page.stimulus.elsewhere)
    page.sensor.box.setFocus()
    reached = set()
    for _ in range(3 * len(wanted)):
        reached.add(page.focusWidget())
        qtbot.keyClick(page.focusWidget(), QtCore.Qt.Key.Key_Tab)

    assert wanted <= reached
    assert all(widget.accessibleName() or widget.text() for widget in wanted)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_nothing_is_cut_off_on_a_small_screen(qtbot, open_start_page, ready_state, theme):
    from pyqtgraph.Qt import QtWidgets

    small = open_start_page(ready_state, theme=theme)

    assert (small.width(), small.height()) == (1024, 640)
    scroll = small.centralWidget()
    bars = (scroll.horizontalScrollBar(), scroll.verticalScrollBar())
    qtbot.waitUntil(lambda: not any(bar.isVisible() for bar in bars), timeout=10_000)
    buttons = scroll.widget().findChildren(QtWidgets.QPushButton)
    assert all(button.width() >= button.sizeHint().width() for button in buttons)


def test_a_large_page_shows_more_of_the_pulse_and_what_comes_next(qtbot, open_start_page, ready_state):
    page = open_start_page(ready_state)
    assert not page.next.isVisible()
    small_px = page.sensor.curve.height()

    page.resize(1600, 1000)
    # By how much depends on the fonts: a small page scrolls where they are large, with room for the curve.
    least_px = max(small_px, 2 * page.sensor.curve.minimumSizeHint().height())
    qtbot.waitUntil(lambda: page.sensor.curve.height() > least_px, timeout=10_000)

    assert page.next.isVisible()
    body = page.centralWidget().widget()
    forms = [page.sensor, page.stimulus, page.model, page.recording, page.runs, page.next]
    bottoms = [form.mapTo(body, form.rect().bottomRight()).y() for form in forms]
    assert bottoms[1] == bottoms[-1]  # both columns end together
    assert bottoms[-1] > 0.8 * body.height()


def test_a_refused_run_leaves_its_word_and_a_page_that_works(qtbot, page, tmp_path):
    page.state.choose(shown=Shown.ELSEWHERE, model="")  # no model is installed in this home
    page.redraw()

    click(page.runs.start_button)
    assert not page.runs.start_button.isEnabled()
    qtbot.waitUntil(lambda: page.state.progress.code is not None, timeout=60_000)
    page.redraw()

    assert page.state.run_text.level is Level.BAD
    assert "expected an installed model" in page.runs.verdict.text.text()
    assert page.runs.start_button.isEnabled()
    assert not page.runs.report_button.isEnabled()
    kept = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    assert kept["shown"] == "elsewhere"


def test_what_keeps_the_page_from_its_files_is_told(qtbot, page, tmp_path):
    (tmp_path / "settings.json").mkdir()
    page.state.choose(shown=Shown.ELSEWHERE, record=False)
    page.redraw()

    click(page.runs.start_button)

    assert "settings.json cannot be written (Is a directory)" in page.runs.problem.text()
    assert page.state.is_running  # it goes on without


class StandingRun:
    """A run that goes on until it is stopped."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def progress(self):
        from rtasmr.start.run import Progress

        return Progress("", {}, 0 if "stop" in self.calls else None, {})

    def stop(self) -> None:
        self.calls.append("stop")

    def wait(self, timeout_s: float) -> bool:
        assert timeout_s > 1.0
        self.calls.append("wait")
        return True

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.parametrize(
    ("answer", "calls", "stays"),
    [(None, [], True), (False, ["close"], False), (True, ["stop", "wait", "close"], False)],
    ids=["stay", "leave it running", "stop it"],
)
def test_closing_the_page_ends_no_run_unasked(page, answer, calls, stays):
    run = StandingRun()
    page._run = run
    page._poll()
    page.ask_about_run = lambda: answer

    page.close()

    assert run.calls == calls
    assert page.isVisible() is stays
    run.stop()  # let the page of the first case go


def test_stop_asks_the_run_to_end(qtbot, page):
    page._run = run = StandingRun()
    page._poll()

    click(page.runs.stop_button)
    page._poll()

    assert run.calls == ["stop", "close"]
    assert not page.runs.stop_button.isEnabled()


def test_the_page_goes_behind_what_it_starts_and_comes_back_at_the_end(page, ready_state, monkeypatch):
    moves: list[str] = []
    monkeypatch.setattr(page, "lower", lambda: moves.append("lower"))
    monkeypatch.setattr(page, "raise_", lambda: moves.append("raise"))
    run = StandingRun()
    monkeypatch.setattr("rtasmr.start.page.Run", lambda _words: run)
    page.state = ready_state
    page.start_run()
    page._poll()
    assert moves == ["lower"]
    run.stop()
    page._poll()
    assert moves == ["lower", "raise"]


def test_what_runs_is_named_as_such(page):
    page.state.choose(shown=Shown.ELSEWHERE)
    page.redraw()
    assert page.runs.command_name.text() == "The same as a command line:"
    before = page.runs.command.toPlainText()

    page.state.begin_run(page.state.choice.words(), page.state.choice.recording, StandingRun().progress())
    page.state.choose(record=False)
    page.redraw()

    assert page.runs.command_name.text() == "What runs, as a command line:"
    assert page.runs.command.toPlainText() == before
    assert page.recording.next_file.text() == "Recording to session_001.xdf"


def test_a_disk_that_is_nearly_full_is_told_where_the_folder_is(page, set_free_bytes):
    assert not page.recording.room.isVisible()
    set_free_bytes(10**8)
    page.redraw()
    assert page.recording.room.isVisible()
    assert "100 MB are free" in page.recording.room.text()


def test_a_helper_that_dies_leaves_its_word(qtbot, page, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    page.look(Kind.POLAR)

    qtbot.waitUntil(lambda: bool(page.state.search_notes), timeout=10_000)
    assert page.state.search_notes[0].startswith("polar: ")
    assert page.sensor.notes.isVisible()
    assert page.sensor.search_button.isEnabled()


def test_a_search_fills_the_page(qtbot, open_start_page, tiny_home, monkeypatch, tmp_path):
    page = open_start_page(StartState(Choice(folder=str(tmp_path)), is_first=True))
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))

    page.look(Kind.MODELS)

    qtbot.waitUntil(lambda: page.model.box.count() == 2, timeout=60_000)
    assert page.model.box.currentText() == "Newest: tiny (demo)"
    assert page.model.notices.isVisible()


def test_streams_are_looked_for_and_checked_where_asked(qtbot, page, monkeypatch):
    from rtasmr.start import page as module

    started: list[tuple[str, ...]] = []
    child = module.Child

    def note(*words: str, parent):
        started.append(words)
        return child("platform", parent=parent)  # any program that ends

    monkeypatch.setattr(module, "Child", note)
    pick(page.sensor.box, "simulated")
    page.look(Kind.STREAMS, Kind.SERIAL)
    click(page.sensor.network)
    click(page.sensor.check_button)

    assert started == [
        ("rtasmr.start.find", "streams", "--tied"),
        ("rtasmr.start.find", "serial", "--tied"),
        ("rtasmr.start.find", "streams", "--tied", "--network"),
        ("rtasmr.start.check", "--tied", "--network", "--", "simulated"),
    ]


def test_the_page_fits_its_display_with_its_title(qtbot, open_start_page, ready_state, monkeypatch):
    from pyqtgraph.Qt import QtCore, QtWidgets

    class Screen:
        def availableSize(self) -> QtCore.QSize:
            return QtCore.QSize(1024, 640)

    monkeypatch.setattr(QtWidgets.QApplication, "primaryScreen", staticmethod(Screen))
    sizes = []
    monkeypatch.setattr(QtWidgets.QMainWindow, "resize", lambda _self, size, *_: sizes.append(size))
    open_start_page(ready_state)
    assert sizes[0] == QtCore.QSize(1024, 600)
