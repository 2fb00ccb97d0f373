"""The screen, or a region of it, by mss."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pylsl

from rtasmr.errors import ConfigError
from rtasmr.sources.camera import as_reading
from rtasmr.sources.device import DeviceLostError, DeviceMissingError, Health, Reading
from rtasmr.stream_specs import picture_spec
from rtasmr.types import StreamSpec

DEFAULT_FPS = 20.0


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the screen in pixels, from the top left corner of the whole desktop."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read ``X,Y,W,H``.

        Raises
        ------
        ConfigError
            If that is not four whole numbers, or the rectangle is empty.
        """
        try:
            left, top, width, height = (int(part) for part in text.split(","))
        except ValueError:
            left = top = width = height = 0
        if width <= 0 or height <= 0:
            raise ConfigError(f"expected a region as X,Y,W,H in pixels, got {text!r}. Say 0,0,1280,720.")
        return cls(left, top, width, height)

    def is_inside(self, outer: Region) -> bool:
        """Whether all of it lies in ``outer``."""
        return (
            outer.left <= self.left
            and outer.top <= self.top
            and self.left + self.width <= outer.left + outer.width
            and self.top + self.height <= outer.top + outer.height
        )

    def __str__(self) -> str:
        """Return what `parse` reads."""
        return f"{self.left},{self.top},{self.width},{self.height}"

    def as_dict(self) -> dict[str, int]:
        """Return it as mss takes it."""
        return {"left": self.left, "top": self.top, "width": self.width, "height": self.height}


class Screen:
    """Pictures of the screen, in the size that the encoder takes; see `Device`.

    Parameters
    ----------
    region : Region, optional
        The whole first screen by default.
    fps : float
        Pictures per second.
    """

    def __init__(self, region: Region | None = None, *, fps: float = DEFAULT_FPS) -> None:
        self._region = region
        self._period_s = 1 / fps
        self._due = 0.0
        self._shooter: Any = None
        self._failure: type[Exception] = OSError
        self._area: dict[str, int] = {}

    @property
    def spec(self) -> StreamSpec:
        """What it publishes."""
        told = "whole" if self._region is None else str(self._region).replace(",", "-")
        return picture_spec(source_id=f"rtasmr-screen-{told}", desc={"origin": "screen"})

    def open(self) -> None:
        """Connect to the screen.

        Raises
        ------
        ConfigError
            If the region does not lie on it, the system lets no program read it, or mss is missing.
        DeviceMissingError
            If there is no screen.
        """
        if sys.platform == "linux" and os.environ.get("WAYLAND_DISPLAY"):
            raise ConfigError(
                "Wayland lets no program read the screen. Log in to a session 'on Xorg', "
                "or publish the video itself: rtasmr source media VIDEO."
            )
        try:
            import mss  # an extra
            from mss.exception import ScreenShotError
        except ImportError as error:
            raise ConfigError(
                "the screen needs mss. Install it with: pip install 'rtasmr[sensors]'"
            ) from error
        self._failure = ScreenShotError
        try:
            self._shooter = mss.MSS()
            desktop, first, *_ = (
                Region(area["left"], area["top"], area["width"], area["height"])
                for area in self._shooter.monitors
            )
        except (ScreenShotError, ValueError) as error:
            self.close()
            raise DeviceMissingError(f"expected a screen, got: {error}. Set DISPLAY, or log in.") from error
        region = self._region or first
        if not region.is_inside(desktop):
            self.close()
            raise ConfigError(f"expected a region inside {desktop}, got {region}. Correct --region.")
        self._area = region.as_dict()
        self._due = float(pylsl.local_clock())

    def read(self, timeout_s: float) -> Reading | None:
        """Return the next picture when it is due; None if that is later than ``timeout_s``.

        Raises
        ------
        DeviceLostError
            If the screen is gone.
        """
        if self._shooter is None:
            raise DeviceLostError("the screen is not open. Open it first.")
        now = float(pylsl.local_clock())
        if self._due - now > timeout_s:
            time.sleep(timeout_s)
            return None
        time.sleep(max(0.0, self._due - now))
        captured = float(pylsl.local_clock())
        try:
            shot = self._shooter.grab(self._area)
        except self._failure as error:
            raise DeviceLostError(f"the screen is gone ({error}). Log in again.") from error
        # A picture that is late moves the ones after it: the screen is never asked twice at once.
        self._due = max(self._due + self._period_s, captured)
        bgra = np.frombuffer(shot.bgra, dtype=np.uint8).reshape(shot.height, shot.width, 4)
        return as_reading(np.ascontiguousarray(bgra[:, :, 2::-1]), captured)

    def close(self) -> None:
        """Disconnect."""
        shooter, self._shooter = self._shooter, None
        if shooter is not None:
            shooter.close()

    def health(self) -> Health:
        """Return the area."""
        return Health(link="screen")
