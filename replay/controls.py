"""Pause and seek: keys or lines on standard input."""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TextIO

from rtasmr.errors import ConfigError

if sys.platform != "win32":
    import termios
    import tty

MAX_LINE_CHARS = 1000
_CHECK_S = 0.1

SKIP_S = 10.0
"""Session seconds that an arrow key skips."""

KEYS_HELP = f"space pauses and resumes, the left and right arrow skip {SKIP_S:g} s"
LINES_HELP = "lines 'pause', 'resume', 'seek S' or 'skip S', in session seconds"


@dataclass(frozen=True, slots=True)
class Command:
    """What the user wants: ``pause``, ``resume``, ``toggle``, ``seek`` to or ``skip`` by ``seconds``."""

    verb: str
    seconds: float = 0.0


KEYS = {
    " ": Command("toggle"),
    "\x1b[C": Command("skip", SKIP_S),
    "\x1b[D": Command("skip", -SKIP_S),
    "\x1bOC": Command("skip", SKIP_S),
    "\x1bOD": Command("skip", -SKIP_S),
}
"""What a terminal sends for the keys; arrows are three characters, in one of two ways."""


def parse_line(line: str) -> Command:
    """Read one line.

    Raises
    ------
    ConfigError
        If it is no command.
    """
    words = line.split()
    match words:
        case ["pause" | "resume" as verb]:
            return Command(verb)
        case ["seek" | "skip" as verb, number]:
            try:
                seconds = float(number)
            except ValueError:
                seconds = float("nan")
            if abs(seconds) < float("inf"):
                return Command(verb, seconds)
    raise ConfigError(f"expected {LINES_HELP}, got {line.strip()[:40]!r}")


class KeyParser:
    """Turns the characters of a terminal into commands; what is no key of ours is ignored."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, characters: str) -> list[Command]:
        """Take characters as they come; return the commands that they complete."""
        commands: list[Command] = []
        for character in characters:
            self._held += character
            if self._held in KEYS:
                commands.append(KEYS[self._held])
                self._held = ""
            elif not any(key.startswith(self._held) for key in KEYS):
                self._held = character if character == "\x1b" else ""
        return commands


class LineParser:
    """Turns lines into commands; what is none is told on stderr."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, characters: str) -> list[Command]:
        """Take characters as they come; return the commands that they complete."""
        *lines, rest = (self._held + characters).split("\n")
        self._held = rest[:MAX_LINE_CHARS]
        commands: list[Command] = []
        for line in lines:
            try:
                commands.append(parse_line(line))
            except ConfigError as error:
                sys.stderr.write(f"{error}\n")
        return commands


class Controls:
    """A queue of commands; without a reader it stays empty."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def put(self, command: Command) -> None:
        """Add a command, from any thread."""
        self._commands.put(command)

    def take(self) -> Command | None:
        """Return the next command, or None; never waits."""
        try:
            return self._commands.get_nowait()
        except queue.Empty:
            return None


@contextmanager
def listening(stdin: TextIO) -> Iterator[Controls]:
    """Read commands from ``stdin`` on a thread: keys of a terminal, lines of anything else.

    Raises
    ------
    ConfigError
        On Windows, where a console cannot be asked whether there is something to read.
    """
    if sys.platform == "win32":
        raise ConfigError("--control works on Linux and macOS, got Windows. Leave it out.")
    controls, ended = Controls(), threading.Event()
    number = stdin.fileno()
    is_terminal = os.isatty(number)
    parser = KeyParser() if is_terminal else LineParser()

    def read() -> None:
        # Never within a blocking read: the program could not end while one holds on to stdin.
        while not ended.is_set():
            if not select.select([number], [], [], _CHECK_S)[0]:
                continue
            if not (raw := os.read(number, MAX_LINE_CHARS)):
                return
            for command in parser.feed(raw.decode("utf-8", errors="replace")):
                controls.put(command)

    thread = threading.Thread(target=read, name="controls", daemon=True)
    with _single_keys(number) if is_terminal else nullcontext():
        thread.start()
        try:
            yield controls
        finally:
            ended.set()
            thread.join()


@contextmanager
def _single_keys(number: int) -> Iterator[None]:
    """Have a terminal hand over every key at once and unseen; undone at the end."""
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
