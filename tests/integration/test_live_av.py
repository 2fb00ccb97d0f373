"""A live run that takes pulse, sound and pictures from sources that it starts itself."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from live_runs import LiveRun, check_ticks

from rtasmr.report import read_account
from rtasmr.types import Status

pytestmark = [pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(150)]

N_TICKS = 60

PLAY = """
import sys
import numpy as np, sounddevice

noise = 0.3 * np.random.default_rng(1).standard_normal(60 * 44100)
sounddevice.play(noise.astype(np.float32)[:, None], 44100, device=sys.argv[1], blocking=True)
"""


def test_speakers_and_screen_reach_the_model(sound_server, tiny_home, tmp_path):
    if shutil.which("xvfb-run") is None:
        pytest.skip("Xvfb is not installed")
    recording = tmp_path / "av.xdf"
    with LiveRun(tiny_home) as run:
        run.environment |= sound_server.environment
        run.environment.pop("WAYLAND_DISPLAY", None)
        player = subprocess.Popen([sys.executable, "-c", PLAY, sound_server.device], env=run.environment)
        try:
            live = run.live(
                *("--ppg", "simulated", "--audio", "loopback", "--video", "screen:0,0,320,240"),
                *("--duration", N_TICKS / 10, "--wait", 10, "--record", recording),
            )
            account = run.end(live)
        finally:
            player.kill()
            player.wait()
    check_ticks(account, N_TICKS)
    assert account["absent"] == [], run.said
    assert account["sources"] == {
        role: {"state": "running", "restarts": 0} for role in ("ppg", "sound", "picture")
    }
    assert [record.status for record in read_account(recording).records][-1] is Status.OK
