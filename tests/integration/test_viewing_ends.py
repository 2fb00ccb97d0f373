"""A viewing that is broken off: the clip ends in the recording, and the account is whole."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from rtasmr.session import read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.gui, pytest.mark.timeout(300)]

LONG_S = 60


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=5, width=64, height=48, pix_fmt="bgr0")
        for k in range(5 * LONG_S):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), k % 250, np.uint8), format="rgb24")
            container.mux(video.encode(image))
        container.mux(video.encode())
    return path


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib; the union that it is part of is larger."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest_of_union", ctypes.c_long * 16),
    )


def close_tinglegram(_: subprocess.Popen[str]) -> None:
    """Ask the window to close as a window manager does; there is none here."""
    search = ["xdotool", "search", "--sync", "--onlyvisible", "--class", "^rtasmr$"]
    done = subprocess.run(search, capture_output=True, text=True, timeout=60, check=True)
    window = int(done.stdout.split()[0])
    x = ctypes.CDLL(ctypes.util.find_library("X11"))
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x.XOpenDisplay(None))
    protocols, delete = (x.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
    client_message, data = 33, (ctypes.c_long * 5)(delete)
    event = ClientMessage(client_message, 0, 1, None, window, protocols, 32, data)
    x.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
    x.XCloseDisplay(display)


def interrupt(viewer: subprocess.Popen[str]) -> None:
    viewer.send_signal(signal.SIGINT)


@pytest.fixture(params=[interrupt, close_tinglegram])
def viewer(request, tiny_home, long_video, tmp_path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A viewing under way that is told to end, and its recording."""
    is_window = request.param is close_tinglegram
    if is_window and (shutil.which("xdotool") is None or ctypes.util.find_library("X11") is None):
        pytest.skip("xdotool or libX11 is not installed")
    recording = tmp_path / "viewing.xdf"
    session = f"e-{uuid.uuid4().hex[:8]}"
    words = ["view", str(long_video), "--json", "--wait", "2", "--record", str(recording)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rtasmr", *words, *([] if is_window else ["--headless"])],
        env={**os.environ, "RTASMR_HOME": str(tiny_home), "RTASMR_LSL_SESSION": session},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("segment") == "long":
                break
        request.param(process)
        yield process, recording
    finally:
        process.kill()
        process.communicate()


def test_a_viewing_that_is_broken_off_ends_its_clip(viewer):
    process, recording = viewer
    out, words = process.communicate(timeout=60)
    assert process.returncode == 0, words
    assert "early" not in words
    assert "no sound stream" not in words  # the file has none: nobody waits for it, or takes another's
    account = json.loads(out.splitlines()[-1])
    assert (account["missing"], account["duplicates"], account["error"]) == (0, 0, "")
    assert [s["label"] for s in account["segments"]] == ["", "long", ""]
    assert 0 < account["player"]["seconds"] < LONG_S
    stop = {"clip": 1, "of": 1, "name": "long", "at_s": account["player"]["seconds"]}
    assert account["player"]["stopped"] == stop
    streams = read_xdf(recording)
    told = [json.loads(text) for text in streams.stream("rtasmr-incidents").data]
    assert {"stream": "player", "what": "stopped", **stop} in told
    clip = streams.stream("rtasmr-clip")
    assert list(clip.data) == ["clip_start long", "clip_end long"]
    assert clip.times[1] - clip.times[0] == pytest.approx(account["player"]["seconds"], abs=0.05)
