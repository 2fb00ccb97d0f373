"""``rtasmr start``: the page as a process of its own, as every window of ours."""

from __future__ import annotations

import subprocess
import sys

import typer

from rtasmr.display import has_display
from rtasmr.errors import ConfigError

NO_SCREEN = (
    "expected a screen for the start page, DISPLAY is not set; start it on a desktop, or use "
    "'rtasmr live --headless' here"
)


def start() -> None:
    """Set up a viewing in a window: sensor and its check, video, model, recording."""
    if not has_display():
        raise ConfigError(NO_SCREEN)
    raise typer.Exit(subprocess.call([sys.executable, "-P", "-m", "rtasmr.start"]))
