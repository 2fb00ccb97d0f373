"""Windows on the X display, found and operated with xdotool as a user would."""

from __future__ import annotations

import subprocess
from pathlib import Path

from live_runs import LiveRun
from processes import PROC

PATIENCE_S = 120


def xdotool(*words: object) -> str:
    """Run one command of xdotool and return what it says."""
    command = ["xdotool", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout


def find_window(title: str) -> str:
    """Wait for a window whose title matches and is to be seen; return its number."""
    return xdotool("search", "--sync", "--onlyvisible", "--name", title).split()[0]


def focus(title: str) -> None:
    """Give the keyboard to a window."""
    xdotool("windowfocus", "--sync", find_window(title))


def press_close(window: str) -> None:
    """Press Ctrl-W in a window, and release it wherever the keyboard is then: the window may be gone."""
    xdotool("windowfocus", window, "keydown", "--window", window, "ctrl+w")
    xdotool("keyup", "ctrl+w")


def windows_of(run: LiveRun) -> list[Path]:
    """Return the folders in /proc of the processes of a run that show its Tinglegram."""
    session = run.environment["RTASMR_LSL_SESSION"].encode()
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            words, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:  # not ours, or gone meanwhile
            continue
        if b"rtasmr.view" in words and session in environment:
            found.append(folder)
    return found
