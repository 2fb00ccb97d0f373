"""The live runtime at full input rates: pulse 2 kHz, sound 44.1 kHz, pictures 1280x720 at 30 per second.

Everything runs as a user runs it: two sources and ``rtasmr live --headless``, processes of their own,
over LSL. ``RTASMR_BENCH_S`` shortens the run (seconds).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import PROC, cpu_seconds, resident_mb, started

STOPWATCH = Path(__file__).with_name("stopwatch.py")
DURATION_S = float(os.environ.get("RTASMR_BENCH_S", "130"))

pytestmark = [pytest.mark.bench, pytest.mark.timeout(DURATION_S + 600)]

PPG_SFREQ = 2000
WARMUP_TICKS = 50
SETTLED_TICK = min(250, round(5 * DURATION_S))
"""Tick from which CPU counts: by then the model's window has its full length."""

TARGETS_MS = {
    "latency_ms": ("publish latency", "p50 <= 60, p99 <= 100"),
    "compute_ms": ("compute of a tick", "p99 <= 50"),
    "age_ms": ("age of the estimate", ""),
}


@dataclass(frozen=True)
class Mark:
    """What processes had used at one moment: CPU seconds of all threads, and resident memory in MB."""

    time_s: float
    cpu_s: dict[str, float]
    memory_mb: dict[str, float]

    @classmethod
    def of(cls, processes: dict[str, subprocess.Popen[str]]) -> Mark:
        folders = {name: PROC / str(process.pid) for name, process in processes.items()}
        return cls(
            time.monotonic(),
            {name: cpu_seconds(folder) for name, folder in folders.items()},
            {name: resident_mb(folder) for name, folder in folders.items()},
        )


def test_live_at_full_input_rates(served, stimulus, ledger, tmp_path):
    environment = {
        **os.environ,
        "RTASMR_HOME": str(served.home),
        "RTASMR_LSL_SESSION": f"bench-{uuid.uuid4().hex[:12]}",
    }
    n_ticks = round(10 * DURATION_S)
    python = [sys.executable, "-P"]  # without the working directory on its path
    timed = [*python, str(STOPWATCH)]
    commands = {
        "source media": [*timed, str(tmp_path / "media.json"), "source", "media", str(stimulus), "--loop"],
        "source simulated": [*python, "-m", "rtasmr", "source", "simulated", "--sfreq", str(PPG_SFREQ)],
        "live": [
            *timed,
            str(tmp_path / "live.json"),
            *("live", "--headless", "--json", "--duration", f"{DURATION_S:g}", "--provider", "cpu"),
            *("--wait", "20", "--require", "ppg,audio,video"),
        ],
    }
    logs = {name: tmp_path / f"{name}.log" for name in commands}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(started(command, environment, logs[name]))
            for name, command in commands.items()
        }
        live = processes["live"]
        marks, account = [], {}
        for line in live.stdout:
            account = json.loads(line)
            if PROC.exists() and account.get("tick", -1) >= SETTLED_TICK:
                marks.append(Mark.of(processes))
        code = live.wait()
    said = {name: log.read_text(encoding="utf-8") for name, log in logs.items()}
    assert code == 0, said["live"]
    assert (account["ticks"], account["missing"], account["duplicates"]) == (n_ticks, 0, 0)
    assert account["streams"].keys() == {"ppg", "sound", "picture"}
    assert account["status"]["ok"] > 0

    for key, (name, target) in TARGETS_MS.items():
        ledger.add("live, milliseconds", name, **account[key], target=target)
    status = ", ".join(f"{name} {n}" for name, n in account["status"].items())
    ledger.add("live, milliseconds", f"{n_ticks} ticks: {status}; missing 0, duplicates 0")

    for name in ("source media", "source simulated"):
        ledger.add("live, milliseconds", f"{name} {said[name].splitlines()[-1]}")

    report_parts(json.loads((tmp_path / "live.json").read_text(encoding="utf-8")), n_ticks, ledger)
    for part, times in json.loads((tmp_path / "media.json").read_text(encoding="utf-8")).items():
        ledger.add_durations(
            "live, the media source, milliseconds per call", part, times["wall"], times["cpu"]
        )
    if PROC.exists():
        report_processes(marks[0], marks[-1], ledger)
    else:
        ledger.add("live, processes", "not measured: this system has no /proc to read CPU time from")


def report_parts(parts, n_ticks, ledger):
    """One row per part of the runtime; the ticks of the warm-up, which have no model in them, left out."""
    section = "live, parts of a tick, milliseconds"
    for part, times in parts.items():
        wall, cpu = times["wall"], times["cpu"]
        assert len(wall) >= n_ticks
        # The model judges tick 50 when its look-ahead has come.
        settled = slice(WARMUP_TICKS + 10, None)
        ledger.add_durations(section, part, wall[settled], cpu[settled])


def report_processes(begin, end, ledger):
    """CPU per process between two moments, as a share of one core."""
    section = "live, processes"
    seconds = end.time_s - begin.time_s
    assert seconds > 0
    shares = {name: (end.cpu_s[name] - begin.cpu_s[name]) / seconds for name in end.cpu_s}
    for name, share in shares.items():
        ledger.add(
            section,
            f"rtasmr {name}",
            cores=share,
            target="<= 0.4" if name == "live" else "",
            start_mb=begin.memory_mb[name],
            end_mb=end.memory_mb[name],
            over_s=seconds,
        )
    ledger.add(section, "all together", cores=sum(shares.values()), target="<= 0.9")
