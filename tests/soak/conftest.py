"""What the long runs share: a ledger that survives an interruption, a seed that is printed, a scale.

A part that is finished stands in ``results.json`` of the folder ``RTASMR_SOAK_OUT`` (``soak/``) and is not
run again; delete its entry, or the folder, to repeat it. ``RTASMR_SOAK_SCALE`` shortens every run (0.1: a
tenth), ``RTASMR_SOAK_SEED`` repeats one. A soak measures: what it asserts is that no tick was lost and
that everything ended well; its figures stand in ``results.json`` and ``results.md``.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_size import served, stimulus  # noqa: F401 - fixtures
from sound_servers import sound_server  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("RTASMR_SOAK_OUT", ROOT / "soak"))
SCALE = float(os.environ.get("RTASMR_SOAK_SCALE", "1"))
SEED = int(os.environ.get("RTASMR_SOAK_SEED", secrets.randbelow(2**31)))

Figures = dict[str, tuple[Any, str]]
"""Name of a figure to what was measured and what it should be (empty: nothing is asked)."""


@dataclass(frozen=True)
class Soak:
    """One part: how long it is, what it may draw on, and where its figures go."""

    name: str
    seed: int = SEED
    scale: float = SCALE

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def seconds(self, at_full_length: float, at_least: float) -> float:
        """Return how long to run, in whole seconds."""
        return max(at_least, round(at_full_length * self.scale))

    def finish(self, figures: Figures) -> None:
        """Keep the figures of this part."""
        results = _read()
        results[self.name] = {
            "seed": self.seed,
            "scale": self.scale,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "figures": {
                name: {"measured": value, "target": target} for name, (value, target) in figures.items()
            },
        }
        OUT.mkdir(parents=True, exist_ok=True)
        unfinished = OUT / "results.json.part"
        unfinished.write_text(json.dumps(results, indent=1), encoding="utf-8")
        unfinished.replace(OUT / "results.json")
        (OUT / "results.md").write_text(_table(results), encoding="utf-8")


@pytest.fixture
def soak(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Soak:
    """Return the part of this test, or skip it if it was finished before."""
    name = request.node.name.removeprefix("test_")
    if name in _read():
        pytest.skip(f"{name} is in {OUT / 'results.json'} already")
    with capsys.disabled():
        sys.stdout.write(f"\nsoak {name}: seed {SEED}, scale {SCALE:g}\n")
        sys.stdout.flush()
    return Soak(name)


@pytest.fixture(scope="session", autouse=True)
def show_table() -> Iterator[None]:
    """Print all figures at the end, those of earlier runs too."""
    yield
    if _read():
        sys.stdout.write("\n" + _table(_read()))


def _read() -> dict[str, Any]:
    path = OUT / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _table(results: dict[str, Any]) -> str:
    lines = ["| part | figure | measured | target | seed | scale |", "| --- | --- | --- | --- | --- | --- |"]
    for name, part in results.items():
        for figure, row in part["figures"].items():
            value = row["measured"]
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            lines.append(
                f"| {name} | {figure} | {shown} | {row['target']} | {part['seed']} | {part['scale']:g} |"
            )
    return "\n".join(lines) + "\n"


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
