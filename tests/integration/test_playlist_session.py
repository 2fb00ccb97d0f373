"""A session of three clips with rests and a pause: real window, keys, sound and LSL, a simulated sensor."""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl
import pytest
from sound_servers import SoundServer
from viewings import undisturbed
from x_keys import Keyboard, Press
from x_windows import focus

from rtasmr.bids import export_bids
from rtasmr.link import LinkError, SnapshotClient
from rtasmr.link.running import find_link
from rtasmr.snapshot import Command, Snapshot
from rtasmr.tables import Session, load_session

pytestmark = [pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(900)]

SFREQ = 44_100
RAIN_S, SEA_S = 9.0, 5.0
CLOSE_S = 0.020

PLAYLIST = """
title = "Three clips"
sequence = [1.5, "a", 1, "b"]
block_order = "balanced"
begin_text = "Press the space bar"
[block.a]
clips = ["rain"]
[block.b]
clips = ["broken", "sea"]
[clip.rain]
file = "rain.mkv"
question = "tingling"
[clip.broken]
file = "broken.mkv"
question = "tingling"
[clip.sea]
file = "sea.mkv"
question = "pleasantness"
"""


def write_clip(path: Path, seconds: float, *, sound: bool) -> None:
    """Write grey pictures, irregular in time, and as sound the number of the sample; lossless."""
    times_ms = np.cumsum(np.tile([40, 20, 60, 80], 1 + round(5 * seconds)))
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=1000, width=64, height=48, pix_fmt="bgr0")
        track = container.add_stream("pcm_s16le", rate=SFREQ, layout="mono") if sound else None
        for time_ms in [0, *times_ms[times_ms < 1000 * seconds].tolist()]:
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200, np.uint8), format="rgb24")
            image.pts, image.time_base = int(time_ms), Fraction(1, 1000)
            container.mux(video.encode(image))
        if track is not None:
            samples = (1 + np.arange(round(seconds * SFREQ)) % 30_000).astype(np.int16)
            for lo in range(0, len(samples), 4410):
                part = samples[np.newaxis, lo : lo + 4410]
                block = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                block.sample_rate, block.pts = SFREQ, lo
                container.mux(track.encode(block))
            container.mux(track.encode())
        container.mux(video.encode())


@dataclass(frozen=True)
class Shown:
    """One session and what came out of it; ``paused`` is what the experimenter's window was told."""

    account: dict[str, Any]
    words: str
    path: Path
    session: Session
    presses: tuple[Press, ...]
    paused: Snapshot

    def marks(self) -> dict[str, list[float]]:
        """Return the times of each clip marker."""
        clip = self.session.recording.stream("rtasmr-clip")
        marks: dict[str, list[float]] = {}
        for time_s, text in zip(clip.times.tolist(), clip.data, strict=True):
            marks.setdefault(text, []).append(time_s)
        return marks

    def ticks(self, clip: str) -> pl.DataFrame:
        return self.session.ticks.filter(pl.col("clip") == clip)


def start(environment: Mapping[str, str], *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *map(str, words)],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_clip(viewer: subprocess.Popen[str], clip: str) -> None:
    assert viewer.stdout is not None
    for line in viewer.stdout:
        if json.loads(line).get("segment") == clip:
            return
    raise AssertionError(f"clip {clip} did not come: {viewer.communicate()[1]}")


def ask_pause(client: SnapshotClient) -> None:
    """Press the window's Pause as often as a runtime that is too busy to answer needs."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return client.command(Command.PAUSE)
        except LinkError:
            if time.monotonic() > deadline:
                raise


def programme(client: SnapshotClient, *, paused: bool) -> Snapshot:
    """Poll as a window does until the runtime says that the session is paused, or not."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(LinkError):  # too busy to answer at once: a window tries again, too
            snapshot = client.poll(0.1)
            state = None if snapshot is None else snapshot.programme
            if snapshot is not None and state is not None and state.paused is paused:
                return snapshot
    raise AssertionError(f"the session was not told to be paused={paused}")


@pytest.fixture(scope="module")
def shown(tiny_home, sound_server, tmp_path_factory) -> Shown:
    if shutil.which("xdotool") is None or ctypes.util.find_library("Xtst") is None:
        pytest.skip("xdotool or libXtst is not installed")
    folder = tmp_path_factory.mktemp("session")
    write_clip(folder / "rain.mkv", RAIN_S, sound=True)
    write_clip(folder / "sea.mkv", SEA_S, sound=False)
    (folder / "three.toml").write_text(PLAYLIST)
    return undisturbed(
        lambda attempt: show(folder, folder / f"session-{attempt}.xdf", tiny_home, sound_server),
        lambda shown: shown.account["player"],
    )


