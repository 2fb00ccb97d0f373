from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest
from x_windows import find_window

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is a screen")


@pytest.mark.parametrize("words", [("rtasmr", "start"), ("rtasmr.start",)], ids=["command", "program"])
def test_without_a_screen_one_line_names_the_way_out(words):
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}

    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: expected a screen for the start page")
    assert "rtasmr live --headless" in line


@pytest.mark.gui
@pytest.mark.skipif(
    not os.environ.get("DISPLAY") or shutil.which("xdotool") is None, reason="needs X11, xdotool"
)
@pytest.mark.usefixtures("hangups_heard")
@pytest.mark.parametrize(
    ("words", "number"),
    [(("rtasmr.start",), signal.SIGHUP), (("rtasmr", "start"), signal.SIGTERM)],
    ids=["program", "command"],
)
def test_asked_to_end_the_page_closes_in_order(tmp_path, words, number):
    environment = {**os.environ, "RTASMR_HOME": str(tmp_path)}
    command = [sys.executable, "-P", "-m", *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as page:
        find_window("rtasmr: set up a viewing")
        page.send_signal(number)
        _, said = page.communicate(timeout=60)
    assert page.returncode == 0, said
    assert "Traceback" not in said
