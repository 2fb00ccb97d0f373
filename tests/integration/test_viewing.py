"""A person watches a clip: player, runtime and pulse as processes, with real sound, window, keys and LSL."""

from __future__ import annotations

import ctypes.util
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sound_servers import SoundServer
from viewings import undisturbed
from x_keys import Keyboard, Press
from x_windows import focus

from rtasmr.features.spec import PICTURE_NAMES
from rtasmr.grid import ON_TICK_TOLERANCE_S
from rtasmr.recorded_features import RecordedFrames, frames_from_recording
from rtasmr.session import Recording, read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(600)]

DURATION_S = 8.0
SFREQ = 44_100
CLOSE_S = 0.010
"""How near flashes and clicks must be to their time in the file."""

FLASH_TICKS = (20, 31, 42, 53)
"""A flash begins `CLOSE_S` before each of these ticks and ends before the next one."""
DARK_TICKS = (25, 36, 47, 58)
"""A flash begins `CLOSE_S` after each of these ticks and ends before the next one."""
FLASH_S = 0.060
TONE_TICKS = (22, 33, 44, 55, 66)
"""A tone of 0.3 s begins exactly at each of these ticks."""
TONE_S = 0.3
AMPLITUDE = 20_000


def write_clip(path: Path) -> None:
    """Write pictures with time stamps of their own, white or black, and a tone now and then; lossless."""
    changes = {0: 0}  # millisecond: grey level
    for ticks, sign in ((FLASH_TICKS, -1), (DARK_TICKS, 1)):
        for tick in ticks:
            begin_ms = 100 * tick + round(sign * 1000 * CLOSE_S)
            changes |= {begin_ms: 255, begin_ms + round(1000 * FLASH_S): 0}
    changes[round(1000 * DURATION_S) - 20] = 0
    # One unit up and down: sound that does not change at all for 2 s counts as a dead input.
    sound = (np.arange(round(DURATION_S * SFREQ)) % 2).astype(np.int16)
    for tick in TONE_TICKS:
        begin = tick * SFREQ // 10
        t = np.arange(round(TONE_S * SFREQ)) / SFREQ
        sound[begin : begin + len(t)] = AMPLITUDE * np.cos(2 * np.pi * 2000 * t)
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=1000, width=64, height=48, pix_fmt="bgr0")
        track = container.add_stream("pcm_s16le", rate=SFREQ, layout="mono")
        for time_ms, level in sorted(changes.items()):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            image.pts, image.time_base = time_ms, Fraction(1, 1000)
            container.mux(video.encode(image))
        for lo in range(0, len(sound), 4410):
            block = av.AudioFrame.from_ndarray(sound[np.newaxis, lo : lo + 4410], format="s16", layout="mono")
            block.sample_rate, block.pts = SFREQ, lo
            container.mux(track.encode(block))
        for stream in (video, track):
            container.mux(stream.encode())


@dataclass(frozen=True)
class Viewing:
    """One viewing and what came out of it."""

    clip: Path
    account: dict[str, Any]
    words: str
    recording: Recording
    frames: RecordedFrames
    presses: tuple[Press, ...]

    @property
    def start_s(self) -> float:
        """LSL time of the clip's beginning."""
        clip = self.recording.stream("rtasmr-clip")
        (start,) = [t for t, text in zip(clip.times, clip.data, strict=True) if text == "clip_start flashes"]
        return float(start)

    @property
    def n_late(self) -> int:
        """Pictures that the player itself says the machine kept it from showing when they were due."""
        player = self.account["player"]
        return int(player["pictures_late"] + player["pictures_dropped"])

    def in_clip(self, *names: str) -> np.ndarray:
        """Return columns of the clip's frames, tick by tick from 0."""
        rows = self.frames.labels == "flashes"
        np.testing.assert_array_equal(self.frames.tick[rows], np.arange(rows.sum()))
        columns = [self.frames.names.index(name) for name in names]
        return self.frames.values[rows][:, columns]


def environment_of(home: Path, *others: Mapping[str, str]) -> dict[str, str]:
    environment = {**os.environ, "RTASMR_HOME": str(home), "RTASMR_LSL_SESSION": f"v-{uuid.uuid4().hex[:8]}"}
    for other in others:
        environment |= other
    return environment


