"""The runtime beside sources that come, die and return, as processes over LSL."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks

from rtasmr.report import read_account
from rtasmr.types import Status

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(300)]


def test_a_real_pulse_alone(served_study, shared_data):
    """20 s of pulse and nothing else: 200 ticks, each with a status, the absent modalities named."""
    environment = served_study.environment()
    source = served_study.start(
        environment,
        *("rtasmr", "source", "ppg", "--file", shared_data / "ppg" / "biosppy_ppg_1000hz.txt"),
        *("--sfreq", 1000, "--loop"),
    )
    runtime = served_study.start(
        environment, "rtasmr", "live", "--headless", "--json", "--duration", 20, "--wait", 4
    )
    out, error = runtime.communicate()
    source.terminate()
    source.communicate()
    assert runtime.returncode == 0, error
    account = json.loads(out.splitlines()[-1])
    assert account["ticks"] == 200
    assert account["status"] == {"warmup": 50, "ok": 150}
    assert (account["missing"], account["duplicates"]) == (0, 0)
    assert account["absent"] == ["sound", "picture"]
    assert account["streams"] == {"ppg": "rtasmr-ppg"}
    nothing = {"lost": {"ppg": 0}, "rejected": {"ppg": 0}, "rejected_markers": 0, "skipped_ticks": 0}
    assert account["samples"] == {**nothing, "bad_stamps": {}}
    for absent in ("sound", "picture"):
        assert f"no {absent} stream" in error


def start_pulse(served_study: Any, environment: dict[str, str]) -> Any:
    return served_study.start(
        environment, "rtasmr", "source", "simulated", "--sfreq", 250, "--source-id", "finger-1"
    )


def test_a_killed_source_leaves_no_tick_without_a_record(served_study, tmp_path):
    """SIGKILL, 2 s of nothing, the same source again: marked, then taken up again by itself."""
    recording = tmp_path / "killed.xdf"
    with LiveRun(served_study.home) as run:
        source = start_pulse(served_study, run.environment)
        live = run.live("--wait", 4, "--record", recording)
        run.wait_for("streams: ")
        time.sleep(8.0)
        source.kill()
        source.communicate()
        run.wait_for("is gone; looking for it")
        time.sleep(2.0)
        source = start_pulse(served_study, run.environment)
        run.wait_for("joined")
        time.sleep(6.0)
        live.terminate()
        account = run.end(live)
        source.terminate()
        source.communicate()
    check_ticks(account, account["ticks"])
    assert account["interruptions"] == {"ppg": 1}
    assert account["samples"]["lost"]["ppg"] > 250  # more than a second at 250 Hz
    records = read_account(recording).records
    assert [r.tick for r in records] == list(range(account["ticks"]))
    assert all(r.status is Status.OK for r in records[50:60])
    lost = [r.tick for r in records[50:] if r.status is not Status.OK]
    assert len(lost) >= 15
    assert all(np.isnan(records[tick].p) for tick in lost)
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert records[-1].status is Status.OK


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_in_order(served_study, tmp_path, number, hangups_heard):
    environment = served_study.environment()
    recording = tmp_path / "stopped.xdf"
    source = start_pulse(served_study, environment)
    runtime = served_study.start(
        environment, "rtasmr", "live", "--headless", "--json", "--wait", 4, "--record", recording
    )
    assert runtime.stdout is not None
    runtime.stdout.readline()  # the first status: it runs
    runtime.send_signal(number)
    out, error = runtime.communicate()
    source.terminate()
    source.communicate()
    assert runtime.returncode == 0, error
    assert json.loads(out.splitlines()[-1])["files"] == [str(recording)]
    assert read_account(recording).records
    assert "Traceback" not in error
