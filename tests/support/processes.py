"""What a process has used, read from /proc (Linux)."""

from __future__ import annotations

import os
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
