"""Worker processes end with whoever started them; nothing is left computing for nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from offline.processes import worker_pool
from rtasmr.errors import DataError

POOL = """
import time
from offline.processes import worker_pool
with worker_pool(2) as pool:
    waiting = [pool.submit(time.sleep, 600) for _ in range(2)]
    pool.submit(len, ()).cancel()
    print("ready", flush=True)
    waiting[0].result()
"""
SESSIONS = """
import sys, time
from pathlib import Path
import numpy as np
from offline.technical_validation import measure_behaviour
from rtasmr.dataset import DataSet
def wait(what, share):
    print("ready", flush=True)
    time.sleep(600)
measure_behaviour(DataSet.open(Path(sys.argv[1])), np.random.default_rng(1), 2, wait)
"""


@pytest.mark.parametrize("script", [POOL, SESSIONS], ids=["pool", "pulse sessions"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_its_parent_or_speaks_after_it(
    script: str, sent: signal.Signals, simulated_set: Path
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", script, simulated_set],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(sent)
        # The pipe ends when the last process that holds it is gone; the time limit is a safety net only.
        _, told = parent.communicate(timeout=60)
        assert parent.returncode == -sent
        assert "resource_tracker" not in told
        assert sent is signal.SIGINT or told == ""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)


def test_where_ctrl_c_is_ignored_workers_ignore_it_too() -> None:
    script = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
import polars  # sets a handler of its own below Python's
from offline.processes import worker_pool
with worker_pool(1) as pool:
    pool.submit(len, ()).result()
    print("ready", flush=True)
    sys.stdin.readline()
    print(pool.submit(len, "abc").result())
"""
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    os.killpg(run.pid, signal.SIGINT)
    assert run.communicate("\n", timeout=60)[0] == "3\n"
    assert run.returncode == 0


def test_a_worker_ended_from_outside_is_named() -> None:
    with (
        pytest.raises(DataError, match="one of 1 processes was ended from outside"),
        worker_pool(1) as pool,
    ):
        pool.submit(signal.raise_signal, signal.SIGKILL).result()
