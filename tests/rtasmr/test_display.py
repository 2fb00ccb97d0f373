"""Qt is asked to leave OpenGL alone, for its own windows and for no longer than it decides."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys

import pytest

from rtasmr.display import display_problem, has_display, without_gl

NAME = "QT_XCB_GL_INTEGRATION"
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def test_the_wish_ends_with_the_block(monkeypatch):
    monkeypatch.delenv(NAME)
    with without_gl():
        assert os.environ[NAME] == "none"
    assert NAME not in os.environ


def test_a_users_own_choice_stays(monkeypatch):
    monkeypatch.setenv(NAME, "xcb_egl")
    with without_gl():
        assert os.environ[NAME] == "xcb_egl"
    assert os.environ[NAME] == "xcb_egl"


SHOW = """
import sys
from PyQt5.QtWidgets import QApplication, QWidget
from rtasmr.display import without_gl

with without_gl():
    application = QApplication(sys.argv)
    window = QWidget()
    window.winId()
window.show()
application.processEvents()
with open("/proc/self/maps") as file:
    print("libGLX_" in file.read())  # of a vendor; Qt itself is linked with the empty shell
"""


@pytest.mark.gui
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not use X11")
def test_a_window_shown_after_the_block_loads_no_opengl():
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.skipif(ctypes.util.find_library("xcb") is None, reason="needs X11's library")
@pytest.mark.parametrize(
    "words",
    [
        ("rtasmr", "start"),
        ("rtasmr.start",),
        ("rtasmr", "view", "clip.mp4"),
        ("rtasmr.player", "clip.mp4"),
        ("rtasmr.view", "--attach", "link"),
    ],
    ids=" ".join,
)
def test_a_screen_that_does_not_answer_is_one_line(words):
    environment = {name: text for name, text in os.environ.items() if name not in SCREENS}

    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        env=environment | {"DISPLAY": ":4711"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: expected a ")
    assert "the X server that DISPLAY names (':4711') does not answer; start it on a desktop" in line


@pytest.mark.gui
@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="needs X11")
def test_a_screen_that_was_asked_still_answers():
    """Asking leaves no server without a client: it would start anew, and refuse the next window."""
    ask = "from rtasmr.display import display_problem as ask; print([ask() for _ in range(20)])"
    done = subprocess.run(
        [sys.executable, "-c", f"{ask}; from PyQt5.QtWidgets import QApplication; QApplication([])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{[''] * 20}\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is a screen")
def test_no_screen_is_told(monkeypatch):
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)
    assert display_problem() == "DISPLAY is not set"
    assert not has_display()
