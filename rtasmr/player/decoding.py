"""A stimulus file decoded ahead of its time, sound and pictures each on a thread of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr import media
from rtasmr.features.picture import resize_picture
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.player.schedule import Picture
from rtasmr.sources.prefetch import Prefetch

SOUND_BLOCKS = 200
"""Blocks of sound decoded ahead, some 4 s."""

PICTURE_BYTES = 64_000_000
MAX_PICTURES = 30
"""Pictures decoded ahead: up to 1 s, and up to 64 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class SoundBlock:
    """Consecutive samples of a file's sound.

    Parameters
    ----------
    first : int
        Number of the first one at 44.1 kHz since the start of the file.
    samples : ndarray of shape (n_samples, 3), int16
        Left, right, and mono as the sound features take it.
    """

    first: int
    samples: NDArray[np.int16]

    @property
    def stop_s(self) -> float:
        """Position of the block's end in seconds."""
        return (self.first + len(self.samples)) / SOUND_SFREQ


def sound_ahead(path: Path) -> Prefetch[SoundBlock]:
    """Decode the sound of a file ahead."""

    def blocks() -> Iterator[SoundBlock]:
        for first, stereo, mono in media.iter_played_sound(path):
            # A track may begin before the file does (codec delay); a player leaves that out.
            n_before = min(max(-first, 0), len(mono))
            samples = np.column_stack([stereo, mono])[n_before:]
            if len(samples):
                yield SoundBlock(first + n_before, samples)

    return Prefetch(blocks(), SOUND_BLOCKS)


def pictures_ahead(path: Path, info: media.MediaInfo, skip: Callable[[float], bool]) -> Prefetch[Picture]:
    """Decode the pictures of a file ahead, each also in the size that the encoder takes.

    Parameters
    ----------
    path : Path
    info : MediaInfo
    skip : callable
        Takes a position in seconds; what it says true to is left out. Called on the decoding thread.
    """

    def pictures() -> Iterator[Picture]:
        for position_s, image in media.iter_pictures(path, resize=False, skip=skip):
            yield Picture(position_s, image, resize_picture(image))

    n_bytes = 3 * (info.width or 1) * (info.height or 1)
    return Prefetch(pictures(), min(MAX_PICTURES, max(3, PICTURE_BYTES // n_bytes)))
