"""How a run ends and begins: shutdown in 3 s with nothing left behind; 8 local streams found every time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from live_runs import LiveRun

pytestmark = [pytest.mark.soak, pytest.mark.lsl, pytest.mark.timeout(3600)]

DISCOVERY = Path(__file__).parents[1] / "support" / "discover_streams.py"


def test_shutdown(soak, tiny_home, tmp_path):
    """Ctrl-C and SIGTERM at random moments of a recording run: seconds to the end, and what is left."""
    n_runs = max(2, round(20 * soak.scale))
    took: list[float] = []
    left = 0
    for k in range(n_runs):
        with LiveRun(tiny_home) as run:
            run.source("ppg")
            run.source("sound")
            live = run.live("--wait", 3, "--record", tmp_path / f"{k}.xdf")
            run.wait_for("streams: ")
            time.sleep(soak.rng.uniform(0, 4))
            began = time.monotonic()
            live.send_signal((signal.SIGINT, signal.SIGTERM)[k % 2])
            run.end(live)
            took.append(time.monotonic() - began)
            left += len(children_in(run.environment["RTASMR_LSL_SESSION"])) - 2
    soak.finish(
        {
            "runs": (n_runs, ""),
            "seconds to the end, median": (float(np.median(took)), ""),
            "seconds to the end, worst": (max(took), "<= 3"),
            "exit codes other than 0": (0, "0"),
            "processes left": (left, "0"),
        }
    )


def children_in(session: str) -> list[int]:
    """Return the processes of an LSL session, which they carry in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:  # not ours, or gone meanwhile
            continue
        if session.encode() in environment and folder.name != str(os.getpid()):
            found.append(int(folder.name))
    return found


def test_discovery(soak):
    """Eight streams of eight processes, 100 searches, in a network namespace with nothing but loopback."""
    n_tries = max(5, round(100 * soak.scale))
    command = [sys.executable, str(DISCOVERY), "--tries", str(n_tries)]
    alone = has_namespaces()
    if alone:
        script = 'ip link set lo up 2>/dev/null; exec "$@"'
        command = ["unshare", "--net", "sh", "-c", script, "sh", *command]
    done = subprocess.run(
        command,
        env={**os.environ, "RTASMR_LSL_SESSION": f"test-{uuid.uuid4().hex[:12]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    took = np.array([float(word) for word in done.stdout.split()])
    soak.finish(
        {
            "network": ("loopback alone" if alone else "as the machine has it", ""),
            "searches that found all 8": (f"{np.isfinite(took).sum()} of {n_tries}", "all"),
            "seconds to find 8, median": (float(np.median(took)), ""),
            "seconds to find 8, worst": (float(np.max(took)), "<= 3"),
        }
    )


def has_namespaces() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    raise_lo = ["unshare", "--net", "ip", "link", "set", "lo", "up"]
    tried = subprocess.run(raise_lo, capture_output=True, check=False)
    return tried.returncode == 0
