"""The sound server of the tests gives back what is played to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(60)]

# In a process of its own: PortAudio looks for devices once, when it is loaded.
PLAY_AND_RECORD = """
import sys
import numpy as np
import sounddevice
from scipy.signal import hilbert

tone = np.sin(2 * np.pi * 1000 * np.arange(2 * 44100) / 44100).astype(np.float32)
heard = sounddevice.playrec(tone[:, None], 44100, channels=1, device=sys.argv[1], blocking=True)[-22050:, 0]
turning = hilbert(heard)
steps = np.diff(np.unwrap(np.angle(turning)))
# Medians: a server that a busy machine keeps waiting leaves a gap now and then.
print(np.median(steps) * 44100 / (2 * np.pi), np.median(np.abs(turning)))
"""


def test_a_tone_played_to_the_null_sink_is_recorded_from_its_monitor(sound_server):
    done = subprocess.run(
        [sys.executable, "-c", PLAY_AND_RECORD, sound_server.device],
        env={**os.environ, **sound_server.environment},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frequency, level = map(float, done.stdout.split())
    assert frequency == pytest.approx(1000, abs=2)
    assert level == pytest.approx(1.0, rel=0.05)
