"""Keys and lines as commands."""

from __future__ import annotations

import os
import pty
import termios
import time

import pytest

from replay.controls import Command, Controls, KeyParser, listening, parse_line
from rtasmr.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("pause\n", Command("pause")),
        (" resume ", Command("resume")),
        ("seek 12.5", Command("seek", 12.5)),
        ("skip -3", Command("skip", -3.0)),
    ],
)
def test_a_line_is_a_command(line: str, command: Command) -> None:
    assert parse_line(line) == command


@pytest.mark.parametrize("line", ["", "stop", "seek", "seek x", "seek nan", "seek 1 2", "pause 3"])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="'seek S'"):
        parse_line(line)


def test_keys_are_commands_however_they_are_cut() -> None:
    typed = " \x1b[Cx\x1b[D\x1b\x1bOC\x1b[Aq "
    expected = [
        Command("toggle"),
        Command("skip", 10.0),
        Command("skip", -10.0),
        Command("skip", 10.0),
        Command("toggle"),
    ]
    assert KeyParser().feed(typed) == expected
    parser = KeyParser()
    assert [command for character in typed for command in parser.feed(character)] == expected


def taken(controls: Controls, n: int) -> list[Command]:
    """Wait for ``n`` commands of the reading thread."""
    commands: list[Command] = []
    deadline = time.monotonic() + 20
    while len(commands) < n:
        assert time.monotonic() < deadline
        command = controls.take()
        if command is None:
            os.sched_yield()
        else:
            commands.append(command)
    return commands


def test_a_terminal_hands_over_single_keys_and_is_put_back() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        before = termios.tcgetattr(theirs)
        with listening(stdin) as controls:
            os.write(ours, b" \x1b[C")
            assert taken(controls, 2) == [Command("toggle"), Command("skip", 10.0)]
        assert termios.tcgetattr(theirs) == before
    os.close(ours)


def test_lines_are_read_from_anything_else(capfd: pytest.CaptureFixture[str]) -> None:
    out, into = os.pipe()
    with os.fdopen(out, "r") as stdin, listening(stdin) as controls:
        os.write(into, b"pause\nhalt\nseek 3\n")
        os.close(into)
        assert taken(controls, 2) == [Command("pause"), Command("seek", 3.0)]
    assert "got 'halt'" in capfd.readouterr().err
