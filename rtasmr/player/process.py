"""The player's process as seen from the runtime's."""

from __future__ import annotations

import contextlib
import json
import math
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from rtasmr.closing import Closing
from rtasmr.errors import RtasmrError
from rtasmr.link import SnapshotStore
from rtasmr.snapshot import Command, ProgrammeState

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 5.0
_ORDERS = {
    Command.PAUSE: "pause",
    Command.RESUME: "resume",
    Command.SKIP: "skip",
    Command.STOP: "stop",
}

_NO_NEWS = "QStandardPaths: "
"""How Qt begins its word on folders of the desktop that a user without a desktop session has not."""


class PlayerError(RtasmrError):
    """The player could not show the stimulus."""


class PlayerProcess(Closing):
    """A player that ends with this process; use it as a context manager.

    Parameters
    ----------
    words : list of str
        Its command line.
    say : callable
        Takes lines for people.

    Attributes
    ----------
    account : dict or None
        What the player said at its end; None if it did not get there.
    failure : str
        Why it ended before it had said how it went; empty while it runs and after an orderly end.
    """

    def __init__(self, words: list[str], say: Callable[[str], None]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rtasmr.player", "--tied", *words],
            stdin=subprocess.PIPE,  # the system closes it when this process ends, even if it is killed
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.account: dict[str, Any] | None = None
        self.failure = ""
        self._say = say
        self._complaint = ""
        self._ready: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._store: SnapshotStore | None = None
        self._programme: ProgrammeState | None = None
        assert self._process.stdout is not None  # both are pipes
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_facts, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_words, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def wait_ready(self) -> dict[str, str]:
        """Return the streams of the player, role to ``source_id``, as soon as they are open."""
        try:
            streams = self._ready.get(timeout=READY_TIMEOUT_S)
        except queue.Empty:
            raise PlayerError(
                f"expected the player to be ready within {READY_TIMEOUT_S:g} s, it is not; "
                "try 'python -m rtasmr.player FILE'"
            ) from None
        if streams is None:
            self.close()
            raise PlayerError(
                self._complaint or f"the player was closed before it began (code {self._process.returncode})"
            )
        return streams

    def wait_end(self) -> None:
        """Wait until everything was shown and is sent, or the player is gone."""
        self._ended.wait()
        if self.account is None:
            self.failure = self._complaint or "it gave no reason"
            self._say(f"the player has ended early ({self.failure}); what was recorded is kept")

    def ask_end(self) -> None:
        """Have the player end its clip now and say how it went; does not wait for it."""
        if self._process.poll() is None and self.account is None:
            self._process.terminate()

    def command(self, command: Command, step: int = 0) -> None:
        """Pass on what the experimenter's window asks for; what is not for a player is left out.

        ``step`` is the number of the item that is to be skipped; 0 is whatever is shown.
        """
        if command in _ORDERS:
            self._order(f"{_ORDERS[command]} {step}" if command is Command.SKIP else _ORDERS[command])

    def tell_estimate(self, text: str) -> None:
        """Have the player show the person this estimate, if it was asked to."""
        self._order(f"estimate {text}")

    def follow(self, store: SnapshotStore) -> None:
        """Write into the store from now on where the session is."""
        self._store = store
        if self._programme is not None:
            store.update(programme=self._programme)

    def close(self) -> None:
        """End the player in order if it still runs."""
        self.ask_end()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(END_TIMEOUT_S)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _order(self, line: str) -> None:
        pipe = self._process.stdin
        # A player that has ended takes no orders any more.
        with self._writing, contextlib.suppress(BrokenPipeError, ValueError):
            if pipe is not None:
                pipe.write(line + "\n")
                pipe.flush()

    def _read_facts(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                fact = json.loads(line)
                if "streams" in fact:
                    self._ready.put(fact["streams"])
                elif "programme" in fact:
                    self._note_programme(fact["programme"])
                else:
                    self.account = fact["account"]
                    self._ended.set()
        self._ready.put(None)
        self._ended.set()

    def _note_programme(self, fact: dict[str, Any]) -> None:
        left_s = math.nan if fact["left_s"] is None else float(fact["left_s"])
        self._programme = ProgrammeState(**{**fact, "left_s": left_s})
        if self._store is not None:
            self._store.update(programme=self._programme)

    def _read_words(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                text = line.rstrip()
                if text.startswith("error: "):
                    self._complaint = text.removeprefix("error: ")
                elif text and not text.startswith(_NO_NEWS):
                    self._say(f"player: {text}")
