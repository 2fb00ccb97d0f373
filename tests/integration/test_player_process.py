"""The player by itself, and what a viewing makes of trouble: real window, real LSL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from viewings import undisturbed

from rtasmr.session import read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(240)]


@pytest.fixture
def started() -> Iterator[Any]:
    """Start a module of ours in a process; whatever still runs at the end is ended."""
    processes: list[subprocess.Popen[str]] = []

    def start(module: str, *words: object, environment: Mapping[str, str] | None = None) -> Any:
        session = {"RTASMR_LSL_SESSION": f"p-{uuid.uuid4().hex[:8]}"}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", module, *map(str, words)],
                env={**os.environ, **session, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


@pytest.fixture(scope="module")
def silent_video(tmp_path_factory) -> Path:
    """2 s of pictures with no sound."""
    path = tmp_path_factory.mktemp("silent") / "silent.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
        for k in range(50):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * k, np.uint8), format="rgb24")
            container.mux(video.encode(image))
        container.mux(video.encode())
    return path


def facts_of(process: subprocess.Popen[str]) -> tuple[dict[str, str], dict[str, Any], str]:
    """Wait for the player's end; return its streams, its account and what it said."""
    out, words = process.communicate(timeout=60)
    assert process.returncode == 0, words
    first, *programme, last = (json.loads(line) for line in out.splitlines())
    assert all(set(fact) == {"programme"} for fact in programme)
    return first["streams"], last["account"], words


def test_a_video_without_sound_follows_the_computers_clock(started, silent_video):
    streams, account, words = facts_of(started("rtasmr.player", silent_video))
    assert set(streams) == {"clip", "rating", "picture"}
    assert account["pictures"] + account["pictures_dropped"] == 50
    assert (account["seconds"], account["sound"]) == (2.0, None)
    assert "silent.mp4 has no sound" in words


def test_without_a_sound_card_the_pictures_go_on(started, tiny_video):
    player = started("rtasmr.player", tiny_video, "--duration", 1, "--sound-device", "no such device")
    streams, account, words = facts_of(player)
    assert set(streams) == {"clip", "rating", "picture"}
    assert (account["seconds"], account["sound"]) == (1.0, None)
    (line,) = [line for line in words.splitlines() if line.startswith("no sound: ")]
    assert "no such device" in line
    assert line.endswith("Going on without sound")


def test_a_sound_file_is_heard_before_a_black_screen(started, sound_server, tmp_path):
    path = tmp_path / "noise.wav"
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        block = av.AudioFrame.from_ndarray(np.full((1, 44_100), 1000, np.int16), format="s16", layout="mono")
        block.sample_rate = 44_100
        container.mux(track.encode(block))
        container.mux(track.encode())
    words = ("rtasmr.player", path, "--sound-device", "pulse")
    streams, account, _ = undisturbed(
        lambda _: facts_of(started(*words, environment=sound_server.environment)), lambda facts: facts[1]
    )
    assert set(streams) == {"clip", "rating", "sound"}
    assert (account["seconds"], account["pictures"]) == (1.0, 0)
    assert account["sound"]["samples_late"] == 0


