"""What is said of a window's process that has gone."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from rtasmr import live

WAITS = "import sys; sys.stdin.read()"
FAILS = "raise SystemExit(3)"


def watched(monkeypatch, program: str, *, is_over: bool) -> list[str]:
    """Run a program in the place of the window, and return what was said once it is gone."""
    popen = subprocess.Popen
    started: list[subprocess.Popen[bytes]] = []

    def stand_in(*_: object) -> subprocess.Popen[bytes]:
        started.append(popen([sys.executable, "-c", program], stdin=subprocess.PIPE))
        return started[0]

    monkeypatch.setattr(live, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": stand_in}))
    monkeypatch.setattr(live, "WINDOW_CLOSE_S", 0.01 if program == WAITS else 60.0)
    over, said = threading.Event(), []
    if is_over:
        over.set()
    with ExitStack() as stack:
        live._open_window(
            SimpleNamespace(link_file="link", label="4711"), over, stack, said.append, beside_stimulus=False
        )
    for thread in threading.enumerate():
        if thread.name == "window-watch":
            thread.join(60)
    with started[0] as process:
        assert process.wait(60) != 0
    return said


@pytest.mark.parametrize("program", [WAITS, FAILS], ids=["did not close", "failed"])
def test_after_the_run_nothing_is_said_of_its_window(monkeypatch, program):
    assert watched(monkeypatch, program, is_over=True) == []


def test_a_window_that_fails_during_the_run_is_told(monkeypatch):
    (line,) = watched(monkeypatch, FAILS, is_over=False)

    assert line.endswith("the run goes on. Open it again with: rtasmr window 4711")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, set()),
        ({"beside_stimulus": True}, {"--beside-stimulus"}),
        ({"beside_stimulus": True, "behind_stimulus": True}, {"--beside-stimulus", "--behind-stimulus"}),
    ],
)
def test_the_window_knows_what_it_must_not_cover(monkeypatch, given, asked):
    commands: list[list[str]] = []
    popen = subprocess.Popen

    def stand_in(command: list[str]) -> subprocess.Popen[bytes]:
        commands.append(command)
        return popen([sys.executable, "-c", ""])

    monkeypatch.setattr(live, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": stand_in}))
    with ExitStack() as stack:
        link = SimpleNamespace(link_file="link", label="4711")
        live._open_window(link, threading.Event(), stack, lambda _: None, **given)
    (command,) = commands
    assert {word for word in command if word.endswith("-stimulus")} == asked