def show(folder: Path, path: Path, tiny_home: Path, sound_server: SoundServer) -> Shown:
    """Run the session once, with keys, a pause in which one is pressed, and a clip that breaks."""
    (folder / "broken.mkv").write_bytes((folder / "sea.mkv").read_bytes())
    session = {"RTASMR_HOME": str(tiny_home), "RTASMR_LSL_SESSION": f"s-{uuid.uuid4().hex[:8]}"}
    environment = {**os.environ, **session, **sound_server.environment}
    pulse = start(environment, "rtasmr", "source", "simulated", "--sfreq", 250)
    viewer = start(
        environment,
        *("rtasmr", "view", folder / "three.toml", "--headless", "--json", "--participant", "001"),
        *("--rate", "slider", "--sound-device", sound_server.device, "--ppg", "type=PPG"),
        *("--record", path, "--record-raw"),
    )
    presses: list[Press] = []
    try:
        link = link_of(viewer)  # the runtime opens it when the player is there
        focus("^rtasmr: stimulus$")
        client = SnapshotClient(link)
        with Keyboard() as keyboard:
            programme(client, paused=False)
            keyboard.press("space")
            # Whole when the session began, as on a share that is lost in the middle of it.
            (folder / "broken.mkv").write_bytes(b"")
            wait_for_clip(viewer, "rain")
            for key in ("2", "4", "1", *["Right"] * 6):
                presses.append(keyboard.press(key))
                time.sleep(0.1)
            ask_pause(client)
            paused = programme(client, paused=True)
            time.sleep(0.6)
            keyboard.press("4")  # is no rating: nothing is shown
            time.sleep(0.6)
            keyboard.press("p")
            programme(client, paused=False)
            wait_for_clip(viewer, "sea")
            presses.append(keyboard.press("3"))
        client.close()
        out, words = viewer.communicate(timeout=120)
    finally:
        for process in (viewer, pulse):
            process.terminate()
            process.communicate()
    assert viewer.returncode == 0, words
    account = json.loads(out.splitlines()[-1])
    return Shown(account, words, path, load_session(path), tuple(presses), paused)


