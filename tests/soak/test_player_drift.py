"""Ten minutes of a clip: what is published and what is shown stay with what is heard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from rtasmr.errors import StreamLostError
from rtasmr.streams import Inlet, Query, TimeBase, resolve_all
from rtasmr.types import Role

LENGTH_S, SHORTEST_S = 600, 40
EVERY_S = 5
SFREQ = 44_100
PULSE_S = 0.1
LOUD = 8_000
MAX_DRIFT_MS = 5.0

pytestmark = [pytest.mark.soak, pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(1800)]

SETTLE_S = 5

# Hears the null sink's monitor: samples counted and LSL time when a block ends, and where it gets loud.
# The server is asked for blocks of 10 ms, so arrivals lie so much before the sound, less what held them up.
RECORDER = """
import os, sys
os.environ["PULSE_LATENCY_MSEC"] = "10"
import numpy as np, pylsl, sounddevice
blocks, loud, n = [], [], 0
def take(data, n_samples, times, status):
    global n
    blocks.append((n + n_samples, pylsl.local_clock()))
    found = np.flatnonzero(np.abs(data[:, 0].astype(int)) > int(sys.argv[2]))
    if len(found):
        loud.extend((n + found[[0, -1]]).tolist())
    n += n_samples
stream = sounddevice.InputStream(samplerate=44100, channels=1, dtype="int16", device=sys.argv[1],
                                 latency=0.1, callback=take)
with stream:
    print("ready", flush=True)
    sys.stdin.read()
