"""Whether a stimulus of the data set can be used, and how much of a clip it holds: one answer for all."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtasmr.errors import DataError
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.grid import CLIP_DURATION_S, FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.media import iter_pictures, iter_sound, probe

_END_OF_TIME_S = 1e9
"""Later than any image; what is on screen then is the last one."""

_GET_IT_AGAIN = "get the file again"


@dataclass(frozen=True, slots=True)
class Film:
    """What a usable stimulus file holds, found by decoding it to its end.

    Parameters
    ----------
    picture_s, sound_s : float
        How long pictures and sound go on, in seconds from the start; a header may promise more.
    width, height : int
        Of the pictures, in pixels.
    fps : float
    remark : str
        What is unusual about the container, such as a file that was cut off; empty where nothing is.
    """

    picture_s: float
    sound_s: float
    width: int
    height: int
    fps: float
    remark: str = ""

    @property
    def is_short(self) -> bool:
        """Whether a frame or more is missing of the 60 s of a clip."""
        return min(self.picture_s, self.sound_s) < CLIP_DURATION_S - 1 / FRAME_RATE_HZ

    def told(self, video: str) -> str:
        """Return in a sentence what the file holds of a clip, and what is done where that is not all."""
        size = f"{self.width}x{self.height}, {self.fps:g} fps"
        parts = [video, f"pictures {_of_clip(self.picture_s)} ({size})", f"sound {_of_clip(self.sound_s)}"]
        if self.remark:
            parts.insert(1, self.remark)
        end = f"; used as far as it goes, later frames of {video} are marked invalid" if self.is_short else ""
        return ", ".join(parts) + end


def _of_clip(seconds: float) -> str:
    if seconds < CLIP_DURATION_S - 1 / FRAME_RATE_HZ:
        return f"{seconds:.1f} of {CLIP_DURATION_S:g} s"
    return f"{seconds:.1f} s"


def examine_stimulus(path: Path) -> Film:
    """Decode a stimulus to its end (less than a second) and say what it holds.

    Raises
    ------
    DataError
        It cannot be used: it cannot be read or decoded, has no pictures or no sound, or one of them ends
        within the first 5 s, of which the published features hold nothing.
    """
    remark = _container_remark(path)
    info = probe(path)
    if info.fps is None or info.width is None or info.height is None or not info.has_sound:
        lacking = "sound" if info.has_picture else "pictures"
        raise DataError(f"{path.name}: no {lacking}: every stimulus has sound and pictures; {_GET_IT_AGAIN}")
    sound_s = sum(map(len, iter_sound(path))) / SOUND_SFREQ
    # Decodes all images and converts the last one only.
    shown = deque(iter_pictures(path, resize=False, shown_at=np.array([_END_OF_TIME_S])), maxlen=1)
    picture_s = shown[0][0] + 1 / info.fps if shown else 0.0
    film = Film(picture_s, sound_s, info.width, info.height, info.fps, remark)
    warmup_s = WARMUP_TICKS / FRAME_RATE_HZ
    if min(picture_s, sound_s) <= warmup_s:
        told = "; ".join(
            part for part in (remark, f"pictures {picture_s:.1f} s, sound {sound_s:.1f} s") if part
        )
        raise DataError(
            f"{path.name}: {told}: nothing after the first {warmup_s:g} s of a clip; {_GET_IT_AGAIN}"
        )
    return film


def _container_remark(path: Path) -> str:
    """Look at the container's head: a broken download shows there, whatever still decodes."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
        n_bytes = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path.name}: can not be read ({error.strerror}); check the file") from error
    if head[:4] != b"RIFF" or head[8:12] != b"AVI ":
        return "not an AVI file, read all the same"
    declared = 8 + int(struct.unpack("<I", head[4:8])[0])
    return f"cut off ({n_bytes} of {declared} bytes)" if n_bytes < declared else ""
