"""What the user made of a window, and the next one has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtasmr.errors import DataError
from rtasmr.link import SnapshotServer, SnapshotStore
from rtasmr.view.remembered import KeptLook, load_look, look_file, save_look
from rtasmr.view.theme import DARK, LIGHT

LOOK = KeptLook("dark", 1100, 700)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def server() -> Iterator[SnapshotServer]:
    with SnapshotServer(SnapshotStore()) as running:
        yield running


def test_a_look_comes_back(home):
    assert load_look(look_file()) == KeptLook()
    save_look(LOOK, look_file())
    assert load_look(look_file()) == LOOK
    assert look_file().parent == home


@pytest.mark.parametrize(
    "content",
    [
        "dark",
        {"version": 2, "theme": "dark"},
        {"version": 1, "theme": "pink"},
        {"version": 1, "width": "wide"},
        {"version": 1, "width": -1, "height": 700},
        {"version": 1, "width": True},
        {"version": 1, "colour": "dark"},
    ],
)
def test_what_was_not_written_here_is_refused_in_one_line(home, content):
    home.mkdir()
    look_file().write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"expected settings of version 1 .*; the next change of the window"):
        load_look(look_file())


def opened(server: SnapshotServer, act: Callable[[Any], None], **given: Any) -> None:
    """Open a window as the program does, and close it after ``act`` has used it."""
    from pyqtgraph.Qt import QtCore, QtWidgets

    from rtasmr.view.application import LookKeeper, run_window
    from rtasmr.view.mainwindow import MainWindow

    def use() -> None:
        windows = (w for w in QtWidgets.QApplication.topLevelWidgets() if isinstance(w, MainWindow))
        window = next(w for w in windows if w.isVisible())
        if window.findChild(LookKeeper).given is None:
            QtCore.QTimer.singleShot(50, use)
            return
        try:
            act(window)
        finally:
            window.leave()

    QtCore.QTimer.singleShot(0, use)
    assert run_window(server.link_file, **given) == 0


@pytest.mark.gui
def test_the_next_window_has_the_colours_and_the_size_of_the_one_before(qtbot, server):
    from rtasmr.view.look import desktop_theme

    sizes, themes = [], []

    def look_at(window: Any) -> None:
        sizes.append((window.width(), window.height()))
        themes.append(window.theme)

    def change(window: Any) -> None:
        window.toggle_theme()
        window.resize(800, 510)
        # In time for a window that is killed, which has no last moment.
        qtbot.waitUntil(lambda: load_look(look_file()) == KeptLook("dark", 800, 510), timeout=30_000)
        window.resize(800, 520)  # in time for one that is closed at once

    opened(server, look_at, theme=LIGHT)
    assert not look_file().exists()  # nothing was chosen
    opened(server, change, theme=LIGHT)
    opened(server, look_at)
    opened(server, look_at, theme=LIGHT, size=(800, 540))
    opened(server, look_at, follows_desktop=True)
    assert sizes[1:] == [(800, 520), (800, 540), (800, 520)]
    assert themes == [LIGHT, DARK, LIGHT, desktop_theme()]
    assert load_look(look_file()) == KeptLook("dark", 800, 520)


@pytest.mark.gui
def test_settings_that_cannot_be_used_are_told_and_the_window_opens(qtbot, server, home, caplog):
    home.mkdir()
    look_file().write_text("nothing of ours")
    opened(server, lambda window: window.toggle_theme())
    (record,) = [record for record in caplog.records if record.name == "rtasmr.view.application"]
    assert "expected settings of version 1" in record.getMessage()
    assert load_look(look_file()).theme in ("light", "dark")


@pytest.mark.gui
@pytest.mark.parametrize(
    ("room", "kept", "beside_stimulus", "size"),
    [
        ((1920, 1040), KeptLook(), True, (1200, 800)),
        ((1600, 1000), KeptLook(), True, (1024, 800)),  # 576 for the stimulus
        ((1600, 1000), KeptLook(), False, (1200, 800)),
        ((1366, 768), KeptLook(), True, (1200, 728)),  # no room for both
        ((1600, 1000), KeptLook("", 1300, 900), True, (1300, 900)),
        ((1024, 640), KeptLook("", 1300, 900), False, (1024, 600)),
    ],
)
def test_a_window_is_no_larger_than_its_display(qtbot, server, room, kept, beside_stimulus, size):
    from pyqtgraph.Qt import QtCore

    from rtasmr.link import SnapshotClient
    from rtasmr.view.application import size_within
    from rtasmr.view.mainwindow import MainWindow

    window = MainWindow(SnapshotClient(server.link_file))
    qtbot.addWidget(window)
    window.devicePixelRatioF = lambda: 1.0
    given = size_within(QtCore.QRect(0, 0, *room), window, kept, beside_stimulus=beside_stimulus)
    assert (given.width(), given.height()) == size
