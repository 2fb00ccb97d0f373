"""A camera by PyAV: Video4Linux, AVFoundation on macOS, DirectShow on Windows."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import queue
import sys
import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr.errors import ConfigError
from rtasmr.features.picture import resize_picture
from rtasmr.features.spec import PICTURE_SHAPE
from rtasmr.sources.device import (
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceMissingError,
    DevicePermissionError,
    Health,
    Reading,
)
from rtasmr.stream_specs import picture_spec
from rtasmr.types import StreamSpec

_LINUX, _WINDOWS = "video4linux2,v4l2", "dshow"
SYSTEM_DRIVER = {"linux": _LINUX, "darwin": "avfoundation", "win32": _WINDOWS}.get(sys.platform, "")
"""What FFmpeg calls the cameras of this system; empty if it knows none."""

DEFAULT_FPS = 30.0
OPEN_S = 10.0
READ_S = 5.0
CLOSE_S = 1.0
"""Seconds that a driver may take to open, to give an image, and to let go."""

QUEUE_PICTURES = 2
"""Pictures that wait for the reading thread; the oldest goes when one more comes."""

MAX_AGE_S = 1.0
"""Oldest capture time of a driver that is believed to be one on the LSL clock."""

_ON_TIME = 0.9
"""A picture may come this early, in periods of the wanted rate: cameras jitter."""

_VIDEO_SIZE = "640x480"
_DEVICES = Path("/dev")
_NAMES = Path("/sys/class/video4linux")


class Camera:
    """Pictures of a camera, in the size that the encoder takes; see `Device`.

    Parameters
    ----------
    address : str
        ``/dev/video0`` or 0, a name as ``--list`` gives it; empty for the first.
    fps : float
        Pictures per second at most.
    driver : str
        What FFmpeg calls the kind of input; empty for that of this system.
    """

    def __init__(self, address: str = "", *, fps: float = DEFAULT_FPS, driver: str = "") -> None:
        self._address = address
        self._fps = fps
        self._driver = driver or SYSTEM_DRIVER
        self._grabber: _Grabber | None = None

    @property
    def spec(self) -> StreamSpec:
        """What it publishes; the identity tells no name."""
        told = hashlib.sha256(self._address.encode()).hexdigest()[:8] if self._address else "default"
        return picture_spec(source_id=f"rtasmr-camera-{told}", desc={"origin": "camera"})

    def open(self) -> None:
        """Start the camera.

        Raises
        ------
        ConfigError
            If this system's cameras cannot be read at all.
        DeviceError
            If there is no such camera, it is in use, or this user may not open it.
        """
        if self._driver not in av.formats_available:
            raise ConfigError(
                f"expected PyAV with {self._driver or 'cameras of this system'}, got one without. "
                "Record to a file and use --file, or take the screen of a camera program."
            )
        place = _place(self._address) if self._driver == SYSTEM_DRIVER else self._address
        options = {"framerate": f"{self._fps:g}"}
        if self._driver == _LINUX:
            options["video_size"] = _VIDEO_SIZE  # the nearest that it has; the encoder takes no more
        try:
            container = av.open(place, format=self._driver, options=options, timeout=(OPEN_S, READ_S))
        except av.FFmpegError as error:
            raise _refusal(place, error) from error
        self._grabber = _Grabber(place, container, self._fps)
        self._grabber.start()

    def read(self, timeout_s: float) -> Reading | None:
        """Return the next picture, stamped with its capture; None if none came in time.

        Raises
        ------
        DeviceLostError
            If the camera is gone.
        """
        if self._grabber is None:
            raise DeviceLostError("the camera is not open. Open it first.")
        return self._grabber.take(timeout_s)

    def close(self) -> None:
        """Let go of the camera."""
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            grabber.stop()

    def health(self) -> Health:
        """Return the driver."""
        return Health(link=self._driver)


class _Grabber:
    """Takes images in a thread of its own: a driver may wait for ever for a camera that hangs.

    Parameters
    ----------
    place : str
        For messages.
    container : av.container.InputContainer
        Closed by the thread.
    fps : float
        Pictures per second at most.
    """

    def __init__(self, place: str, container: Any, fps: float) -> None:
        self._place = place
        self._container = container
        self._period_s = 1 / fps
        self._pictures: queue.Queue[Reading | None] = queue.Queue(QUEUE_PICTURES)
        self._reason = "it has ended"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, timeout_s: float) -> Reading | None:
        try:
            reading = self._pictures.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if reading is None:
            raise DeviceLostError(f"camera {self._place} is gone ({self._reason}). Plug it in again.")
        return reading

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        last: float | None = None
        with self._container as container:
            try:
                for frame in container.decode(video=0):
                    captured = _capture_time(frame.time, float(pylsl.local_clock()))
                    if self._stop.is_set():
                        return
                    if last is not None and captured - last < _ON_TIME * self._period_s:
                        continue
                    last = captured
                    rgb = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
                    self._put(as_reading(rgb, captured))
            except av.FFmpegError as error:
                self._reason = error.strerror or str(error)
        self._put(None)

    def _put(self, reading: Reading | None) -> None:
        if self._pictures.full():
            with contextlib.suppress(queue.Empty):  # it has just been taken
                self._pictures.get_nowait()
        self._pictures.put(reading)


def as_reading(rgb: NDArray[np.uint8], captured: float) -> Reading:
    """Return one picture as a sample.

    Parameters
    ----------
    rgb : ndarray of shape (height, width, 3), uint8
    captured : float
        LSL time in seconds.
    """
    return Reading(resize_picture(rgb).reshape(1, *PICTURE_SHAPE), captured)


def cameras() -> tuple[tuple[str, str], ...]:
    """Return what ``--device`` could name: address, and what it is."""
    if SYSTEM_DRIVER == _LINUX:
        paths = sorted(_DEVICES.glob("video*"), key=lambda path: (len(path.name), path.name))
        return tuple((str(path), _linux_name(path)) for path in paths)
    if SYSTEM_DRIVER not in av.formats_available:
        return ()
    return tuple((found.name, found.description) for found in av.enumerate_input_devices(SYSTEM_DRIVER))


def _linux_name(path: Path) -> str:
    try:
        return (_NAMES / path.name / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "camera"


def _place(address: str) -> str:
    """Return what FFmpeg opens."""
    if SYSTEM_DRIVER == _LINUX:
        return f"/dev/video{address or 0}" if not address or address.isdecimal() else address
    if SYSTEM_DRIVER == _WINDOWS:
        names = [name for name, _ in cameras()]
        if not address and not names:
            raise DeviceMissingError("expected a camera, found none. Plug one in.")
        return f"video={address or names[0]}"
    return address or "0"


def _capture_time(told_s: float | None, now: float) -> float:
    """Return when an image was taken: what the driver tells, if that is on the LSL clock, else its arrival.

    Video4Linux stamps with the monotonic clock, which is that of LSL; others count from anywhere.
    """
    return told_s if told_s is not None and 0 <= now - told_s < MAX_AGE_S else now


def _refusal(place: str, error: av.FFmpegError) -> DeviceError:
    """Return what a camera that does not open means, and what to do."""
    if error.errno in (errno.EACCES, errno.EPERM):
        fix = (
            "Run 'sudo usermod -a -G video $USER' and log in again."
            if SYSTEM_DRIVER == _LINUX
            else "Allow this program the camera in the system's privacy settings."
        )
        return DevicePermissionError(f"camera {place}: no permission to open it. {fix}")
    if error.errno == errno.EBUSY:
        return DeviceBusyError(f"camera {place}: another program uses it. Close that program.")
    there = ", ".join(address for address, _ in cameras()) or "none at all"
    return DeviceMissingError(
        f"camera {place} does not open ({error.strerror}); there is {there}. Plug it in, or name another."
    )