def test_a_file_that_breaks_off_ends_where_it_breaks(started, silent_video, tmp_path):
    """The header of the whole 8 s, and a quarter of the data."""
    whole, broken = tmp_path / "whole.mkv", tmp_path / "broken.mkv"
    with av.open(str(whole), "w") as container:
        video = container.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="bgr0")
        rng = np.random.default_rng(5)
        for _ in range(200):
            noise = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(video.encode())
    content = whole.read_bytes()
    broken.write_bytes(content[: len(content) // 4])
    _, account, words = facts_of(started("rtasmr.player", broken))
    assert 1.5 < account["seconds"] < 2.5
    assert "its header says 8.0 s" in words


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_player_that_dies_leaves_a_whole_recording(started, silent_video, tiny_home, tmp_path, number):
    """Killed, it leaves no end of the clip; told to end, it closes the clip first."""
    recording = tmp_path / "died.xdf"
    viewer = started(
        "rtasmr",
        *("view", silent_video, "--headless", "--json", "--wait", 2, "--record", recording),
        environment={"RTASMR_HOME": str(tiny_home)},
    )
    for line in viewer.stdout:
        if json.loads(line).get("segment") == "silent":
            break
    (player,) = subprocess.run(
        ["pgrep", "-P", str(viewer.pid), "-f", "rtasmr.player"], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(player), number)
    out, words = viewer.communicate(timeout=60)
    assert viewer.returncode == (number is signal.SIGKILL), words
    account = json.loads(out.splitlines()[-1])
    assert (account["missing"], account["duplicates"]) == (0, 0)
    texts = list(read_xdf(recording).stream("rtasmr-clip").data)
    if number is signal.SIGKILL:
        assert account["player"] is None
        assert texts == ["clip_start silent"]
        assert "the player has ended early" in words
        assert account["remarks"][0].startswith("the player ended early")
        assert "error: expected the player to show silent.mp4 to its end" in words
        incidents = [json.loads(text) for text in read_xdf(recording).stream("rtasmr-incidents").data]
        assert "ended early" in [incident["what"] for incident in incidents]
    else:
        assert account["player"]["seconds"] <= 2.0
        assert texts == ["clip_start silent", "clip_end silent"]


def test_the_player_ends_with_the_process_that_started_it(started, silent_video):
    player = started("rtasmr.player", silent_video, "--tied", "--wait-for-consumer")
    player.stdout.readline()  # its streams are open, and nobody takes them
    player.stdin.close()
    assert player.wait(30) == 0


@pytest.fixture
def two_displays() -> Iterator[str]:
    """An X server of its own with two displays, the second one 800 x 600."""
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("Xvfb or xdotool is not installed")
    reading, writing = os.pipe()
    words = ["-screen", "0", "640x480x24", "-screen", "1", "800x600x24", "+xinerama", "-extension", "RANDR"]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", *words],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as number:
        display = f":{number.readline().strip()}"
    yield display
    server.terminate()
    server.wait(10)


def test_it_fills_the_display_that_was_chosen(started, silent_video, two_displays):
    environment = {"DISPLAY": two_displays}
    listed = started("rtasmr.player", "--list-displays", environment=environment)
    lines = listed.communicate(timeout=60)[0].splitlines()
    assert [line.rsplit(", ", 1)[1] for line in lines] == ["640x480 (main)", "800x600"]
    words = ("--display", "2", "--full-screen", "--wait-for-consumer")
    player = started("rtasmr.player", silent_video, *words, environment=environment)
    player.stdout.readline()  # its streams are open, and nobody takes them
    search = ["xdotool", "search", "--sync", "--name", "^rtasmr: stimulus$", "getwindowgeometry"]
    told = subprocess.run(
        search, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=True
    )
    assert "Geometry: 800x600" in told.stdout
    player.terminate()
    assert player.wait(30) == 0


def test_orders_pause_skip_and_stop_a_session(started, silent_video, tmp_path):
    """What the runtime writes to it: a rest is paused and skipped, once; the clip is paused and stopped."""
    playlist = tmp_path / "my.toml"
    playlist.write_text(
        'sequence = [60, "a", 60]\n[block.a]\nclips = ["still"]\n'
        f'[clip.still]\nfile = "{silent_video}"\nquestion = "pleasantness"\n'
    )
    player = started("rtasmr.player", playlist, "--tied")
    told: list[dict[str, Any]] = []

    def wait_for(**state: object) -> None:
        for line in player.stdout:
            told.append(json.loads(line).get("programme", {}))
            if state.items() <= told[-1].items():
                return
        raise AssertionError(f"{state} did not come: {player.communicate()[1]}")

    def order(word: str) -> None:
        player.stdin.write(f"{word}\n")
        player.stdin.flush()

    wait_for(now="rest", paused=False)
    order("pause")
    wait_for(now="rest", paused=True)
    order("skip 1")
    wait_for(now="still", paused=False, question="pleasantness", clip=1, n_clips=1, next="rest", step=2)
    order("pause")
    wait_for(step=2, paused=True)
    order("skip 1")  # from a window that has not heard yet that the rest is over
    wait_for(step=2, paused=True)
    order("stop")
    out, words = player.communicate(timeout=60)
    assert player.returncode == 0, words
    account = json.loads(out.splitlines()[-1])["account"]
    assert account["pauses"] == 2
    assert [clip["clip"] for clip in account["clips"]] == ["still"]
    assert account["seconds"] < 2.0