np.savez(sys.argv[3], blocks=np.array(blocks), loud=np.array(loud))
"""


def write_clip(path: Path, seconds: int) -> None:
    """Write 25 images per second; every 5 s one image is white and a tone of 0.1 s begins."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25, width=320, height=180, pix_fmt="yuv420p")
        track = container.add_stream("pcm_s16le", rate=SFREQ, layout="mono")
        second = np.zeros((1, SFREQ), np.int16)
        tone = second.copy()
        n_tone = round(PULSE_S * SFREQ)
        tone[0, :n_tone] = 20_000 * np.cos(2 * np.pi * 1000 * np.arange(n_tone) / SFREQ)
        for n in range(seconds):
            for k in range(25):
                level = 235 if n % EVERY_S == 0 and k == 0 else 16
                image = np.full((180, 320, 3), level, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            block = av.AudioFrame.from_ndarray(second if n % EVERY_S else tone, format="s16", layout="mono")
            block.sample_rate, block.pts = SFREQ, n * SFREQ
            container.mux(track.encode(block))
        for stream in (video, track):
            container.mux(stream.encode())


def begins(times: np.ndarray) -> np.ndarray:
    """Return the times after which nothing was for a second."""
    return times[np.diff(times, prepend=-np.inf) > 1]


def drift_ms(deviations_s: np.ndarray) -> float:
    """Return how far the last quarter lies from the first; what a busy machine shows late does not count."""
    first, *_, last = np.array_split(deviations_s, 4)
    return 1000 * abs(float(np.quantile(last, 0.1) - np.quantile(first, 0.1)))


def by_number(times: np.ndarray, begin_s: float) -> dict[int, float]:
    """Return times by which of the marks they belong to; a busy machine drops some."""
    return {round((time_s - begin_s) / EVERY_S): time_s for time_s in times.tolist()}


def spread_ms(deviations_s: np.ndarray) -> float:
    return 1000 * float(np.ptp(deviations_s))


def heard_times(blocks: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return when samples were heard: a line through the earliest block of each second."""
    n, arrivals = blocks.T
    second = (n // SFREQ).astype(int)
    lead = arrivals - n / SFREQ
    seconds = np.unique(second[second >= SETTLE_S])
    earliest = [np.flatnonzero(second == k)[np.argmin(lead[second == k])] for k in seconds]
    slope, offset = np.polyfit(n[earliest], lead[earliest], 1)
    return samples / SFREQ + slope * samples + offset


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    """Environment of a program that needs a screen: this one, else one without a monitor."""
    if "DISPLAY" in os.environ:
        yield {}
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no screen, and Xvfb is not installed")
    server = subprocess.Popen(["Xvfb", "-displayfd", "1"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield {"DISPLAY": f":{server.stdout.readline().strip()}"}
    server.terminate()
    server.communicate()


def test_player_drift(soak, sound_server, screen, tmp_path):
    seconds = int(soak.seconds(LENGTH_S, SHORTEST_S))
    clip, heard_file = tmp_path / "long.mkv", tmp_path / "heard.npz"
    write_clip(clip, seconds)
    environment = {**os.environ, **sound_server.environment, **screen}
    recorder = subprocess.Popen(
        [sys.executable, "-c", RECORDER, sound_server.device, str(LOUD), str(heard_file)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    source_id = f"drift-{uuid.uuid4().hex[:8]}"
    player = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "rtasmr.player", str(clip), "--source-id", source_id),
            *("--sound-device", sound_server.device, "--wait-for-consumer"),
        ],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert recorder.stdout is not None
    assert player.stdout is not None
    recorder.stdout.readline()
    player.stdout.readline()
    roles = (Role.CLIP, Role.PICTURE, Role.SOUND)
    found = resolve_all({role: Query(source_id=f"{source_id}-{role}") for role in roles}, 10)
    inlets = [Inlet(found[role], role, TimeBase()) for role in roles]
    white: list[float] = []
    loud: list[float] = []
    ended = threading.Event()
    lines: list[str] = []

    def read_account() -> None:
        with player:
            lines.extend(player.stdout or ())
        ended.set()

    reader = threading.Thread(target=read_account)
    reader.start()
    while not ended.wait(0.02):
        for inlet in inlets:
            try:
                chunk = inlet.pull()
            except StreamLostError:  # the player ends before its process does
                continue
            if chunk is None or chunk.role is Role.CLIP:
                continue
            if chunk.role is Role.PICTURE:
                white.extend(chunk.times[chunk.data[:, :3000].mean(axis=1) > 127])
            else:
                loud.extend(chunk.times[np.abs(chunk.data[:, 0].astype(int)) > LOUD])
    for inlet in inlets:
        inlet.close()
    reader.join()
    recorder.communicate()
    assert (player.returncode, recorder.returncode) == (0, 0)
    account = json.loads(lines[-1])["account"]

    (clip_shown,) = account["clips"]
    published = begins(np.array(loud))
    shown = begins(np.array(white))
    heard_data = np.load(heard_file)
    heard = begins(heard_times(heard_data["blocks"], heard_data["loud"]))
    n_marks = len(range(0, seconds, EVERY_S))
    assert len(published) == len(heard) == n_marks
    marks = by_number(shown, published[0])
    seen = sorted(marks)
    assert len(seen) >= 0.75 * n_marks
    pictures = np.array([marks[k] for k in seen])
    deviations = {
        "published sound against heard sound": published - heard,
        "pictures against heard sound": pictures - heard[seen],
    }
    drifts = {name: drift_ms(values) for name, values in deviations.items()}
    figures = {
        f"drift of {name}, first to last quarter [ms]": (drift, "<= 5") for name, drift in drifts.items()
    }
    figures |= {f"spread of {name} [ms]": (spread_ms(values), "") for name, values in deviations.items()}
    figures["heard after published, median [ms]"] = (1000 * float(np.median(heard - published)), "")
    figures["seconds"] = (seconds, "600")
    figures["pictures seen"] = (len(seen), str(n_marks))
    figures["pictures late, p99 [ms]"] = (clip_shown["picture_lateness_ms"]["p99"], "< 40, one image")
    figures["pauses of the card"] = (account["sound"]["clock_steps"], "0")
    soak.finish(figures)
    # Pictures that a busy machine shows late carry that time: their figure may tell of the machine.
    assert drifts["published sound against heard sound"] <= MAX_DRIFT_MS
