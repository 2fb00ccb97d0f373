"""Other programs beside the runtime: their markers in, our probabilities out, all as processes over LSL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtasmr.report import read_account
from rtasmr.run import run_file
from rtasmr.served import ServedModel
from rtasmr.session import read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(180)]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PSYCHOPY = "type=Markers,name=PsychoPy"

TRIGGERS = """
import time, pylsl
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("Trigger box", "Markers", 1, 0, "int32", "box-1"))
outlet.wait_for_consumers(60)
time.sleep(1)
for number in (11, 32, 99):
    outlet.push_sample([number], pylsl.local_clock())
    time.sleep(0.5)
time.sleep(60)
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tiny_home: Path, tmp_path: Path) -> Iterator[Start]:
    """Start processes in an LSL session of their own; whatever still runs is killed afterwards.

    Ours read the session from our variable, those with pylsl alone from liblsl's configuration file.
    """
    session = f"test-{uuid.uuid4().hex[:12]}"
    config = tmp_path / "lsl.cfg"
    config.write_text(f"[lab]\nSessionID = {session}\n")
    environment = {
        **os.environ,
        "RTASMR_HOME": str(tiny_home),
        "RTASMR_LSL_SESSION": session,
        "LSLAPICFG": str(config),
    }
    running: list[subprocess.Popen[str]] = []

    def run(*words: object) -> subprocess.Popen[str]:
        program = [str(word) for word in words]
        if program[0] == "rtasmr":
            program = ["-P", "-m", *program]
        process = subprocess.Popen(
            [sys.executable, *program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def live(start: Start, *words: object) -> subprocess.Popen[str]:
    return start("rtasmr", "live", "--headless", "--json", "--wait", 6, *words)


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    out, error = process.communicate()
    assert process.returncode == 0, error
    return json.loads(out.splitlines()[-1]), error


def test_the_examples_work_as_they_are_pasted(start: Start, tiny_home: Path, tmp_path: Path) -> None:
    """A script with pylsl alone marks clip and rating; another one reads what the runtime says of it."""
    path = tmp_path / "session.xdf"
    start("rtasmr", "source", "simulated", "--sfreq", 100)
    sender = start(EXAMPLES / "send_markers.py")
    runtime = live(
        start,
        *("--markers", PSYCHOPY, "--marker-map", EXAMPLES / "psychopy.toml", "--require", "ppg,markers"),
        *("--duration", 9, "--record", path),
    )
    assert runtime.stdout is not None
    runtime.stdout.readline()  # the first status: it publishes
    reader = start(EXAMPLES / "read_tingle.py")
    account, error = ended(runtime)
    reader.kill()
    said = reader.communicate()[0].splitlines()
    assert sender.wait(timeout=10) == 0
    assert account["markers"] == {"clip": 2, "rating": 1, "unknown": 0, "unknown_texts": {}}
    assert (account["missing"], account["duplicates"]) == (0, 0)
    assert "means nothing" not in error
    labels = [segment["label"] for segment in account["segments"]]
    assert [label for label in labels if label] == ["vid3"]
    assert said[0] == "model tiny"
    assert any("no probability, status 1" in line for line in said)

    recording = read_xdf(path)
    raw, clip, rating = (recording.stream(name) for name in ("PsychoPy", "rtasmr-clip", "rtasmr-rating"))
    assert raw.data.tolist() == ["video_vid3_onset", "key_3", "video_vid3_offset"]
    assert clip.data.tolist() == ["clip_start vid3", "clip_end vid3"]
    assert rating.data.tolist() == ["rating=2"]
    np.testing.assert_array_equal(clip.times, raw.times[[0, 2]])
    np.testing.assert_array_equal(rating.times, raw.times[[1]])
    records = read_account(path).records
    in_clip = [record for record in records if record.label == "vid3"]
    assert [record.tick for record in in_clip] == list(range(len(in_clip)))
    onset, key, _ = raw.times
    assert {record.rating for record in in_clip if record.time_s < key} == {0}
    assert {record.rating for record in in_clip if record.time_s > key} == {2}
    assert in_clip[0].time_s == pytest.approx(onset, abs=1e-9)
    again = run_file(path, ServedModel(tiny_home / "models" / "tiny", "cpu"))
    assert [(r.label, r.tick, r.rating) for r in again.records] == [
        (r.label, r.tick, r.rating) for r in records
    ]


def test_trigger_numbers_are_markers_and_their_loss_is_an_alarm(start: Start, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('[exact]\n"11" = "clip_start vid1"\n"32" = "rating=1"\n')
    start("rtasmr", "source", "simulated", "--sfreq", 100)
    sender = start("-c", TRIGGERS)
    box = "type=Markers,name=Trigger box"
    runtime = live(
        start,
        *("--markers", box, "--ratings", box, "--marker-map", tmp_path / "map.toml"),
        *("--require", "ppg,markers", "--duration", 8),
    )
    assert runtime.stdout is not None
    while json.loads(runtime.stdout.readline())["segment"] != "vid1":
        pass
    time.sleep(1.5)  # the other two triggers
    sender.kill()
    account, error = ended(runtime)
    assert account["markers"] == {"clip": 1, "rating": 1, "unknown": 1, "unknown_texts": {"99": 1}}
    assert error.count("'99'") == 1
    assert [segment["label"] for segment in account["segments"]] == ["", "vid1"]
    assert error.count("clip stream 'Trigger box' is LOST, which this run requires") == 1
    assert account["interruptions"] == {"clip": 1, "rating": 1}
    assert (account["ticks"], account["missing"]) == (80, 0)


def test_nothing_starts_nor_records_without_what_is_required(start: Start, tmp_path: Path) -> None:
    start("rtasmr", "source", "simulated", "--sfreq", 100)
    runtime = start(
        *("rtasmr", "live", "--headless", "--wait", 2, "--require", "ppg,markers"),
        *("--record", tmp_path / "session.xdf"),
    )
    _, error = runtime.communicate()
    assert runtime.returncode == 1
    assert error.splitlines()[-1].startswith("error: the required markers stream did not appear in 2 s")
    assert list(tmp_path.glob("session*")) == []
