"""Commands as processes, and what a process has used, read from /proc (Linux)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")


def cpu_seconds(folder: Path) -> float:
    """Read user and system time; the process's name, which may hold spaces, stands in brackets before."""
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(folder: Path) -> float:
    pages = int((folder / "statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def n_threads(folder: Path) -> int:
    return len(list((folder / "task").iterdir()))


def n_files(folder: Path) -> int:
    return len(list((folder / "fd").iterdir()))


@contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command as long as the block lasts; then end it as SIGTERM does, and wait.

    What it says goes to ``log``; what ``live`` prints can be read from its ``stdout``.
    """
    with log.open("w", encoding="utf-8") as said:
        stdout = subprocess.PIPE if "live" in command else said
        with subprocess.Popen(command, env=environment, stdout=stdout, stderr=said, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()
