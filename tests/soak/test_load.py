"""Latency, CPU, memory and overload of the runtime with all three inputs at their full rates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks
from processes import PROC, cpu_seconds, n_files, n_threads, resident_mb

pytestmark = [
    pytest.mark.soak,
    pytest.mark.lsl,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.skipif(not PROC.exists(), reason="reads /proc"),
]

ACCELERATED = Path(__file__).parents[1] / "support" / "accelerated.py"
PPG_SFREQ = 2000
WARMUP_S = 30.0
"""Until the model's window is full and every source runs."""


@dataclass
class Watch:
    """Samples what a run's processes use, every second, on a thread of its own."""

    processes: dict[str, subprocess.Popen[str]]
    times: list[float] = field(default_factory=list)
    cpu_s: list[dict[str, float]] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def cores(self, name: str, since_s: float) -> float:
        """Return the mean number of cores that a process used, from a moment after the start on."""
        first = next(i for i, t in enumerate(self.times) if t - self.times[0] >= since_s)
        used = self.cpu_s[-1][name] - self.cpu_s[first][name]
        return used / (self.times[-1] - self.times[first])

    def between(self, since_s: float, until_s: float) -> slice:
        """Return the samples of a stretch, in seconds from the first: a runtime that ends gives back."""
        first, last = np.searchsorted(np.array(self.times) - self.times[0], [since_s, until_s])
        return slice(int(first), int(last))

    def slope_mb_per_h(self, settled: slice) -> float:
        """Return how fast the runtime's memory grows."""
        return float(np.polyfit(self.times[settled], self.rss_mb[settled], 1)[0] * 3600)

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            folders = {name: PROC / str(process.pid) for name, process in self.processes.items()}
            if any(process.poll() is not None for process in self.processes.values()):
                return
            self.times.append(time.monotonic())
            self.cpu_s.append({name: cpu_seconds(folder) for name, folder in folders.items()})
            self.rss_mb.append(resident_mb(folders["live"]))
            self.threads.append(n_threads(folders["live"]))
            self.files.append(n_files(folders["live"]))


def start_full_rates(run: LiveRun, stimulus: Path, *options: object) -> dict[str, subprocess.Popen[str]]:
    """Start the sources and the runtime; return its processes once it runs."""
    processes = {
        "media": run.command("rtasmr", "source", "media", stimulus, "--loop"),
        "pulse": run.command("rtasmr", "source", "simulated", "--sfreq", PPG_SFREQ),
        "live": run.live("--wait", 20, "--require", "ppg,audio,video", "--provider", "cpu", *options),
    }
    run.wait_for("streams: ")
    return processes


def test_latency(soak, served, stimulus):
    """Ten minutes at 2 kHz, 44.1 kHz and 720p at 30 per second."""
    seconds = soak.seconds(600, at_least=45)
    with LiveRun(served.home) as run:
        processes = start_full_rates(run, stimulus, "--duration", seconds)
        watch = Watch(processes)
        account = run.end(processes["live"], seconds + 120)
        watch.stop()
    check_ticks(account, round(10 * seconds))
    cores = {name: watch.cores(name, WARMUP_S) for name in processes}
    latency = account["latency_ms"]
    soak.finish(
        {
            "ticks": (account["ticks"], ""),
            "status": (json.dumps(account["status"]), ""),
            "publish latency p50, ms": (latency["p50"], "<= 60"),
            "publish latency p99, ms": (latency["p99"], "<= 100"),
            "publish latency max, ms": (latency["max"], ""),
            "compute p99, ms": (account["compute_ms"]["p99"], "<= 50"),
            "runtime, cores": (cores["live"], "<= 0.4"),
            "all processes, cores": (sum(cores.values()), "<= 0.9"),
        }
    )


