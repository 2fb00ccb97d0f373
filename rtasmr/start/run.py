"""One run that the page started: a process that outlives the page, whatever happens to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TAIL_BYTES = 500_000
"""A final account names every clip of a session."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has said so far.

    Parameters
    ----------
    line : str
        The newest line for people; its error where it ended with one.
    status : mapping
        The newest status object of ``--json``; empty before the first one.
    code : int or None
        Exit code; None while it runs.
    account : mapping
        The final account; empty where there is none.
    """

    line: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    code: int | None = None
    account: dict[str, Any] = field(default_factory=dict)


class Run:
    """A command of ours in a process and a session of its own; it writes to files, not into pipes.

    If the page dies, no pipe breaks and no signal of its terminal reaches the run.

    Parameters
    ----------
    words : sequence of str
        What follows ``rtasmr``; ``--json`` is added.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(self, words: Sequence[str]) -> None:
        # Windows removes no file that is still written to.
        self._folder = tempfile.TemporaryDirectory(prefix="rtasmr-start-", ignore_cleanup_errors=True)
        self._facts, self._words = (Path(self._folder.name) / name for name in ("facts", "words"))
        with self._facts.open("wb") as facts, self._words.open("wb") as lines:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rtasmr", *words, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=facts,
                stderr=lines,
                start_new_session=os.name == "posix",
            )

    def progress(self) -> Progress:
        """Return what the run has said."""
        code = self._process.poll()
        lines = _tail(self._words)
        # Backwards: there are thousands of lines after a while, and the page asks four times a second.
        newest = next(filter(None, map(_fact, reversed(_tail(self._facts)))), {})
        if code is None or "ticks" not in newest:
            status = newest if "tick" in newest else {}
            return Progress(_telling(lines), status, code)
        return Progress(_telling(lines), {}, code, newest)

    def stop(self) -> None:
        """Ask the run to end in order; does not wait."""
        if self._process.poll() is None:
            self._process.terminate()

    def wait(self, timeout_s: float) -> bool:
        """Return whether the run has ended, after at most ``timeout_s`` seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.poll() is not None

    def close(self) -> None:
        """Forget the run and what it has said; one that still runs goes on."""
        self._folder.cleanup()


def _telling(lines: Sequence[str]) -> str:
    """Return the error of a run, or else its newest line."""
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[-1] if errors else (lines[-1] if lines else "")


def _tail(path: Path) -> list[str]:
    """Return the last whole lines of a file that grows."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    lines = text[: text.rfind("\n") + 1].splitlines()
    return lines[1:] if start else lines


def _fact(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
