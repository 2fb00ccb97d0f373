"""What benchmarks share: where figures go, what is measured on, the models and the stimuli.

A benchmark never fails because something was slow: it asserts that the work was done, and hands its
figures to ``ledger``. They are printed as tables at the end, and written as JSON with ``--bench-out FILE``.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from full_size import served, stimulus  # noqa: F401 - fixtures
from numpy.typing import NDArray

from offline.simulation import simulate
from rtasmr.dataset import DataSet

PUBLISHED_SIZE = (320, 180)
"""Picture size at which the published pipeline's CPU seconds were taken."""

SECTIONS = (
    "live, milliseconds",
    "live, parts of a tick, milliseconds",
    "live, processes",
    "live, the media source, milliseconds per call",
    "viewers, a tick of all of them, milliseconds",
    "the window, milliseconds of CPU per redraw",
    "one call, milliseconds",
    "offline, seconds of CPU",
)
"""Tables in the order in which they are printed, whatever the order of the tests."""

SORTED_SECTIONS = SECTIONS[-2:]
"""Tables that several tests fill, in any order: printed by name."""


@dataclass
class Ledger:
    """Collects the figures of a run."""

    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in SECTIONS})

    def add(self, section: str, name: str, **columns: Any) -> None:
        """Add one row; floats as measured, everything else as text."""
        self.tables[section].append({"": name, **columns})

    def add_durations(
        self, section: str, name: str, wall_s: Sequence[float], cpu_s: Sequence[float], **columns: Any
    ) -> None:
        """Add one row of percentiles of the same work done many times."""
        p50, p99 = np.percentile(wall_s, [50, 99]) * 1000
        self.add(
            section,
            name,
            n=str(len(wall_s)),
            p50=float(p50),
            p99=float(p99),
            max=float(np.max(wall_s)) * 1000,
            cpu_mean=float(np.mean(cpu_s)) * 1000,
            **columns,
        )

    def rows(self, section: str) -> list[dict[str, Any]]:
        """Return the rows of a table as they are printed."""
        rows = self.tables[section]
        return sorted(rows, key=lambda row: row[""]) if section in SORTED_SECTIONS else rows

    def lines(self) -> Iterator[str]:
        """Yield the tables as text."""
        for section in SECTIONS:
            rows = self.rows(section)
            if not rows:
                continue
            columns = list(dict.fromkeys(key for row in rows for key in row))
            cells = [[_cell(row.get(key, "")) for key in columns] for row in rows]
            widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
            yield ""
            yield section
            for line in (columns, *cells):
                first, *rest = line
                aligned = [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
                yield "  ".join(["  " + first.ljust(widths[0]), *aligned]).rstrip()


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


LEDGER = pytest.StashKey[Ledger]()
LOAD_BEFORE = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench-out", type=Path, default=None, help="write the figures to this JSON file")


@pytest.fixture(scope="session")
def ledger(pytestconfig: pytest.Config) -> Ledger:
    pytestconfig.stash[LOAD_BEFORE] = os.getloadavg()[0]
    return pytestconfig.stash.setdefault(LEDGER, Ledger())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = config.stash.get(LEDGER, None)
    if ledger is None:
        return
    facts = {
        **machine(),
        "load before and after": f"{config.stash[LOAD_BEFORE]:.1f}, {os.getloadavg()[0]:.1f}",
        "commit": commit(),
        "command": f"python -m pytest {' '.join(config.invocation_params.args)}",
    }
    terminalreporter.section("benchmarks")
    for key, value in facts.items():
        terminalreporter.write_line(f"{key}: {value}")
    for line in ledger.lines():
        terminalreporter.write_line(line)
    # The option is known only where this folder was named on the command line.
    out: Path | None = config.getoption("--bench-out", default=None)
    if out is not None:
        tables = {section: ledger.rows(section) for section in SECTIONS}
        out.write_text(json.dumps({**facts, "tables": tables}, indent=1) + "\n", encoding="utf-8")
        terminalreporter.write_line(f"\nfigures: {out}")


def machine() -> dict[str, str]:
    """Return what was measured on; nothing that names the host."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text(encoding="utf-8").splitlines() if cpu_info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    packages = ("numpy", "scipy", "librosa", "pylsl", "av", "pillow", "polars")
    return {
        "machine": f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "software": ", ".join(
            [
                f"Python {platform.python_version()}",
                f"onnxruntime {onnxruntime.__version__}",
                *(f"{name} {version(name)}" for name in packages),
            ]
        ),
    }


def commit() -> str:
    """Return the checkout's revision, with a note where files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    note = " and uncommitted changes" if changed.stdout else ""
    return head.stdout.strip() + note if head.returncode == 0 else "unknown"


Times = tuple[NDArray[np.float64], NDArray[np.float64]]


@pytest.fixture
def repeat() -> Callable[..., Times]:
    """``repeat(call, n)``: wall and CPU seconds of each of ``n`` calls, after a few that do not count."""

    def run(call: Callable[[], object], n: int, n_before: int = 5) -> Times:
        for _ in range(n_before):
            call()
        wall_s, cpu_s = np.empty(n), np.empty(n)
        gc.collect()
        for i in range(n):
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            cpu_s[i], wall_s[i] = time.process_time() - cpu, time.perf_counter() - wall
        return wall_s, cpu_s

    return run


@pytest.fixture
def take() -> Callable[..., tuple[Any, float, float]]:
    """``take(call, n)``: last result, median wall and CPU seconds (all threads) of ``n`` long calls."""

    def run(call: Callable[[], Any], n: int = 1) -> tuple[Any, float, float]:
        wall_s, cpu_s = np.empty(n), np.empty(n)
        for i in range(n):
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            result = call()
            cpu_s[i], wall_s[i] = time.process_time() - cpu, time.perf_counter() - wall
        return result, float(np.median(wall_s)), float(np.median(cpu_s))

    return run


@pytest.fixture(scope="session")
def published_size_study(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """One participant with eight clips in the picture size at which the published pipeline was timed."""
    out = tmp_path_factory.mktemp("bench-study") / "study"
    return DataSet.open(simulate(out, participants=1, seed=11, scenario="tingle", size=PUBLISHED_SIZE))