def test_memory(soak, served, stimulus, tmp_path):
    """Half an hour of real time, recording; memory counts once ten minutes of history are full."""
    seconds = soak.seconds(1800, at_least=60)
    with LiveRun(served.home) as run:
        processes = start_full_rates(
            run, stimulus, "--duration", seconds, "--record", tmp_path / "memory.xdf"
        )
        watch = Watch(processes)
        account = run.end(processes["live"], seconds + 120)
        watch.stop()
    check_ticks(account, round(10 * seconds))
    settled = watch.between(min(660.0, seconds / 2), seconds - 5)
    soak.finish(
        {
            "ticks": (account["ticks"], ""),
            "missing": (account["missing"], "0"),
            "memory at the end, MB": (watch.rss_mb[settled][-1], ""),
            "memory slope, MB/h": (watch.slope_mb_per_h(settled), "<= 1"),
            "threads": (span(watch.threads[settled]), "constant"),
            "open files": (span(watch.files[settled]), "constant"),
        }
    )


def span(counts: list[int]) -> str:
    return f"{min(counts)} to {max(counts)}"


def test_hours(soak, tiny_home, tmp_path):
    """Two hours of session time on a simulated clock, with losses, clips, ratings and a recording."""
    hours = max(0.5, 2 * soak.scale)
    done = subprocess.run(
        [
            *(sys.executable, str(ACCELERATED), "--hours", f"{hours:g}", "--seed", str(soak.seed)),
            *("--record", str(tmp_path / "hours.xdf")),
        ],
        env={**os.environ, "RTASMR_HOME": str(tiny_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    states = [json.loads(line) for line in done.stdout.splitlines()]
    warm = [state for state in states if state["hours"] >= min(0.5, hours / 2)]
    at_h, rss_mb = (np.array([state[key] for state in warm]) for key in ("hours", "rss_mb"))
    soak.finish(
        {
            "session time, h": (states[-1]["hours"], ""),
            "ticks": (states[-1]["ticks"], ""),
            "missing": (states[-1]["missing"], "0"),
            "duplicates": (states[-1]["duplicates"], "0"),
            "memory slope, MB/h": (float(np.polyfit(at_h, rss_mb, 1)[0]), "<= 1"),
            "threads": (span([state["threads"] for state in warm]), "constant"),
            "open files": (span([state["files"] for state in warm]), "constant"),
        }
    )


def test_overload(soak, served, stimulus):
    """The runtime gets half the CPU it needs for a minute (stopped and let go on), then all of it again."""
    loaded_s = soak.seconds(60, at_least=20)
    with LiveRun(served.home) as run:
        processes = start_full_rates(run, stimulus)
        live = processes["live"]
        watch = Watch(processes)
        time.sleep(WARMUP_S)
        share = watch.cores("live", WARMUP_S / 2) / 2
        before_mb, began = watch.rss_mb[-1], time.monotonic()
        with throttled(live, share):
            time.sleep(loaded_s)
        ended = time.monotonic()
        under_load_mb = max(watch.rss_mb)
        time.sleep(15)
        watch.stop()
        live.send_signal(signal.SIGTERM)
        account = run.end(live)
        lags = [(moment, line["lag_ms"]) for moment, line in run.lines if "lag_ms" in line]
    check_ticks(account, account["ticks"])
    late = [moment - ended for moment, lag in lags if moment > ended and lag > 250]
    soak.finish(
        {
            "CPU share, cores": (share, "half of what is needed"),
            "seconds of load": (ended - began, ""),
            "ticks": (account["ticks"], ""),
            "missing": (account["missing"], "0"),
            "ticks skipped and marked": (account["samples"]["skipped_ticks"], ""),
            "worst lag under load, ms": (max((lag for _, lag in lags), default=float("nan")), ""),
            "memory added, MB": (under_load_mb - before_mb, "<= 50"),
            "lag above 250 ms after the load, s": (max(late, default=0.0), "<= 5"),
        }
    )


class throttled:
    """Hold a process to a share of one core: let it run until it has had its share of each 100 ms."""

    def __init__(self, process: subprocess.Popen[str], share: float) -> None:
        self._process = process
        self._share = share
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._process.send_signal(signal.SIGCONT)

    def _run(self) -> None:
        folder = PROC / str(self._process.pid)
        start, had = time.monotonic(), cpu_seconds(folder)
        while not self._ended.wait(0.01):
            allowed = self._share * (time.monotonic() - start)
            is_over = cpu_seconds(folder) - had > allowed
            self._process.send_signal(signal.SIGSTOP if is_over else signal.SIGCONT)
