"""Ten minutes of a clip: what is heard, what is published and what is shown stay together.

``RTASMR_SOAK_S`` sets another length.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import av
import numpy as np
import pytest

from rtasmr.errors import StreamLostError
from rtasmr.streams import Inlet, Query, TimeBase, resolve_all
from rtasmr.types import Role

SOAK_S = int(os.environ.get("RTASMR_SOAK_S", "600"))
EVERY_S = 5
SFREQ = 44_100
PULSE_S = 0.1
LOUD = 8_000
MAX_DRIFT_MS = 5.0

pytestmark = [pytest.mark.soak, pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(SOAK_S + 300)]

# Hears the null sink's monitor: number of samples, ADC time on the LSL clock, and where it gets loud.
RECORDER = """
import sys, time
import numpy as np, pylsl, sounddevice
blocks, loud, n = [], [], 0
def take(data, n_samples, times, status):
    global n
    now, here = pylsl.local_clock(), stream.time
    blocks.append((n, now + times.inputBufferAdcTime - here))
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


def write_clip(path: Path) -> None:
    """Write 25 images per second; every 5 s one image is white and a tone of 0.1 s begins."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25, width=320, height=180, pix_fmt="yuv420p")
        track = container.add_stream("pcm_s16le", rate=SFREQ, layout="mono")
        second = np.zeros((1, SFREQ), np.int16)
        tone = second.copy()
        n_tone = round(PULSE_S * SFREQ)
        tone[0, :n_tone] = 20_000 * np.cos(2 * np.pi * 1000 * np.arange(n_tone) / SFREQ)
        for n in range(SOAK_S):
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
    """Return how far the last quarter lies from the first; single late pictures do not count."""
    first, *_, last = np.array_split(deviations_s, 4)
    return 1000 * abs(float(np.median(last) - np.median(first)))


def spread_ms(deviations_s: np.ndarray) -> float:
    return 1000 * float(np.ptp(deviations_s))


def test_sound_and_pictures_stay_together(sound_server, tmp_path):
    clip, heard_file = tmp_path / "long.mkv", tmp_path / "heard.npz"
    write_clip(clip)
    environment = {**os.environ, **sound_server.environment}
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
    start_s = float("nan")
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
            if chunk is None:
                continue
            if chunk.role is Role.CLIP:
                start_s = float(chunk.times[0]) if "clip_start long" in chunk.data else start_s
            elif chunk.role is Role.PICTURE:
                white.extend(chunk.times[chunk.data[:, :3000].mean(axis=1) > 127])
            else:
                loud.extend(chunk.times[np.abs(chunk.data[:, 0].astype(int)) > LOUD])
    for inlet in inlets:
        inlet.close()
    reader.join()
    recorder.communicate()
    assert (player.returncode, recorder.returncode) == (0, 0)
    account = json.loads(lines[-1])["account"]

    expected = np.arange(0, SOAK_S, EVERY_S, dtype=float)
    published = begins(np.array(loud))
    shown = begins(np.array(white))
    heard_data = np.load(heard_file)
    n, times = heard_data["blocks"].T
    settled = n > 2 * SFREQ
    slope, offset = np.polyfit(n[settled], times[settled], 1)
    heard = begins(slope * heard_data["loud"] + offset)
    assert len(published) == len(shown) == len(heard) == len(expected)
    deviations = {
        "pictures against published sound": shown - published,
        "published sound against heard sound": published - heard,
        "pictures against heard sound": shown - heard,
    }
    drifts = {name: drift_ms(values) for name, values in deviations.items()}
    figures = {
        "drift_ms": drifts,
        "spread_ms": {name: spread_ms(values) for name, values in deviations.items()},
        "heard_after_published_ms": 1000 * float(np.median(heard - published)),
    }
    print(json.dumps({**figures, "player": account}))  # noqa: T201 - the figures of a soak run
    assert account["sound"]["clock_steps"] == 0, "the card ran dry: too little of this machine is free"
    assert account["picture_lateness_ms"]["p99"] < 40  # one image period
    assert max(drifts.values()) < MAX_DRIFT_MS
