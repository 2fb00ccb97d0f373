"""Runs of the live runtime beside sources that fail: processes, apart from any other LSL on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAULTY_SOURCE = Path(__file__).with_name("faulty_source.py")
SLOW_MODEL = Path(__file__).with_name("slow_model.py")


@dataclass
class LiveRun:
    """``rtasmr live`` with its sources, in an LSL session of its own; use it as a context manager.

    Leaving it ends every process. ``lines`` holds what the runtime printed, each with the moment at which
    it came (``time.monotonic``).
    """

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    errors: list[tuple[float, str]] = field(default_factory=list)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        session = f"test-{uuid.uuid4().hex[:12]}"
        self.environment = {**os.environ, "RTASMR_HOME": str(self.home), "RTASMR_LSL_SESSION": session}

    def __enter__(self) -> LiveRun:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for reader in self._readers:
            reader.join(10)

    def source(self, *words: object) -> subprocess.Popen[str]:
        """Start ``faulty_source.py`` with these words."""
        return self._start([sys.executable, str(FAULTY_SOURCE), *map(str, words)])

    def command(self, *words: object) -> subprocess.Popen[str]:
        """Start one of our commands, such as ``rtasmr source media FILE``; its words are thrown away."""
        name, *rest = map(str, words)
        return self._start([sys.executable, "-P", "-m", name, *rest])

    def live(
        self, *words: object, window: bool = False, slow_model: Sequence[float] = ()
    ) -> subprocess.Popen[str]:
        """Start ``rtasmr live --json``, headless unless with a window, and note what it says.

        ``slow_model`` makes the model slow for a while; see ``slow_model.py``.
        """
        program = [str(SLOW_MODEL), *map(str, slow_model)] if slow_model else ["-P", "-m", "rtasmr"]
        command = [sys.executable, *program, "live", "--json", *map(str, words)]
        command += [] if window else ["--headless"]
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._processes.append(process)
        for read in (self._read_lines, self._read_errors):
            reader = threading.Thread(target=read, args=(process,), daemon=True)
            reader.start()
            self._readers.append(reader)
        return process

    def end(self, process: subprocess.Popen[str], timeout_s: float = 120) -> dict[str, Any]:
        """Wait for the runtime, which must end well, and return its account."""
        assert self.wait(process, timeout_s) == 0, self.said
        return self.lines[-1][1]

    def wait(self, process: subprocess.Popen[str], timeout_s: float = 120) -> int:
        """Wait for the runtime and for all that it says; return its exit code."""
        code = process.wait(timeout_s)
        for reader in self._readers:
            reader.join(10)
        return code

    def wait_for(self, text: str, timeout_s: float = 60) -> float:
        """Wait until the runtime has said something on stderr; return when it did."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for moment, line in self.errors.copy():
                if text in line:
                    return moment
            time.sleep(0.01)
        raise AssertionError(f"{text!r} did not come:\n{self.said}")

    def wait_for_line(
        self, fits: Callable[[dict[str, Any]], bool], first: int = 0, timeout_s: float = 60
    ) -> None:
        """Wait until the runtime has printed a line that fits, the ``first``-th or a later one."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if any(fits(line) for _, line in self.lines[first:]):
                return
            time.sleep(0.05)
        raise AssertionError(f"no line that fits came:\n{self.lines[-1:]}\n{self.said}")

    @property
    def said(self) -> str:
        """What the runtime wrote to stderr."""
        return "\n".join(line for _, line in self.errors)

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )
        self._processes.append(process)
        return process

    def _read_lines(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append((time.monotonic(), json.loads(line)))

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.errors.append((time.monotonic(), line.rstrip()))


def check_ticks(account: Mapping[str, Any], n_ticks: int) -> None:
    """Every slot has one record."""
    assert (account["ticks"], account["missing"], account["duplicates"]) == (n_ticks, 0, 0)
