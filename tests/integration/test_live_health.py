"""What a run says of itself, live, recorded and reported: the pulse, and its latency by stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid

import numpy as np
import pytest

from rtasmr.latency import STAGES
from rtasmr.report import read_account
from rtasmr.session import read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(120)]


def test_pulse_and_stages_are_told_live_recorded_and_reported(tiny_home, shared_data, tmp_path):
    """12 s of a real finger pulse of about 95 beats a minute."""
    recording = tmp_path / "run.xdf"
    environment = {
        **os.environ,
        "RTASMR_HOME": str(tiny_home),
        "RTASMR_LSL_SESSION": f"test-{uuid.uuid4().hex[:12]}",
    }
    rtasmr = [sys.executable, "-P", "-m", "rtasmr"]
    pulse = shared_data / "ppg" / "biosppy_ppg_1000hz.txt"
    source = subprocess.Popen(
        [*rtasmr, "source", "ppg", "--file", str(pulse), "--sfreq", "1000", "--raw", "--loop"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        done = subprocess.run(
            [*rtasmr, "live", "--headless", "--json", "--duration", "12", "--record", str(recording)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    finally:
        source.terminate()
        source.wait(10)
    assert done.returncode == 0, done.stderr
    *live, account = (json.loads(line) for line in done.stdout.splitlines())

    newest = live[-1]["pulse"]
    assert newest["troubles"] == []
    assert newest["rate_bpm"] == pytest.approx(95, abs=4)
    assert newest["quality"] > 0.8
    assert list(live[-1]["stages_ms"]) == [*STAGES, "draw"]
    assert account["stages_ms"]["draw"] == {"p50": None, "p99": None, "max": None}  # there was no window
    assert account["pulse"]["troubles"].keys() <= {"starting"}
    assert account["pulse"]["good"] >= 5
    assert account["pulse"]["rate_bpm"] == pytest.approx(95, abs=4)

    streams = read_xdf(recording)
    stages, tingle = streams.stream("rtasmr-latency"), streams.stream("rtasmr-tingle")
    assert stages.spec.ch_names == STAGES
    is_ok = tingle.data[:, tingle.spec.ch_names.index("status")] == 0
    # The last second is served when no newer frame is to come: it has no latency of its own.
    np.testing.assert_array_equal(stages.times, tingle.times[is_ok][: len(stages.times)])
    assert np.count_nonzero(is_ok) - len(stages.times) in range(11)
    assert (stages.data >= 0).all()
    sums = stages.data.sum(axis=1)
    assert account["latency_ms"]["max"] == pytest.approx(sums.max(), abs=0.02)
    readings = streams.stream("rtasmr-pulse")
    assert len(readings.times) == account["pulse"]["readings"]
    np.testing.assert_array_equal(np.diff(readings.times), 1.0)

    health = read_account(recording).summary()
    assert health["pulse"] == account["pulse"]
    assert health["latency_ms"]["p50"] == pytest.approx(account["latency_ms"]["p50"], abs=0.02)
    for name in STAGES:
        assert health["stages_ms"][name]["p99"] == pytest.approx(account["stages_ms"][name]["p99"], abs=0.02)
    assert health["age_ms"] == pytest.approx(account["age_ms"], abs=0.02)
    assert health["reasons"] == account["reasons"]
