"""`rtasmr record` beside foreign outlets, as a process over LSL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl
import pytest
import pyxdf

from rtasmr import lslconfig

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(120)]


def foreign_outlet(name: str, stype: str, n_channels: int, sfreq: float, dtype: str) -> pylsl.StreamOutlet:
    """An outlet as another program would make it: nested metadata, no labels."""
    lslconfig.configure(network=False)
    info = pylsl.StreamInfo(name, stype, n_channels, sfreq, dtype, f"{name}-{uuid.uuid4().hex[:8]}")
    info.desc().append_child("acquisition").append_child_value("model", "M2")
    return pylsl.StreamOutlet(info)


@contextmanager
def counting(outlet: pylsl.StreamOutlet, n_channels: int) -> Iterator[None]:
    """Push 0, 1, 2, ... at 100 samples a second, in packets of ten."""
    ended = threading.Event()

    def push() -> None:
        first = 0
        while not ended.wait(0.1):
            rows = np.repeat(np.arange(first, first + 10, dtype=np.float32)[:, None], n_channels, axis=1)
            outlet.push_chunk(rows)
            first += 10

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def start_recording(path: Path, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "rtasmr", "record", str(path), "--json", *map(str, options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(recording: subprocess.Popen[str], seen: Callable[[dict[str, int]], bool]) -> None:
    """Read status lines until the samples by stream satisfy ``seen``."""
    assert recording.stdout is not None
    for line in recording.stdout:
        if seen({stream["name"]: stream["samples"] for stream in json.loads(line)["streams"]}):
            return
    raise AssertionError(f"the recording ended: {recording.communicate()}")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_streams_of_any_program_are_recorded_as_they_come_and_go(tmp_path: Path) -> None:
    device = foreign_outlet("device", "EEG", 3, 100.0, "float32")
    words = foreign_outlet("words", "Markers", 2, 0.0, "string")
    sound = foreign_outlet("room", "Audio", 1, 100.0, "float32")
    recording = start_recording(tmp_path / "s.xdf", "--participant", "P07", "--consent", "--wait", 10)
    with counting(device, 3), counting(sound, 1):
        wait_for(recording, lambda n: n.get("device", 0) > 0 and "words" in n)
        words.push_sample(["start \N{SNOWMAN}", ""], 1234.5)
        late = foreign_outlet("late", "Markers", 1, 0.0, "int32")
        wait_for(recording, lambda n: "late" in n and n["words"] == 1)
        late.push_sample([-7], 1235.5)
        wait_for(recording, lambda n: n["late"] == 1)
    del late
    recording.send_signal(signal.SIGINT)
    out, error = recording.communicate()
    assert recording.returncode == 0, error
    account = json.loads(out.splitlines()[-1])
    assert account["file"] == str(tmp_path / "s.xdf")
    assert account["left_out"] == ["room"]
    assert (account["overruns"], account["refused"], account["error"]) == (0, 0, "")
    assert "--record-raw records sound and pictures" in error
    streams, header = pyxdf.load_xdf(tmp_path / "s.xdf", dejitter_timestamps=False)
    assert (header["info"]["participant"], header["info"]["consent"]) == (["P07"], ["yes"])
    got = {stream["info"]["name"][0]: stream for stream in streams}
    assert sorted(got) == ["device", "late", "words"]
    numbers = got["device"]["time_series"]
    assert numbers.shape == (account["streams"][0]["samples"], 3)
    np.testing.assert_array_equal(numbers[:, 0], numbers[0, 0] + np.arange(len(numbers)))
    np.testing.assert_array_equal(numbers, numbers[:, :1].repeat(3, axis=1))
    assert got["device"]["info"]["desc"][0]["acquisition"][0]["model"] == ["M2"]
    assert "hostname" not in got["device"]["info"]
    assert got["words"]["time_series"] == [["start \N{SNOWMAN}", ""]]
    assert got["words"]["time_stamps"].tolist() == [1234.5]
    assert got["late"]["time_series"].tolist() == [[-7]]


def test_a_source_that_returns_goes_on_in_its_own_stream(tmp_path: Path) -> None:
    def start_source() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "rtasmr", "source", "simulated", "--sfreq", "100"]
        return subprocess.Popen([*command, "--source-id", "finger"], stderr=subprocess.DEVNULL)

    recording = start_recording(tmp_path / "s.xdf", "--select", "type=PPG", "--require", "ppg", "--wait", 30)
    source = start_source()
    try:
        wait_for(recording, lambda n: n.get("rtasmr-ppg", 0) >= 100)
        source.kill()
        source.wait()
        source = start_source()
        n_before = [0]

        def grows(n: dict[str, int]) -> bool:
            n_before[0] = n_before[0] or n["rtasmr-ppg"]
            return n["rtasmr-ppg"] >= n_before[0] + 100

        wait_for(recording, grows)
    finally:
        source.kill()
        source.wait()
    recording.terminate()
    out, error = recording.communicate()
    assert recording.returncode == 0, error
    (stream,) = json.loads(out.splitlines()[-1])["streams"]
    assert stream["losses"] in (1, 2)  # the second one if its end was seen before that of the recording
    (loaded,), _ = pyxdf.load_xdf(tmp_path / "s.xdf", dejitter_timestamps=False)
    times = loaded["time_stamps"]
    assert len(times) == stream["samples"] >= 200
    assert (np.diff(times) > 0).all()
    assert (np.diff(times) > 0.015).sum() == 1  # one gap, not smeared


def test_what_is_required_and_absent_makes_no_file(tmp_path: Path) -> None:
    device = foreign_outlet("device", "EEG", 1, 100.0, "float32")
    recording = start_recording(tmp_path / "s.xdf", "--require", "ppg,markers", "--wait", 1)
    out, error = recording.communicate()
    del device
    assert (recording.returncode, out) == (1, "")
    assert "the required streams ppg (type=PPG) and markers (type=Markers) did not appear in 1 s" in error
    assert list(tmp_path.iterdir()) == []
