"""`rtasmr calibrate` on a real sound server: what is late is measured, what is not heard is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(120)]

CLICKS = 5
ADDED_MS = 80
NAMES = ("plain", "late", "far", "silent", "empty")


@pytest.fixture
def sinks(sound_server) -> Iterator[None]:
    """Outputs apart from each other; what ``late`` plays is heard again on ``far``, later."""
    load = ("load-module", "module-null-sink", "rate=44100", "channels=2")
    loaded = [sound_server.control(*load, f"sink_name={name}") for name in NAMES]
    # It would add more after each gap that a busy machine makes.
    delay = (f"latency_msec={ADDED_MS}", f"max_latency_msec={ADDED_MS}")
    words = ("source=late.monitor", "sink=far", *delay, "adjust_time=1")
    loaded.append(sound_server.control("load-module", "module-loopback", *words))
    yield
    for number in reversed(loaded):
        sound_server.control("unload-module", number.strip())


def start(sound_server, home, sink, heard_on):
    words = ["--sound-device", sound_server.device, "--input", f"pulse:{heard_on}.monitor"]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "rtasmr", "calibrate", *words, "--clicks", str(CLICKS), "--json"],
        env={**os.environ, **sound_server.environment, "RTASMR_HOME": str(home), "PULSE_SINK": sink},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_added_delay_is_measured_and_silence_is_refused(sound_server, sinks, tmp_path):
    """Three outputs at once, each with something else to hear it on."""
    heard_on = {"plain": "plain", "late": "far", "silent": "empty"}
    runs = {sink: start(sound_server, tmp_path / sink, sink, monitor) for sink, monitor in heard_on.items()}
    said = {sink: run.communicate(timeout=90) for sink, run in runs.items()}

    assert runs["plain"].returncode == 0, said["plain"][1]
    plain = json.loads(said["plain"][0])
    assert plain["output"] == f"{sound_server.device}: plain"
    assert plain["delay_ms"] == pytest.approx(0, abs=10)

    assert runs["late"].returncode == 0, said["late"][1]
    late = json.loads(said["late"][0])
    assert late["delay_ms"] == pytest.approx(ADDED_MS, abs=10)
    assert late["spread_ms"] < 10
    kept = tmp_path / "late" / "calibration.json"
    assert json.loads(kept.read_text())["outputs"][late["output"]]["delay_ms"] == late["delay_ms"]

    assert runs["silent"].returncode == 1
    *_, line = said["silent"][1].splitlines()
    assert line.startswith("error: expected")
    assert "clicks" in line
    assert not (tmp_path / "silent" / "calibration.json").exists()
