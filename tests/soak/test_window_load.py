"""The window over a long time, and what it does to the runtime: latency with and without it, side by side."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_session import show
from live_runs import LiveRun, check_ticks
from processes import PROC, cpu_seconds, resident_mb
from x_windows import find_window, press_close, windows_of

from rtasmr.link import SnapshotServer, SnapshotStore

pytestmark = [
    pytest.mark.soak,
    pytest.mark.lsl,
    pytest.mark.gui,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.skipif(not PROC.exists() or not os.environ.get("DISPLAY"), reason="needs X11 and /proc"),
]

PPG_SFREQ = 2000
FRAME_S = 0.025
"""No window draws more often."""
N_READINGS = 100
"""Of the memory of a process, over a run."""


def window_of(run: LiveRun) -> Path:
    """Return the folder of the process that shows the window of this run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if folders := windows_of(run):
            return folders[0]
        time.sleep(0.05)
    raise AssertionError(f"no window came:\n{run.said}")


def test_window_beside_the_runtime(soak, served, stimulus):
    """The same run without and with its window."""
    seconds = soak.seconds(300, at_least=30)
    figures = {}
    for name in ("without", "with"):
        with LiveRun(served.home) as run:
            run.command("rtasmr", "source", "media", stimulus, "--loop")
            run.command("rtasmr", "source", "simulated", "--sfreq", PPG_SFREQ)
            live = run.live(
                *("--wait", 20, "--require", "ppg,audio,video", "--provider", "cpu"),
                *("--duration", seconds),
                window=name == "with",
            )
            run.wait_for("streams: ")
            if name == "with":
                folder = window_of(run)
                time.sleep(0.3 * seconds)
                began, cpu_s = time.monotonic(), cpu_seconds(folder)
                time.sleep(0.3 * seconds)
                cores = (cpu_seconds(folder) - cpu_s) / (time.monotonic() - began)
                figures["window, cores"] = (cores, "<= 0.15")
            account = run.end(live, seconds + 120)
        check_ticks(account, round(10 * seconds))
        latency, draw = account["latency_ms"], account["stages_ms"]["draw"]
        figures[f"publish latency p50 {name} a window, ms"] = (latency["p50"], "the same")
        figures[f"publish latency p99 {name} a window, ms"] = (latency["p99"], "the same")
    figures["from publication to the screen p50, ms"] = (draw["p50"], "<= 20")
    figures["from publication to the screen p99, ms"] = (draw["p99"], "")
    soak.finish(figures)


def test_window_attaches_and_closes(soak, tiny_home):
    """Seconds from the command to the first picture of a new window, and from Ctrl-W to the end of a run."""
    if shutil.which("xdotool") is None:
        pytest.skip("needs xdotool")
    n_times = max(2, round(10 * soak.scale))
    attached: list[float] = []
    ended: list[float] = []
    for _ in range(n_times):
        store = SnapshotStore()
        for k in range(600):
            show(store, k)
        with SnapshotServer(store) as server, LiveRun(tiny_home) as run:
            began = time.monotonic()
            run.command("rtasmr.view", "--attach", server.link_file)
            k = 600
            while store.drawn().max != store.drawn().max:  # NaN until a window says that it has drawn
                show(store, k)
                k += 1
                time.sleep(0.02)
                assert time.monotonic() - began < 120
            attached.append(time.monotonic() - began)
        with LiveRun(tiny_home) as run:
            run.command("rtasmr", "source", "simulated", "--sfreq", 250)
            live = run.live("--wait", 4, "--require", "ppg", window=True)
            run.wait_for("streams: ")
            window = find_window("rtasmr Tinglegram")
            time.sleep(4)
            began = time.monotonic()
            press_close(window)
            run.end(live)
            ended.append(time.monotonic() - began)
    soak.finish(
        {
            "times": (n_times, ""),
            "new window to its first picture, worst, s": (max(attached), "<= 3"),
            "closed window to the end of the run, worst, s": (max(ended), "<= 3"),
        }
    )


def test_window_for_half_an_hour(soak, tiny_home):
    """18 000 snapshots, two a tick, at the window's highest rate, in its own process: memory.

    Not in the process of the tests: an allocator that serves a gigabyte of libraries there grows by
    itself, by steps of some MB of which nothing is in use.
    """
    n_snapshots = max(
        6_000, round(18_000 * soak.scale)
    )  # it takes some 1500 until all that it needs is loaded
    store = SnapshotStore()
    with SnapshotServer(store) as server, LiveRun(tiny_home) as run:
        window = run.command("rtasmr.view", "--attach", server.link_file, "--size", "1024x640")
        folder = PROC / str(window.pid)
        resident: list[float] = []
        for i in range(n_snapshots):
            show(store, i // 2, i % 2)
            time.sleep(FRAME_S)
            if i % (n_snapshots // N_READINGS) == 0:
                resident.append(resident_mb(folder))
        assert window.poll() is None
        seconds = cpu_seconds(folder)
        drawn = store.drawn()
    middle, last = np.mean(resident[N_READINGS // 2 :][:10]).item(), np.mean(resident[-10:]).item()
    soak.finish(
        {
            "snapshots": (n_snapshots, ""),
            "from publication to the screen p50, ms": (drawn.p50, "<= 20"),
            "CPU of one snapshot, ms": (1000 * seconds / n_snapshots, ""),
            "memory at the end, MB": (last, ""),
            "memory more in the second half, MB": (last - middle, "< 1"),
        }
    )
    assert last - middle < 1.0
