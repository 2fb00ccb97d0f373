"""Several viewers of one stimulus in one process: what a tick of all takes, and what each viewer adds.

As a user runs it: 1280x720 pictures at 30 per second with sound, a pulse per viewer, a recording per viewer,
over LSL. ``RTASMR_BENCH_S`` shortens the runs (seconds).
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from processes import PROC, cpu_seconds, resident_mb, started

DURATION_S = min(40.0, float(os.environ.get("RTASMR_BENCH_S", "40")))
N_VIEWERS = (1, 8, 32)
PPG_SFREQ = 250
MANY_PULSES = Path(__file__).parents[1] / "support" / "many_pulses.py"
SECTION = "viewers, a tick of all of them, milliseconds"

pytestmark = [pytest.mark.bench, pytest.mark.timeout(DURATION_S + 300)]


@pytest.mark.parametrize("n", N_VIEWERS)
def test_viewers(served, stimulus, ledger, tmp_path, n):
    environment = {
        **os.environ,
        "RTASMR_HOME": str(served.home),
        "RTASMR_LSL_SESSION": f"bench-{uuid.uuid4().hex[:12]}",
    }
    viewers = tmp_path / "viewers.toml"
    viewers.write_text("".join(f'[p{i}]\nppg = "source_id=finger-{i}"\n' for i in range(n)), encoding="utf-8")
    python = [sys.executable, "-P"]
    media = [*python, "-m", "rtasmr", "source", "media", str(stimulus), "--loop"]
    pulses = [*python, str(MANY_PULSES), str(n), "--sfreq", str(PPG_SFREQ)]
    run = [
        *(*python, "-m", "rtasmr", "live", "--viewers", str(viewers), "--headless", "--json"),
        *("--duration", f"{DURATION_S:g}", "--provider", "cpu", "--wait", "30"),
        *("--require", "ppg,audio,video", "--record", str(tmp_path / "day.xdf")),
    ]
    with ExitStack() as stack:
        stack.enter_context(started(media, environment, tmp_path / "media.log"))
        stack.enter_context(started(pulses, environment, tmp_path / "pulses.log"))
        live = stack.enter_context(started(run, environment, tmp_path / "live.log"))
        cpu_s, memory_mb, account = [], 0.0, {}
        for line in live.stdout:
            account = json.loads(line)
            if PROC.exists() and "viewers" in account and "ticks" not in account:
                cpu_s.append(cpu_seconds(PROC / str(live.pid)))
                memory_mb = resident_mb(PROC / str(live.pid))
        code = live.wait()
    assert code == 0, (tmp_path / "live.log").read_text(encoding="utf-8")
    assert account["ticks"] == n * round(10 * DURATION_S)
    assert (account["missing"], account["duplicates"]) == (0, 0)
    assert len(account["files"]) == n
    told = account["viewers"].values()
    skipped = sum(one["samples"]["skipped_ticks"] for one in told)
    judged = sum(one["status"].get("ok", 0) for one in told)
    latency = max(one["latency_ms"]["p99"] or 0.0 for one in told)
    # The last seconds, in which every window has its full length.
    settled = cpu_s[-10:]
    cores = (settled[-1] - settled[0]) / (len(settled) - 1) if len(settled) > 1 else float("nan")
    ledger.add(
        SECTION,
        f"{n} viewers",
        **account["tick_ms"],
        cores=cores,
        memory_mb=memory_mb,
        worst_latency_p99=latency,
        target="p99 <= 100" if n == max(N_VIEWERS) else "",
        ticks=f"{judged} judged, {skipped} skipped",
    )
