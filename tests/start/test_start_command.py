from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
