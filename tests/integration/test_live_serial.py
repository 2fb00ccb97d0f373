"""A serial sensor that the runtime starts by itself, killed and started again."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks
from pty_board import Board

from rtasmr.report import read_account
from rtasmr.sources.simulated import SimulatedPulse
from rtasmr.types import Status

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the source's process in /proc"),
]


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_a_serial_pulse_survives_its_source(tiny_home, tmp_path, rng):
    """14 s; after 7 s the source is killed: the runtime starts it again and no slot goes without a record."""
    pulse = next(SimulatedPulse(200.0, rng, beats_per_min=72).blocks(24_000))
    counts = (2000 + 500 * pulse).astype(int)

    def encode(first: int, stop: int) -> bytes:
        return b"".join(b"S%d\r\n" % value for value in counts[first:stop])

    recording = tmp_path / "serial.xdf"
    with Board(tmp_path / "ttyPULSE") as board, LiveRun(tiny_home) as run:
        board.play(encode, len(counts), 200.0)
        live = run.live(
            *("--ppg", f"serial:{board.path},sfreq=200", "--duration", 14, "--wait", 8),
            *("--record", recording),
        )
        while not any(line.get("tick", 0) >= 70 for _, line in run.lines):
            assert live.poll() is None, run.said
            time.sleep(0.05)
        (source,) = children(live.pid)
        os.kill(source, signal.SIGKILL)
        account = run.end(live)
    check_ticks(account, 140)
    assert account["sources"] == {"ppg": {"state": "running", "restarts": 1}}
    assert account["absent"] == ["sound", "picture"]
    assert "ended with code -9; starting it again" in run.said
    assert str(tmp_path) not in recording.read_bytes().decode("latin-1")
    records = read_account(recording).records
    lost = [r.tick for r in records[50:] if r.status is not Status.OK]
    assert 0 < len(lost) < 70
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert records[-1].status is Status.OK
    assert all(np.isnan(records[tick].p) for tick in lost)
