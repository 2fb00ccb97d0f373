"""The runtime beside sources whose clock, data, rate or identity go wrong, as processes over LSL."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from live_runs import LiveRun, check_ticks

from rtasmr.overload import OVERLOAD
from rtasmr.report import read_account
from rtasmr.snapshot import TickRecord
from rtasmr.types import Status

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(300)]


def records_of(path: Path) -> list[TickRecord]:
    """Return the records of a run without clips, which must be tick 0, 1, 2, ..."""
    records = list(read_account(path).records)
    assert [r.tick for r in records] == list(range(len(records)))
    assert all(np.isfinite(r.p) == (r.status is Status.OK) for r in records)
    return records


def incidents_of(path: Path) -> list[dict[str, object]]:
    """Return what happened to the streams; that the machine did not keep up is no fault of a source."""
    streams, _ = pyxdf.load_xdf(str(path))
    for stream in streams:
        if stream["info"]["name"][0] == "rtasmr-incidents":
            rows = zip(stream["time_series"], stream["time_stamps"], strict=True)
            told = [{**json.loads(row[0]), "time_s": float(time_s)} for row, time_s in rows]
            return [incident for incident in told if incident["what"] != OVERLOAD]
    return []


def test_a_clock_that_is_set_costs_no_tick(tiny_home, tmp_path):
    """An hour forward, 200 000 s back, then to Unix time, in a pulse; the others say nothing of it."""
    recording = tmp_path / "jumps.xdf"
    with LiveRun(tiny_home) as run:
        jumps = ("jump@7:3600", "jump@8:-200000", "jump@9:1.7e9")
        run.source("ppg", "--hold", *(word for jump in jumps for word in ("--fault", jump)))
        run.source("sound")
        live = run.live("--duration", 12, "--wait", 10, "--require", "ppg,audio", "--record", recording)
        check_ticks(run.end(live), 120)
        assert run.said.count("its clock leapt by") == 3
    records = records_of(recording)
    assert {r.status for r in records[50:]} == {Status.OK}
    assert {r.modalities for r in records[60:]} == {0b011}  # pulse and sound, throughout
    shifts = [i["shift_s"] for i in incidents_of(recording) if i["what"] == "clock"]
    assert shifts == pytest.approx([3600, -200_000, 1.7e9], abs=0.1)


def test_samples_that_are_no_signal_are_bad_input_for_as_long_as_they_come(tiny_home, tmp_path):
    recording = tmp_path / "bad.xdf"
    with LiveRun(tiny_home) as run:
        run.source("ppg", "--hold", "--fault", "nan@7+0.5", "--fault", "rails@12+1.5")
        live = run.live("--duration", 19, "--wait", 5, "--record", recording)
        check_ticks(run.end(live), 190)
    records = records_of(recording)[50:]
    assert {r.status for r in records} == {Status.OK, Status.BAD_INPUT}
    is_ok = np.array([r.status is Status.OK for r in records])
    edges = np.flatnonzero(np.diff(is_ok.astype(int)))
    assert len(edges) == 4  # two runs of bad input, each of which ends
    assert is_ok[0]
    assert is_ok[-1]


def test_a_rate_that_is_not_the_headers_is_warned_of_or_refused(tiny_home, tmp_path):
    recording = tmp_path / "ahead.xdf"
    with LiveRun(tiny_home) as ten_percent, LiveRun(tiny_home) as twice, LiveRun(tiny_home) as rushing:
        ten_percent.source("ppg", "--sfreq", 250, "--true-sfreq", 275)
        twice.source("ppg", "--sfreq", 100, "--true-sfreq", 210)
        # Stamped by a clock of its own, which goes twice as fast: its warm-up is over in half the time.
        rushing.source("ppg", "--sfreq", 100, "--true-sfreq", 200, "--drift", 900_000)
        options = ("--duration", 11, "--wait", 5)
        warned, refused = ten_percent.live(*options, "--record", recording), twice.live(*options)
        rushed = rushing.live(*options)
        measured = ten_percent.end(warned)
        check_ticks(measured, 110)
        assert rushing.end(rushed)["status"].get("ok", 0) == 0
        assert "refused. Set the rate of the source right." in rushing.said
        account = twice.end(refused)
        check_ticks(account, 110)
        assert "the header says 250 Hz, 275" in ten_percent.said
        assert "Check the rate of the source" in ten_percent.said
        assert "refused. Set the rate of the source right." in twice.said
    assert account["status"].get("ok", 0) == 0
    assert account["status"]["bad_input"] > 0
    # Samples that come more often than declared are stamped ahead of the clock: that is no latency.
    assert measured["status"]["ok"] > 0
    assert not (measured["latency_ms"]["p50"] or 0.0) < 0
    assert ten_percent.said.count("so latency is not measured") == 1
    assert [i["what"] for i in incidents_of(recording)] == ["ahead"]


def test_a_refused_rate_stays_refused_when_its_source_starts_again(tiny_home, tmp_path):
    recording = tmp_path / "again.xdf"
    with LiveRun(tiny_home) as run:
        words = ("ppg", "--source-id", "finger", "--sfreq", 100)
        wrong = run.source(*words, "--true-sfreq", 210)
        live = run.live("--wait", 5, "--record", recording)
        for told in ("Set the rate of the source right", "back with the header whose rate was wrong"):
            run.wait_for(told)
            wrong.kill()
            wrong = run.source(*words, "--true-sfreq", 210)
        wrong.kill()
        run.source(*words)
        run.wait_for("its rate is right now")
        live.send_signal(signal.SIGTERM)
        account = run.end(live)
    assert (account["missing"], account["duplicates"]) == (0, 0)
    what = [i["what"] for i in incidents_of(recording)]
    assert (what[0], what[-1], what.count("joined")) == ("refused", "joined", 1)
    # the right pulse joined at the very end: no tick before may have a probability
    assert all(r.status is not Status.OK for r in records_of(recording))


def test_a_pulse_that_comes_back_at_a_wrong_rate_is_not_predicted_on(tiny_home, tmp_path):
    """Under the same header, beside a sound that goes on: no tick rests on it, and later ones on sound."""
    recording = tmp_path / "back.xdf"
    with LiveRun(tiny_home) as run:
        words = ("ppg", "--source-id", "finger", "--sfreq", 100)
        pulse = run.source(*words)
        run.source("sound")
        live = run.live("--wait", 10, "--require", "ppg,audio", "--record", recording)
        run.wait_for_line(lambda line: line.get("status") == "ok" and "ppg" in line["modalities"])
        pulse.kill()
        run.wait_for("looking for it")
        run.source(*words, "--true-sfreq", 210)
        run.wait_for("refused. Set the rate of the source right")
        n_before = len(run.lines)
        run.wait_for_line(
            lambda line: line.get("status") == "ok" and line["modalities"] == ["sound"], n_before + 2
        )
        live.send_signal(signal.SIGTERM)
        account = run.end(live)
    assert (account["missing"], account["duplicates"]) == (0, 0)
    incidents = [i for i in incidents_of(recording) if i["stream"] == "ppg"]
    assert [i["what"] for i in incidents] == ["lost", "joined", "refused"]
    lost_s, _, refused_s = (i["time_s"] for i in incidents)
    judged = [r for r in records_of(recording) if r.status is Status.OK]
    assert any(r.modalities == 0b011 for r in judged if r.time_s < lost_s)
    assert {r.modalities for r in judged if r.time_s > lost_s} == {0b010}
    assert any(r.time_s > refused_s for r in judged)


def test_another_stream_under_a_lost_ones_identity_is_refused_and_the_rest_goes_on(tiny_home, tmp_path):
    recording = tmp_path / "replaced.xdf"
    with LiveRun(tiny_home) as run:
        pulse = run.source("ppg", "--source-id", "finger")
        run.source("sound")
        live = run.live("--wait", 6, "--require", "ppg,audio", "--record", recording)
        run.wait_for("streams: ")
        pulse.kill()
        run.wait_for("looking for it")
        another = run.source("ppg", "--source-id", "finger", "--sfreq", 100)
        run.wait_for("came back with 1 x float32 at 100 Hz, it was 1 x float32 at 250 Hz before: refused")
        another.kill()
        two = run.source("ppg", "--source-id", "finger", "--channels", 2)
        run.wait_for("came back with 2 x float32 at 250 Hz")
        two.kill()
        run.source("ppg", "--source-id", "finger")
        run.wait_for("joined")
        live.send_signal(signal.SIGTERM)
        account = run.end(live)
        assert run.said.count(": refused.") == 2
    assert (account["missing"], account["duplicates"]) == (0, 0)
    assert all(r.modalities & 0b010 for r in records_of(recording)[5:-12])  # sound, all the time
    what = [i["what"] for i in incidents_of(recording)]
    assert what == ["lost", "refused", "refused", "joined"]


def test_two_streams_that_fit_are_an_error_that_lists_both(tiny_home):
    with LiveRun(tiny_home) as run:
        run.source("ppg", "--source-id", "left")
        run.source("ppg", "--source-id", "right")
        live = run.live("--wait", 8)
        assert live.wait(60) == 1
        said = run.said.splitlines()[-1]
    assert said.startswith("error: expected one ppg stream")
    for source_id in ("left", "right"):
        assert f"name='faulty' type='PPG' source_id='{source_id}' host=" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_still_waits_for_streams_ends_in_order(tiny_home, tmp_path, number):
    recording = tmp_path / "never.xdf"
    with LiveRun(tiny_home) as run:
        live = run.live("--wait", 60, "--record", recording)
        run.wait_for("this machine")
        run.wait_for("model tiny")
        live.send_signal(number)
        account = run.end(live, timeout_s=30)
    assert account["ticks"] == 0
    assert not list(tmp_path.iterdir())


def test_a_pulse_that_is_held_up_is_named_and_its_backlog_is_no_wrong_rate(tiny_home, tmp_path):
    """A stopped process: its stream stays open, and what it owes comes at once when it goes on."""
    recording = tmp_path / "stopped.xdf"
    with LiveRun(tiny_home) as run:
        pulse = run.source("ppg", "--sfreq", 100)
        live = run.live("--wait", 5, "--duration", 18, "--record", recording)
        while not run.lines:  # its first ticks are served
            assert live.poll() is None, run.said
            time.sleep(0.05)
        pulse.send_signal(signal.SIGSTOP)
        run.wait_for("has sent nothing for 2.", timeout_s=120)
        time.sleep(4)
        pulse.send_signal(signal.SIGCONT)
        run.wait_for("ppg stream: it sends now, after", timeout_s=120)
        check_ticks(run.end(live), 180)
    assert "the header says" not in run.said
    assert run.said.count("has sent nothing") == 1
    assert [i["what"] for i in incidents_of(recording)] == ["silent", "resumed"]


def test_a_pulse_that_is_there_and_does_not_begin_is_named(tiny_home, tmp_path):
    recording = tmp_path / "late.xdf"
    with LiveRun(tiny_home) as run:
        run.source("ppg", "--hold", "--fault", "gap@0+8")
        run.source("sound")
        live = run.live("--wait", 10, "--require", "ppg,audio", "--duration", 12, "--record", recording)
        check_ticks(run.end(live), 120)
    assert "ppg stream 'faulty' has sent nothing for 5." in run.said
    assert "though it is open; check its source" in run.said
    assert "ppg stream: it sends now, after" in run.said
    assert [i["what"] for i in incidents_of(recording)] == ["silent", "resumed"]
