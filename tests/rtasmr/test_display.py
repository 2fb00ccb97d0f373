"""Qt is asked to leave OpenGL alone, for its own windows and for no longer than it decides."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rtasmr.display import without_gl

NAME = "QT_XCB_GL_INTEGRATION"


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
