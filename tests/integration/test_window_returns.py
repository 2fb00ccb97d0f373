"""The window of a run, killed and opened again; and closed by its user. Real LSL, a real window."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks
from numpy.typing import NDArray
from processes import PROC
from x_windows import find_window, press_close, windows_of

from rtasmr.report import read_account
from rtasmr.view.theme import LIGHT

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.gui,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PROC.exists() or not os.environ.get("DISPLAY"), reason="needs X11 and /proc"),
    pytest.mark.skipif(shutil.which("xdotool") is None, reason="needs xdotool"),
]

PATIENCE_S = 90.0
WARMUP_TICKS = 50


@pytest.fixture
def run(tiny_home: Path) -> Iterator[LiveRun]:
    """A run whose runtime no other on this machine can be taken for."""
    with tempfile.TemporaryDirectory() as folder, LiveRun(tiny_home) as started:
        started.environment["TMPDIR"] = folder
        started.command("rtasmr", "source", "simulated", "--sfreq", 250)
        yield started


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def screen(qapp) -> NDArray[np.uint8]:
    """What the display shows, shape (height, width, 3)."""
    from pyqtgraph.Qt import QtGui

    image = qapp.primaryScreen().grabWindow(0).toImage().convertToFormat(QtGui.QImage.Format.Format_RGB32)
    bits = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    return bits.reshape(image.height(), image.width(), 4)[:, :, 2::-1].copy()


def seconds_of_curve(qapp) -> float:
    """How much of the probability the screen shows, on its axis of one minute."""
    colour = np.array([int(LIGHT.curve[i : i + 2], 16) for i in (1, 3, 5)])
    rows = screen(qapp)[120:460]  # below the large number, above the pulse
    # The edges of a line are smoothed: where it lies between two rows, neither has its whole colour.
    is_curve = (np.abs(rows.astype(int) - colour) <= 40).all(axis=2)
    columns = np.flatnonzero(is_curve.any(axis=0))
    # The plot takes three quarters of the window of 1200 pixels.
    return 60 * len(columns) / 900


def newest_tick(run: LiveRun) -> int:
    return run.lines[-1][1]["tick"] if run.lines else -1


def test_a_killed_window_comes_back_with_the_history(qapp, run, tmp_path):
    recording = tmp_path / "kept.xdf"
    live = run.live("--wait", 4, "--require", "ppg", "--record", recording, window=True)
    run.wait_for("streams: ")
    until(lambda: newest_tick(run) > WARMUP_TICKS + 50, "no estimates")
    until(lambda: seconds_of_curve(qapp) > 0, "nothing was drawn")
    for window in windows_of(run):
        os.kill(int(window.name), signal.SIGKILL)
    run.wait_for("the window is gone; the run goes on")
    assert f"rtasmr window {live.pid}" in run.said
    killed_at = newest_tick(run)
    until(lambda: newest_tick(run) > killed_at + 20, "the run did not go on")

    again = run.command("rtasmr", "window", "--theme", "light")
    history_s = (killed_at - WARMUP_TICKS) / 10
    until(lambda: seconds_of_curve(qapp) >= 0.9 * history_s, "no history was drawn")
    live.terminate()
    account = run.end(live)
    assert again.wait(PATIENCE_S) == 0  # it closes with the run
    check_ticks(account, account["ticks"])
    assert account["ticks"] > killed_at + 20
    ticks = [record.tick for record in read_account(recording).records]
    assert ticks == list(range(account["ticks"]))


def test_closing_the_window_ends_the_run_in_order(run, tmp_path):
    recording = tmp_path / "closed.xdf"
    live = run.live("--wait", 4, "--require", "ppg", "--record", recording, window=True)
    run.wait_for("streams: ")
    until(lambda: newest_tick(run) > 10, "no records")
    until(lambda: windows_of(run), "no window")
    press_close(find_window("rtasmr Tinglegram"))
    account = run.end(live)
    check_ticks(account, account["ticks"])
    assert recording.exists()
    assert windows_of(run) == []
