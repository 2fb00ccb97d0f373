"""Camera and screen over LSL: colours and places of the picture, times, and what may go wrong."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence

import av
import numpy as np
import pytest

from rtasmr.errors import ConfigError
from rtasmr.sources.camera import Camera
from rtasmr.sources.device import DeviceBusyError, DeviceLostError, DeviceMissingError, DevicePermissionError
from rtasmr.sources.screen import Region, Screen

gui = pytest.mark.gui
pytestmark = pytest.mark.timeout(90)

WIDTH, HEIGHT = 640, 480
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

HEAR = """
import sys
import numpy as np, pylsl
from rtasmr import lslconfig

lslconfig.configure(False)
inlet = pylsl.StreamInlet(pylsl.resolve_bypred(sys.argv[1], 1, 30)[0], recover=False)
pictures, times = [], []
while len(times) < int(sys.argv[2]):
    data, stamps = inlet.pull_chunk(1.0, 4)
    pictures += data
    times += stamps
now = pylsl.local_clock()
levels = np.array(pictures, np.int8).view(np.uint8).reshape(-1, 224, 224, 3)
np.savez(sys.argv[3], pictures=levels, times=times, now=now)
"""


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "RTASMR_LSL_SESSION": f"test-{uuid.uuid4().hex[:12]}"}


@pytest.fixture
def display(monkeypatch) -> Iterator[str]:
    """A screen of its own that shows red, green (above), blue and white (below), a quarter each."""
    read, write = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(write)
        with os.fdopen(read) as told:
            name = f":{told.readline().strip()}"
        try:
            monkeypatch.setenv("DISPLAY", name)
            monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
            with subprocess.Popen(
                [sys.executable, "-c", PAINT], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
            ) as painter:
                assert painter.stdout.readline() == "painted\n"
                yield name
                painter.kill()
        finally:
            server.terminate()


PAINT = f"""
import sys
from PyQt5 import QtCore, QtGui, QtWidgets

app = QtWidgets.QApplication(["paint", "-platform", "xcb"])


