"""What the window costs: CPU of one redraw with every curve, and so of one core at 25 redraws a second.

CPU of the window's own thread, so that a busy machine spoils little; run it under a screen or Xvfb.
"""

from __future__ import annotations

import select
import time

import numpy as np
import pytest
from drawn_session import SessionClock, record_of, show, states

from rtasmr.link import SnapshotClient, SnapshotServer, SnapshotStore

pytestmark = [pytest.mark.bench, pytest.mark.gui, pytest.mark.timeout(600)]

SECTION = "the window, milliseconds of CPU per redraw"
HISTORY_TICKS = 5990
N_REDRAWS = 200
FRAME_S = 0.05
RATE_HZ = 25


@pytest.fixture
def store() -> SnapshotStore:
    """Ten minutes of history."""
    filled = SnapshotStore()
    for k in range(HISTORY_TICKS):
        if k % 10 == 0:
            show(filled, k)  # a reading of the pulse a second
        else:
            filled.update([record_of(k)])
    return filled


@pytest.mark.parametrize("span", ["1 min", "10 min", "all"])
def test_redraw(qtbot, ledger, store, span):
    from pyqtgraph.Qt import QtWidgets

    from rtasmr.view.mainwindow import MainWindow

    clock = SessionClock()
    with SnapshotServer(store) as server:
        client = SnapshotClient(server.link_file)
        window = MainWindow(client, clock=clock)
        qtbot.addWidget(window)
        window.resize(1400, 900)
        window.span_box.setCurrentText(span)
        window.show()
        cpu_s, wall_s = [], []
        for _ in states(store, N_REDRAWS // 2, HISTORY_TICKS):
            clock.now_s += FRAME_S
            client.ask()
            select.select([client.fileno], [], [])  # as the event loop waits for an answer
            cpu, wall = time.thread_time(), time.perf_counter()
            while window.state.snapshot.revision != store.revision:
                window.tick()
            QtWidgets.QApplication.processEvents()  # paints
            cpu_s.append(time.thread_time() - cpu)
            wall_s.append(time.perf_counter() - wall)
        assert len(window.state.columns) == HISTORY_TICKS + N_REDRAWS // 2
    # The first draws the history.
    p50, p99 = np.percentile(cpu_s[1:], [50, 99]) * 1000
    ledger.add(
        SECTION,
        f"last {span}",
        n=str(len(cpu_s) - 1),
        p50=float(p50),
        p99=float(p99),
        mean=float(np.mean(cpu_s[1:])) * 1000,
        core_at_25_hz=f"{100 * RATE_HZ * np.mean(cpu_s[1:]):.1f} %",
        target="p99 <= 20, core <= 15 %",
    )
