"""Every control of the window, by mouse and by key, and what it shows of a session's programme."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from drawn_session import show

from rtasmr.link import SnapshotClient, SnapshotServer, SnapshotStore
from rtasmr.snapshot import Command, RunState

pytestmark = pytest.mark.gui

N_TICKS = 480


@pytest.fixture
def store() -> SnapshotStore:
    filled = SnapshotStore()
    for k in range(N_TICKS):
        show(filled, k, demo=True)
    return filled


@pytest.fixture
def heard() -> list[Command]:
    return []


@pytest.fixture
def steps() -> list[int]:
    """Numbers of the items that the commands are about."""
    return []


@pytest.fixture
def server(store: SnapshotStore, heard: list[Command], steps: list[int]) -> Iterator[SnapshotServer]:
    def hear(command: Command, step: int) -> None:
        heard.append(command)
        steps.append(step)

    with SnapshotServer(store, on_command=hear) as running:
        yield running


@pytest.fixture
def window(qtbot, server: SnapshotServer):
    from rtasmr.view.mainwindow import MainWindow
    from rtasmr.view.theme import LIGHT

    opened = MainWindow(SnapshotClient(server.link_file), theme=LIGHT, ends_run=True)
    qtbot.addWidget(opened)
    opened.resize(1024, 640)
    opened.show()
    take(qtbot, opened, server)
    return opened


def take(qtbot, window, server) -> None:
    """Let the window take the newest state."""

    def taken() -> bool:
        window.tick()
        return window.state.snapshot.revision == server._store.revision

    qtbot.waitUntil(taken, timeout=30_000)


def press(qtbot, window, key: str) -> None:
    """Press a key where the keyboard is; the window need not be the active one."""
    from pyqtgraph.Qt import QtGui, QtWidgets

    (shortcut,) = [
        known for known in window.findChildren(QtWidgets.QShortcut) if known.key() == QtGui.QKeySequence(key)
    ]
    shortcut.activated.emit()


def axis_length(window) -> float:
    (left, right), _ = window.probability_plot.item.viewRange()
    return right - left


def test_plus_and_minus_change_the_time_axis_and_stop_at_its_ends(qtbot, window):
    assert axis_length(window) == pytest.approx(60.0)
    press(qtbot, window, "-")
    assert axis_length(window) == pytest.approx(120.0)
    assert window.trend_plot.item.viewRange()[0] == window.probability_plot.item.viewRange()[0]
    for _ in range(9):
        press(qtbot, window, "+")
    assert (window.span_box.currentText(), axis_length(window)) == ("30 s", pytest.approx(30.0))
    for _ in range(9):
        press(qtbot, window, "-")
    assert window.span_box.currentText() == "all"


def test_all_shows_the_session_from_its_start(qtbot, window):
    press(qtbot, window, "A")
    (left, right), _ = window.probability_plot.item.viewRange()
    assert left == pytest.approx(0.0)
    assert right >= N_TICKS / 10


def test_the_theme_changes_by_key_and_button_and_keeps_what_was_chosen(qtbot, window):
    from pyqtgraph.Qt import QtCore

    window.span_box.setCurrentText("2 min")
    press(qtbot, window, "T")
    assert window.theme.name == "dark"
    assert (window.span_box.currentText(), window.theme_button.text()) == ("2 min", "Light")
    assert len(window.probability_plot.curve.times) > 0  # drawn again, not left empty
    assert window.palette().window().color().name() == window.theme.background
    qtbot.mouseClick(window.theme_button, QtCore.Qt.MouseButton.LeftButton)
    assert window.theme.name == "light"


def test_it_follows_the_desktop_until_the_user_chooses(qtbot, server):
    from pyqtgraph.Qt import QtWidgets

    from rtasmr.view.look import palette_of
    from rtasmr.view.mainwindow import MainWindow
    from rtasmr.view.theme import DARK, LIGHT

    app = QtWidgets.QApplication.instance()
    before = app.palette()
    try:
        app.setPalette(palette_of(LIGHT))
        window = MainWindow(SnapshotClient(server.link_file))
        qtbot.addWidget(window)
        assert window.theme is LIGHT
        app.setPalette(palette_of(DARK))
        assert window.theme is DARK
        window.toggle_theme()
        app.setPalette(palette_of(DARK))
        assert window.theme is LIGHT
    finally:
        app.setPalette(before)


def test_the_help_page_opens_closes_and_has_every_notice(qtbot, window):
    press(qtbot, window, "?")
    assert window.help.isVisible()
    assert "DEMO MODEL" in window.help.notes.text()
    body = window.centralWidget().rect()
    assert body.contains(window.help.geometry())
    press(qtbot, window, "Esc")
    assert not window.help.isVisible()
    press(qtbot, window, "F1")
    window.help.close_button.click()
    assert not window.help.isVisible()
    window.help_button.click()
    assert window.help.isVisible()


def test_the_help_page_explains_every_stretch_and_every_key_and_fits(qtbot, window):
    from pyqtgraph.Qt import QtWidgets

    from rtasmr.view.help import LEGEND, REASONS
    from rtasmr.view.items import PATTERNS

    press(qtbot, window, "?")
    assert PATTERNS.keys() <= {mark for mark, _ in (*LEGEND, *REASONS)}
    said = " ".join(label.text() for label in window.help.findChildren(QtWidgets.QLabel))
    keys = [shortcut.key().toString() for shortcut in window.findChildren(QtWidgets.QShortcut)]
    assert "N" in keys
    ratings = [key for key in keys if key in "1234"]  # "1 to 4"
    assert [key for key in (*keys, "Alt+T") if key not in said and key not in ratings] == []
    assert window.programme.stop.shortcut().toString() == "Alt+T"
    assert "quality of the signal" in said
    assert "1 to 4 go to the window of the stimulus" in said
    assert "ends the session" in said
    page = window.help
    assert page.height() >= page.heightForWidth(page.width())  # nothing is cut at 1024 x 640


def test_many_notices_leave_the_picture_its_place(qtbot, window, store, server):
    from dataclasses import replace

    model = store.read().model
    store.update(model=replace(model, warnings=tuple(f"note {i}" for i in range(9))))
    take(qtbot, window, server)
    assert window.banner.text().splitlines()[-1] == "and 7 more: press ? to read them"
    assert len(window.banner.text().splitlines()) == 4
    press(qtbot, window, "?")
    assert "note 8" in window.help.notes.text()


def test_a_rating_key_pressed_here_is_told_to_go_elsewhere(qtbot, window, heard):
    from rtasmr.view.mainwindow import HINT_S, NOT_RATED

    window.tick()
    now = window._clock()
    before = window.banner.text()
    for key in "1234":
        window._hint_until = 0.0
        window.redraw()
        assert window.banner.text() == before
        press(qtbot, window, key)
        assert window.banner.text().split("\n") == [NOT_RATED, *before.split("\n")]
    assert heard == []
    window._clock = lambda: now + HINT_S + 60.0
    window.redraw()
    assert NOT_RATED not in window.banner.text()


def test_every_control_has_the_keyboard_in_its_turn(qtbot, window, store, server):
    from pyqtgraph.Qt import QtWidgets

    show(store, N_TICKS, programme=True)
    take(qtbot, window, server)
    order, widget = [], window.span_box
    for _ in range(40):
        order.append(widget)
        widget = widget.nextInFocusChain()
    named = (
        window.span_box,
        window.theme_button,
        window.help_button,
        window.programme.pause,
        window.programme.skip,
        window.programme.stop,
    )
    places = [order.index(control) for control in named]
    assert places == sorted(places)
    for control in named:
        assert control.accessibleName() or isinstance(control, QtWidgets.QPushButton)


def test_the_programme_is_shown_and_driven(qtbot, window, store, server, heard):
    assert not window.programme.isVisible()
    press(qtbot, window, "P")
    assert heard == []  # there is nothing to pause
    show(store, N_TICKS, programme=True)
    take(qtbot, window, server)
    assert window.programme.words.whole == "clip 1 of 8 · vid1 (tingling) · 0:12 left"
    assert window.programme.ahead.whole.startswith("next: ")
    press(qtbot, window, "P")
    press(qtbot, window, "N")
    window.programme.stop.click()
    assert heard == [Command.PAUSE, Command.SKIP]  # a first press asks
    window.programme.stop.click()
    assert heard == [Command.PAUSE, Command.SKIP, Command.STOP]


def test_pausing_twice_asks_for_the_same_and_a_paused_programme_is_resumed(
    qtbot, window, store, server, heard
):
    show(store, N_TICKS, programme=True)
    take(qtbot, window, server)
    press(qtbot, window, "P")
    press(qtbot, window, "P")  # before the runtime said that it is paused
    assert heard == [Command.PAUSE, Command.PAUSE]
    state = window.state.snapshot.programme
    assert state is not None
    store.update(programme=replace(state, paused=True))
    take(qtbot, window, server)
    window.programme.pause.click()
    assert heard[2:] == [Command.RESUME]


def test_next_names_the_item_that_it_leaves(qtbot, window, store, server, heard, steps):
    show(store, N_TICKS, programme=True)
    take(qtbot, window, server)
    press(qtbot, window, "N")
    press(qtbot, window, "N")  # before the runtime said that it has gone on
    assert (heard, steps) == ([Command.SKIP] * 2, [1, 1])
    show(store, 600, programme=True)  # the second clip
    take(qtbot, window, server)
    press(qtbot, window, "N")
    assert steps == [1, 1, 2]


def test_a_command_that_no_runtime_heard_is_said_beside_the_buttons(qtbot, window, store, server, heard):
    from rtasmr.view.programme_bar import UNHEARD

    show(store, N_TICKS, programme=True)
    take(qtbot, window, server)
    server.close(drain_s=0.0)
    window.programme.skip.click()
    assert heard == []
    assert window.programme.words.whole == UNHEARD


def test_a_user_who_closes_the_window_ends_the_run(qtbot, window, heard):
    press(qtbot, window, "Ctrl+W")
    assert heard == [Command.END]
    assert window.told


def test_a_window_closed_while_the_link_is_lost_still_ends_the_run(window, heard):
    window._client.close()
    window.state.lose_link("too busy to answer")
    window.close()
    assert heard == [Command.END]
    assert window.told


def test_a_window_that_no_runtime_hears_knows_it(window, server, heard, tmp_path):
    kept = tmp_path / "link.json"  # as that of a runtime that was killed
    kept.write_bytes(server.link_file.read_bytes())
    server.close(drain_s=0.0)
    window._client.link_file = kept
    window.close()
    assert heard == []
    assert not window.told


def test_a_window_that_leaves_or_comes_too_late_ends_nothing(qtbot, window, store, server, heard):
    window.leave()
    assert heard == []
    store.update(state=RunState.ENDED)
    window._ends_run = True
    window.state.feed(store.read(), 0.0)
    window.close()
    assert heard == []


def test_a_snapshot_is_drawn_as_soon_as_it_comes(qtbot, window, store):
    """No clock: the timer is far slower than the test is patient."""
    window._timer.start(3_600_000)
    window.tick()
    show(store, N_TICKS)
    qtbot.waitUntil(lambda: window.state.snapshot.revision == store.revision, timeout=30_000)
    show(store, N_TICKS + 1)
    qtbot.waitUntil(lambda: window.state.newest.tick == N_TICKS + 1, timeout=30_000)


def test_band_and_stretches_outside_the_training_are_drawn(window):
    assert window.probability_plot.band.n_parts == 2  # before and after the gap
    words = [span.word for span in window.probability_plot.spans.spans]
    assert words == ["warm-up", "gap", "outside training", "pending"]


def test_rate_and_quality_of_the_pulse_are_drawn_over_time(window):
    times, rate = window.trend_plot.rate.getData()
    assert times[-1] == pytest.approx(N_TICKS / 10, abs=1.1)
    assert 60 < rate[-1] < 80
    assert len(window.trend_plot.quality.getData()[0]) == len(times)


def test_a_thousand_changes_of_theme_and_axis_leave_nothing_behind(qtbot, window):
    import gc

    from pyqtgraph.Qt import QtCore, QtWidgets

    def settled() -> int:
        QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        QtWidgets.QApplication.processEvents()
        gc.collect()
        return len(gc.get_objects())

    for _ in range(2):
        window.toggle_theme()
    before = settled()
    for _ in range(6):
        window.toggle_theme()
    per_change = (settled() - before) / 6
    assert per_change < 200  # a window has many thousand
