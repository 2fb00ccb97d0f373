"""The window over a long time, and what it does to the runtime: latency with and without it, side by side."""

from __future__ import annotations

import gc
import os
import select
import shutil
import time
from pathlib import Path

import pytest
from drawn_session import show
from live_runs import LiveRun, check_ticks
from processes import PROC, cpu_seconds, resident_mb
from x_windows import find_window, press_close, windows_of

from rtasmr.link import SnapshotClient, SnapshotServer, SnapshotStore

pytestmark = [
    pytest.mark.soak,
    pytest.mark.lsl,
    pytest.mark.gui,
    pytest.mark.timeout(4 * 3600),
    pytest.mark.skipif(not PROC.exists() or not os.environ.get("DISPLAY"), reason="needs X11 and /proc"),
]

PPG_SFREQ = 2000
HISTORY_RECORDS = 100
"""Short, so that it is full, and memory settled, soon."""


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


def test_window_for_half_an_hour(soak, qtbot):
    """18 000 snapshots, two a tick, as fast as they can be drawn: objects and memory."""
    from pyqtgraph.Qt import QtWidgets

    from rtasmr.view.mainwindow import MainWindow
    from rtasmr.view.state import ViewState

    n_snapshots = max(600, round(18_000 * soak.scale))
    store = SnapshotStore(history=HISTORY_RECORDS)
    with SnapshotServer(store) as server:
        client = SnapshotClient(server.link_file)
        window = MainWindow(client)
        qtbot.addWidget(window)
        window.state = ViewState(history=HISTORY_RECORDS)
        window.resize(1024, 640)
        window.show()
        before = (0, 0.0)
        for i in range(n_snapshots):
            show(store, i // 2, i % 2)
            client.ask()
            select.select([client.fileno], [], [])  # as the event loop waits for an answer
            while window.state.snapshot.revision != store.revision:
                window.tick()
            QtWidgets.QApplication.processEvents()
            if i == n_snapshots // 2:
                gc.collect()
                before = (len(gc.get_objects()), resident_mb(PROC / "self"))
        gc.collect()
        grown = (len(gc.get_objects()) - before[0], resident_mb(PROC / "self") - before[1])
    soak.finish(
        {
            "snapshots": (n_snapshots, ""),
            "objects more in the second half": (grown[0], "< 1000"),
            "memory more in the second half, MB": (grown[1], "< 1"),
        }
    )
    assert grown[0] < 1000