def link_of(viewer: subprocess.Popen[str]) -> Path:
    """Return the link file of a runtime that is about to open one."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and viewer.poll() is None:
        with suppress(LinkError):
            return find_link(str(viewer.pid))
        time.sleep(0.2)
    viewer.terminate()
    raise AssertionError(f"no runtime: {viewer.communicate()[1]}")


def test_the_session_goes_on_past_a_pause_and_a_clip_that_does_not_decode(shown):
    assert list(shown.session.recording.stream("rtasmr-clip").data) == [
        *("rest_start", "rest_end", "clip_start rain", "pause_start", "pause_end", "clip_end rain"),
        *("rest_start", "rest_end", "clip_skipped broken", "clip_start sea", "clip_end sea"),
    ]
    assert (shown.account["missing"], shown.account["duplicates"], shown.account["error"]) == (0, 0, "")
    player = shown.account["player"]
    assert [(clip["clip"], clip["skipped"]) for clip in player["clips"]] == [
        ("rain", False),
        ("broken", True),
        ("sea", False),
    ]
    assert player["pauses"] == 1
    (line,) = [line for line in shown.words.splitlines() if "broken" in line]
    assert "clip broken cannot be decoded and is skipped: " in line
    assert "Traceback" not in shown.words
    assert shown.account["markers"]["unknown"] == 0


def test_a_pause_holds_the_clip_and_nothing_of_it_is_scored(shown):
    marks = shown.marks()
    (begin_s,), (end_s,) = marks["pause_start"], marks["pause_end"]
    lasted_s = marks["clip_end rain"][0] - marks["clip_start rain"][0]
    assert lasted_s == pytest.approx(RAIN_S + end_s - begin_s, abs=CLOSE_S)
    assert end_s - begin_s > 1.0
    ticks = shown.ticks("rain")
    np.testing.assert_array_equal(ticks["tick"], np.arange(len(ticks)))  # one segment, one grid
    held = ticks.filter((pl.col("time_s") >= begin_s) & (pl.col("time_s") < end_s - 0.001))
    assert set(held["status"]) <= {"gap", "warmup"}
    assert "gap" in set(held["status"]) or held["tick"].max() < 50
    assert held["probability"].null_count() == len(held)
    assert "ok" in set(ticks.filter(pl.col("time_s") > end_s)["status"])


def test_the_sound_goes_on_where_it_was_held(shown):
    sound = shown.session.recording.stream("rtasmr-sound")
    marks = shown.marks()
    samples = sound.data[:, 0].astype(int)
    (begin_s,), (end_s,) = marks["pause_start"], marks["pause_end"]
    inside = (sound.times > begin_s + CLOSE_S) & (sound.times < end_s - CLOSE_S)
    assert inside.sum() > SFREQ
    assert not samples[inside].any()
    heard = samples[samples != 0]
    # Every sample of the clip once, in order: nothing is lost or heard twice at the seam.
    np.testing.assert_array_equal(heard, 1 + np.arange(round(RAIN_S * SFREQ)) % 30_000)


def test_the_screen_is_black_in_rests_and_pauses(shown):
    pictures = shown.session.recording.stream("rtasmr-picture")
    level = pictures.data.view(np.uint8).mean(axis=1)
    marks = shown.marks()
    for name in ("rest", "pause"):
        for begin_s, end_s in zip(marks[f"{name}_start"], marks[f"{name}_end"], strict=True):
            inside = (pictures.times > begin_s - 1e-6) & (pictures.times < end_s - 1e-6)
            assert inside.any()
            assert level[inside].max() == 0, name
    (begin_s,), (end_s,) = marks["pause_start"], marks["pause_end"]
    for mark_s, expected in ((begin_s, 0.0), (end_s, 200.0)):  # the screen is told of as of the mark itself
        np.testing.assert_array_equal(level[np.abs(pictures.times - mark_s) < 1e-6], expected)
        assert np.abs(pictures.times - mark_s).min() < 1e-6
    (begin_s,), (end_s,) = marks["clip_start sea"], marks["clip_end sea"]
    assert level[(pictures.times > begin_s + 0.2) & (pictures.times < end_s - 0.2)].min() > 150
    rests = [e - b for b, e in zip(marks["rest_start"], marks["rest_end"], strict=True)]
    np.testing.assert_allclose(rests, [1.5, 1.0], atol=CLOSE_S)


def test_ratings_are_stamped_at_the_key_event_and_know_their_question(shown):
    ratings = shown.session.recording.stream("rtasmr-rating")
    keys = [press for press in shown.presses if press.key.isdigit()]
    assert list(ratings.data) == ["rating=1", "rating=3", "rating=0", "rating=1", "rating=2"]
    stamps = dict(zip(ratings.data[:3], ratings.times[:3], strict=True)), ratings.times[-1]
    by_key = [stamps[0][f"rating={int(press.key) - 1}"] for press in keys[:-1]] + [stamps[1]]
    for press, time_s in zip(keys, by_key, strict=True):
        # X11 counts whole milliseconds.
        assert press.before_s - 0.001 <= time_s <= press.after_s + 0.001
    desc = ratings.spec.desc
    assert (desc["question.rain"], desc["question.sea"]) == ("tingling", "pleasantness")
    asked = {clip: set(shown.ticks(clip)["question"]) for clip in ("rain", "sea")}
    assert asked == {"rain": {"tingling"}, "sea": {"pleasantness"}}


def test_the_slider_is_recorded_as_it_moved_and_as_levels(shown):
    slider = shown.session.recording.stream("rtasmr-rating-continuous")
    assert (slider.spec.stype, slider.spec.desc["input"]) == ("Rating", "slider")
    assert slider.spec.desc["question.sea"] == "pleasantness"
    begin_s = shown.marks()["clip_start sea"][0]
    values = slider.data[slider.times < begin_s - 0.001, 0]
    np.testing.assert_allclose(values, [0, 1, 3, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], atol=1e-6)
    arrows = [press for press in shown.presses if press.key == "Right"]
    for press, time_s in zip(arrows, slider.times[4:10], strict=True):
        assert press.before_s - 0.001 <= time_s <= press.after_s + 0.001
    ratings = shown.session.recording.stream("rtasmr-rating")
    assert ratings.times[3] == slider.times[8]  # 0.5 stands for level 1


def test_the_experimenter_is_told_where_the_session_is(shown):
    state = shown.paused.programme
    assert (state.now, state.question, state.next) == ("rain", "tingling", "rest")
    assert (state.clip, state.n_clips) == (1, 3)
    assert 0 < state.left_s < RAIN_S
    assert state.total_left_s > state.left_s + SEA_S


def test_the_recording_says_what_was_to_be_shown_and_exports(shown, tmp_path):
    told = json.loads(shown.session.header["playlist"])
    assert (told["file"], told["order_number"], told["block_order"]) == ("three.toml", 1, "balanced")
    assert told["steps"][1:5] == ["rest 1.5 s", "clip rain", "rest 1 s", "clip broken"]
    desc = shown.session.recording.stream("rtasmr-clip").spec.desc
    assert desc["stimulus.rain"] == "rain.mkv"
    assert len(desc["stimulus_sha256.rain"]) == 64
    export_bids(shown.path, tmp_path / "set")
    (events,) = (tmp_path / "set").rglob("*_events.tsv")
    table = pl.read_csv(events, separator="\t", null_values="n/a")
    pleasant = table.filter((pl.col("trial_type") == "rating") & (pl.col("clip") == "sea"))
    assert pleasant["question"].to_list() == ["pleasantness"]
    assert table["trial_type"].value_counts().sort("trial_type")["count"].to_list() == [2, 1, 5, 2]