def start(environment: Mapping[str, str], *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def viewing(tiny_home, sound_server, tmp_path_factory) -> Viewing:
    if shutil.which("xdotool") is None or ctypes.util.find_library("Xtst") is None:
        pytest.skip("xdotool or libXtst is not installed")
    clip = tmp_path_factory.mktemp("viewing") / "flashes.mkv"
    write_clip(clip)
    return undisturbed(
        lambda attempt: view(clip, clip.with_name(f"viewing-{attempt}.xdf"), tiny_home, sound_server),
        lambda viewing: viewing.account["player"],
    )


def view(clip: Path, recording: Path, tiny_home: Path, sound_server: SoundServer) -> Viewing:
    """Watch the clip once, pressing keys."""
    environment = environment_of(tiny_home, sound_server.environment)
    pulse = start(environment, "rtasmr", "source", "simulated", "--sfreq", 250)
    viewer = start(
        environment,
        *("rtasmr", "view", clip, "--headless", "--json", "--sound-device", sound_server.device),
        *("--ppg", "type=PPG", "--delay", 40, "--record", recording, "--record-raw"),
    )
    try:
        focus("^rtasmr: stimulus$")
        assert viewer.stdout is not None
        presses = []
        with Keyboard() as keyboard:  # before the clip: opening it costs time
            for line in viewer.stdout:
                if json.loads(line).get("segment") == "flashes":
                    break
            for key in "2413":
                presses.append(keyboard.press(key))
                time.sleep(0.7)
        out, words = viewer.communicate(timeout=120)
    finally:
        for process in (viewer, pulse):
            process.terminate()
            process.communicate()
    assert viewer.returncode == 0, words
    loaded = read_xdf(recording)
    account = json.loads(out.splitlines()[-1])
    return Viewing(clip, account, words, loaded, frames_from_recording(loaded), tuple(presses))


def test_every_tick_has_one_record_and_the_run_ends_with_the_clip(viewing):
    account = viewing.account
    assert (account["missing"], account["duplicates"], account["absent"]) == (0, 0, [])
    assert [s["label"] for s in account["segments"]] == ["", "flashes", ""]
    clip = viewing.recording.stream("rtasmr-clip")
    assert list(clip.data) == ["clip_start flashes", "clip_end flashes"]
    lasted_s = clip.times[1] - clip.times[0]
    assert lasted_s == pytest.approx(DURATION_S, abs=CLOSE_S)
    # A card that is slow by any amount plays a whole number of ticks and a bit.
    assert len(viewing.in_clip("rms")) == math.ceil(10 * (lasted_s - ON_TICK_TOLERANCE_S))
    assert "Traceback" not in viewing.words
    assert "is gone" not in viewing.words


def test_the_player_says_how_it_went(viewing):
    player = viewing.account["player"]
    assert [clip["clip"] for clip in player["clips"]] == ["flashes"]
    assert player["seconds"] == DURATION_S
    n_pictures = 2 + 2 * len(FLASH_TICKS + DARK_TICKS)
    assert player["pictures"] + player["pictures_dropped"] == n_pictures
    assert player["sound"]["samples_late"] == 0
    assert abs(player["sound"]["rate_ppm"]) < 1000


def test_the_streams_name_the_stimulus_and_the_delay(viewing):
    desc = viewing.recording.stream("rtasmr-sound").spec.desc
    assert desc["stimulus"] == "flashes.mkv"
    assert desc["stimulus_sha256"] == hashlib.sha256(viewing.clip.read_bytes()).hexdigest()
    assert float(desc["delay_ms"]) == 40
    assert desc["master_clock"] == "sound card"
    assert 0 < float(desc["output_latency_s"]) < 1


def test_flashes_are_published_at_their_time_in_the_file(viewing):
    pictures = viewing.recording.stream("rtasmr-picture")
    white = pictures.data.view(np.uint8).mean(axis=1) > 127
    begins = pictures.times[1:][white[1:] & ~white[:-1]] - viewing.start_s
    expected = sorted([k / 10 - CLOSE_S for k in FLASH_TICKS] + [k / 10 + CLOSE_S for k in DARK_TICKS])
    assert len(begins) <= len(expected)
    off_s = np.abs(np.subtract.outer(expected, begins)).min(axis=1)
    assert np.count_nonzero(off_s > CLOSE_S) <= viewing.n_late


def test_tones_are_published_at_their_time_in_the_file(viewing):
    sound = viewing.recording.stream("rtasmr-sound")
    loud = np.abs(sound.data[:, 0].astype(int)) > AMPLITUDE / 2
    times = sound.times[loud] - viewing.start_s
    begins = times[np.diff(times, prepend=-1) > TONE_S]
    np.testing.assert_allclose(begins, np.array(TONE_TICKS) / 10, rtol=0, atol=CLOSE_S)


def test_flashes_land_in_the_feature_frames_within_10_ms(viewing):
    """A flash 10 ms before a tick is seen by it, one 10 ms after it is not, and ends before the next."""
    brightness = viewing.in_clip(*PICTURE_NAMES[:3]).mean(axis=1)
    ticks = np.flatnonzero(brightness > 127)
    assert len(set(ticks.tolist()) ^ set(FLASH_TICKS)) <= viewing.n_late


def test_tones_land_in_the_feature_frames_within_10_ms(viewing):
    """The window of 2048 samples around a tick holds half a tone that begins there."""
    power = viewing.in_clip("rms")[:, 0].astype(float) ** 2
    for tick in TONE_TICKS:
        share = power[tick] / power[tick + 1]  # the next window lies within the tone
        begins_late_s = (0.5 - share) * 2048 / SFREQ
        assert abs(begins_late_s) < CLOSE_S
        assert power[tick - 1] < 1e-3 * power[tick + 1]


def test_ratings_are_stamped_at_the_key_event(viewing):
    ratings = viewing.recording.stream("rtasmr-rating")
    assert list(ratings.data) == [f"rating={int(press.key) - 1}" for press in viewing.presses]
    for time_s, press in zip(ratings.times, viewing.presses, strict=True):
        # X11 counts whole milliseconds.
        assert press.before_s - 0.001 <= time_s <= press.after_s + 0.001
