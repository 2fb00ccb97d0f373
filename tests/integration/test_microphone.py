"""The microphone's source on a real sound server: pitch, rate, place in time, and what may go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import numpy as np
import pytest

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(90)]

HEAR = """
import sys
import numpy as np, pylsl
from rtasmr import lslconfig

lslconfig.configure(False)
query, last_s, out = sys.argv[1], float(sys.argv[2]), sys.argv[3]
inlet = pylsl.StreamInlet(pylsl.resolve_bypred(query, 1, 30)[0], recover=False)
samples, times = [], []
print("hearing", flush=True)
while not times or times[-1] - times[0] < last_s:
    data, stamps = inlet.pull_chunk(1.0)
    samples += [sample[0] for sample in data]
    times += stamps
np.savez(out, samples=samples, times=times)
"""

PLAY = """
import sys
import numpy as np, sounddevice

tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(4 * 44100) / 44100)
sounddevice.play(tone.astype(np.float32)[:, None], 44100, device=sys.argv[1], blocking=True)
"""

CLICKS = """
import sys
import sounddevice

PERIOD = 22050

def give(out, n, times, status):
    global at, underflows
    out[:] = 0
    out[-at % PERIOD::PERIOD] = 0.9
    at += n
    underflows += status.output_underflow
    if at > 7 * 44100:
        raise sounddevice.CallbackStop

at, underflows = 1, 0
with sounddevice.OutputStream(44100, device=sys.argv[1], channels=1, callback=give, latency=1.0) as stream:
    while stream.active:
        sounddevice.sleep(100)
print("underflows", underflows)
"""

SFREQ = 44_100


@pytest.fixture
def environment(sound_server) -> dict[str, str]:
    session = f"test-{uuid.uuid4().hex[:12]}"
    return {**os.environ, **sound_server.environment, "RTASMR_LSL_SESSION": session}


@pytest.fixture
def source(environment) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rtasmr", "source", "microphone", "--loopback"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def hear(environment, tmp_path, seconds):
    """Start to take the source's stream; return the process and the file that it will write."""
    path = tmp_path / "heard.npz"
    process = subprocess.Popen(
        [sys.executable, "-c", HEAR, "source_id='rtasmr-loopback-default'", str(seconds), str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "hearing\n"
    return process, path


def longest_stretch(times):
    """Return the part of stamps in which no sample is missing (a loaded machine loses some)."""
    edges = np.flatnonzero(np.diff(times) > 1.5 / SFREQ) + 1
    return max(np.split(times, edges), key=len)


def test_a_tone_is_heard_at_its_pitch_on_stamps_that_follow_the_rate(
    sound_server, environment, source, tmp_path
):
    heard, path = hear(environment, tmp_path, 6)
    subprocess.run([sys.executable, "-c", PLAY, sound_server.device], env=environment, check=True, timeout=40)
    heard.communicate(timeout=40)
    assert heard.returncode == 0
    with np.load(path) as saved:
        samples, times = saved["samples"], saved["times"]
    assert (np.diff(times) > 0).all()
    whole = longest_stretch(times)
    assert whole[-1] - whole[0] > 2
    assert (len(whole) - 1) / (whole[-1] - whole[0]) == pytest.approx(SFREQ, rel=0.001)
    windows = np.lib.stride_tricks.sliding_window_view(samples, 22_050)[::4410]
    loudest = max(windows, key=np.std)
    assert np.argmax(np.abs(np.fft.rfft(loudest))) * 2 == pytest.approx(1000, abs=2)
    # Over a tenth of a second: a player on a busy machine leaves gaps in what it plays.
    pieces = np.lib.stride_tricks.sliding_window_view(samples, 4410)[::441]
    assert np.sort(np.std(pieces, axis=1))[-10] == pytest.approx(0.5 * 32768 / 2**0.5, rel=0.05)
    source.terminate()
    said, _ = source.communicate(timeout=20)
    assert source.returncode == 0
    assert "disconnects 0" in said


def test_clicks_keep_their_place_though_the_player_comes_later(sound_server, environment, source, tmp_path):
    heard, path = hear(environment, tmp_path, 9)
    done = subprocess.run(
        [sys.executable, "-c", CLICKS, sound_server.device],
        env=environment,
        check=True,
        timeout=40,
        capture_output=True,
        text=True,
    )
    heard.communicate(timeout=40)
    with np.load(path) as saved:
        clicks = saved["times"][saved["samples"] > 20_000]
    assert done.stdout == "underflows 0\n", "the player ran dry: its clicks did not come in time"
    assert len(clicks) >= 6
    np.testing.assert_allclose(clicks - clicks[0], 0.5 * np.arange(len(clicks)), rtol=0, atol=0.005)


@pytest.mark.parametrize(
    ("device", "told"),
    [("nothing", "no sound input 'nothing'"), ("pulse:nothing", "'pulse:nothing' does not open")],
)
def test_an_input_that_is_not_there_is_one_line(environment, device, told):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rtasmr", "source", "microphone", "--device", device],
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert told in line