class Quarters(QtWidgets.QWidget):
    def paintEvent(self, event):
        painter = QtGui.QPainter(self)
        for i, colour in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))):
            x, y = i % 2 * {WIDTH // 2}, i // 2 * {HEIGHT // 2}
            painter.fillRect(x, y, {WIDTH // 2}, {HEIGHT // 2}, QtGui.QColor(*colour))
        QtCore.QTimer.singleShot(500, lambda: print("painted", flush=True))


window = Quarters()
window.setWindowFlags(QtCore.Qt.X11BypassWindowManagerHint)
window.setGeometry(0, 0, {WIDTH}, {HEIGHT})
window.show()
app.exec_()
"""


def hear(
    environment: dict[str, str], words: Sequence[object], query: str, n: int, out
) -> tuple[dict[str, np.ndarray], str]:
    """Run a source until a consumer of its own has taken ``n`` pictures; return them and what was said."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "rtasmr", "source", *map(str, words)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as source:
        try:
            subprocess.run(
                [sys.executable, "-c", HEAR, query, str(n), str(out)], env=environment, check=True, timeout=60
            )
        finally:
            source.terminate()
        said = source.communicate(timeout=20)[0]
        assert source.returncode == 0
    with np.load(out) as saved:
        return dict(saved), said


@gui
@pytest.mark.lsl
def test_a_region_of_the_screen_arrives_with_its_colours_in_their_places(
    display, environment, tmp_path, monkeypatch
):
    environment["DISPLAY"] = display
    environment.pop("WAYLAND_DISPLAY", None)
    words = ["screen", "--region", f"0,0,{WIDTH},{HEIGHT}", "--fps", "20"]
    query = f"source_id='rtasmr-screen-0-0-{WIDTH}-{HEIGHT}'"
    heard, said = hear(environment, words, query, 10, tmp_path / "heard.npz")
    for picture in heard["pictures"]:
        np.testing.assert_array_equal(picture[:100, :100], np.broadcast_to(RED, (100, 100, 3)))
        np.testing.assert_array_equal(picture[:100, -100:], np.broadcast_to(GREEN, (100, 100, 3)))
        np.testing.assert_array_equal(picture[-100:, :100], np.broadcast_to(BLUE, (100, 100, 3)))
        np.testing.assert_array_equal(picture[-100:, -100:], np.broadcast_to(WHITE, (100, 100, 3)))
    times = heard["times"]
    assert (np.diff(times) > 0).all()
    assert times[-1] < heard["now"]
    assert "disconnects 0" in said


@gui
def test_a_part_of_the_screen_is_that_part(display):
    screen = Screen(Region(WIDTH // 2, 0, WIDTH // 2, HEIGHT // 2))
    screen.open()
    try:
        picture = screen.read(1.0).samples[0]
    finally:
        screen.close()
    np.testing.assert_array_equal(picture, np.broadcast_to(GREEN, (224, 224, 3)))
    with pytest.raises(DeviceLostError, match="not open"):
        screen.read(0.0)
    with pytest.raises(ConfigError, match="expected a region inside 0,0,640,480, got 600,0,100,100"):
        Screen(Region(600, 0, 100, 100)).open()


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,0,0,10", "0,0,10,-1", "1.5,0,2,2"])
def test_a_region_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="expected a region as X,Y,W,H"):
        Region.parse(text)


def test_wayland_and_no_screen_at_all_are_said(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(ConfigError, match="Wayland lets no program read the screen"):
        Screen().open()
    monkeypatch.delenv("WAYLAND_DISPLAY")
    monkeypatch.setenv("DISPLAY", ":7654")
    with pytest.raises(DeviceMissingError, match="expected a screen"):
        Screen().open()


@gui
def test_a_camera_is_read_in_its_own_thread_that_ends_with_it(display):
    # FFmpeg's grabber of the screen stands for the camera: opened, paced and decoded the same way.
    camera = Camera(display, fps=20, driver="x11grab")
    camera.open()
    try:
        readings = [reading for _ in range(40) if (reading := camera.read(1.0)) is not None][:5]
    finally:
        camera.close()
    assert len(readings) == 5
    for reading in readings:
        np.testing.assert_array_equal(reading.samples[0, :100, :100], np.broadcast_to(RED, (100, 100, 3)))
        np.testing.assert_array_equal(reading.samples[0, -100:, :100], np.broadcast_to(BLUE, (100, 100, 3)))
    assert (np.diff([reading.arrival for reading in readings]) > 0).all()
    assert not [thread for thread in threading.enumerate() if thread.name == "camera"]


def test_a_camera_that_ends_is_lost_after_its_last_picture(tiny_video):
    # As many pictures per second as the file is decoded in.
    camera = Camera(str(tiny_video), fps=1e6, driver="avi")
    camera.open()
    readings = []

    def read_on() -> None:
        while True:
            readings.append(camera.read(5.0))

    with pytest.raises(DeviceLostError, match=r"is gone \(it has ended\)"):
        read_on()
    camera.close()
    assert readings
    # The newest ones wait for the reader, who may miss only the one that made room for the end.
    assert readings[-1].samples[0, 0, 0, 0] >= 4 * 48


@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [
        (errno.EBUSY, DeviceBusyError, "another program uses it"),
        (errno.EACCES, DevicePermissionError, "no permission"),
        (errno.ENODEV, DeviceMissingError, "Plug it in, or name another"),
    ],
)
def test_a_camera_that_is_refused_says_what_to_do(number, kind, told, monkeypatch):
    def refuse(*_args, **_options):
        raise av.error.FFmpegError(number, os.strerror(number))

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(kind, match=told):
        Camera("0").open()


def test_a_camera_that_is_not_there_is_one_line():
    with pytest.raises(DeviceMissingError, match="camera /dev/video77 does not open"):
        Camera("77").open()


@pytest.mark.lsl
def test_a_video_plays_the_camera(tiny_video, environment, tmp_path):
    words = ["camera", "--file", tiny_video, "--loop"]
    heard, _ = hear(environment, words, "source_id='rtasmr-camera-tiny'", 60, tmp_path / "heard.npz")
    levels = heard["pictures"][:, 112, 112, 0].astype(int)
    assert (heard["pictures"] == levels[:, None, None, None]).all()
    # Image k of 50 is grey level 4 k; after the last comes the first again, 40 ms later like every other.
    np.testing.assert_array_equal(np.diff(levels) % 200, 4)
    np.testing.assert_allclose(np.diff(heard["times"]), 0.04, atol=1e-3)
