"""Pictures of the simulated stimuli: moving textures, in the planes that the encoder takes (YUV 4:2:0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.grid import CLIP_DURATION_S, FRAME_RATE_HZ

FRAMES_PER_S = 30
N_FRAMES = round(CLIP_DURATION_S * FRAMES_PER_S)


@dataclass(frozen=True, slots=True)
class Scene:
    """How a stimulus looks.

    Parameters
    ----------
    grain : float
        Spectral slope of the texture; larger is smoother.
    stretch : float
        Width of the texture's structures over their height.
    flow : tuple of float
        Steady motion, in picture widths and heights per second.
    sway : float
        Part of the picture's width by which the texture moves to and fro.
    sway_hz : float
    brightness, contrast : float
        Of 255, without drive.
    hue : tuple of float
        Mean of the two colour planes, about 128.
    spot : float
        Brightness of the moving hand or flame, of 255.
    """

    grain: float
    stretch: float
    flow: tuple[float, float]
    sway: float
    sway_hz: float
    brightness: float
    contrast: float
    hue: tuple[float, float]
    spot: float


SCENES = {
    "vid1": Scene(1.6, 1.0, (0.00, 0.00), 0.10, 0.35, 105.0, 45.0, (112.0, 150.0), 70.0),
    "vid2": Scene(1.1, 3.0, (0.00, 0.00), 0.16, 0.55, 120.0, 55.0, (118.0, 140.0), 60.0),
    "vid3": Scene(2.0, 0.5, (0.01, 0.00), 0.06, 0.25, 90.0, 40.0, (138.0, 134.0), 85.0),
    "vid4": Scene(0.8, 1.5, (0.00, 0.01), 0.12, 0.80, 130.0, 35.0, (124.0, 146.0), 55.0),
    "vid5": Scene(1.3, 2.5, (0.25, 0.03), 0.02, 0.40, 100.0, 50.0, (140.0, 116.0), 0.0),
    "vid6": Scene(1.8, 6.0, (0.03, 0.10), 0.03, 0.12, 125.0, 45.0, (150.0, 112.0), 0.0),
    "vid7": Scene(1.5, 0.4, (0.00, -0.35), 0.05, 0.90, 70.0, 65.0, (100.0, 168.0), 50.0),
    "vid8": Scene(1.2, 1.0, (0.06, 0.00), 0.08, 0.20, 135.0, 40.0, (112.0, 120.0), 0.0),
}


def pictures(
    video: str, drive: NDArray[np.float64], size: tuple[int, int], rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Yield the 1800 pictures of a stimulus.

    With the drive the texture moves faster, grows brighter and in an ASMR clip a hand comes in.

    Parameters
    ----------
    drive : ndarray of shape (600,)
        0 to 1, at 10 Hz.
    size : tuple of int
        Width and height in pixels, both even.

    Yields
    ------
    ndarray of shape (height * 3 / 2, width), uint8
        Luma above the two colour planes, as FFmpeg lays out ``yuv420p``.
    """
    width, height = size
    scene = SCENES[video]
    texture = _texture(scene, size, rng)
    tint = _texture(scene, (width // 2, height // 2), rng)
    x = np.arange(width, dtype=np.float32) / width
    y = np.arange(height, dtype=np.float32)[:, None] / height
    level = np.interp(np.arange(N_FRAMES) / FRAMES_PER_S, np.arange(len(drive)) / FRAME_RATE_HZ, drive)
    # The drive changes speed, so position is the sum of speeds.
    progress_s = np.cumsum(0.4 + 1.2 * level) / FRAMES_PER_S
    for now, at_s in zip(level, progress_s, strict=True):
        swing = np.sin(2.0 * np.pi * scene.sway_hz * at_s)
        shift_x = scene.flow[0] * at_s + scene.sway * swing
        shift_y = scene.flow[1] * at_s + 0.3 * scene.sway * np.cos(np.pi * scene.sway_hz * at_s)
        luma = _crop(texture, size, shift_x, shift_y)
        luma = scene.brightness + 25.0 * now + scene.contrast * (0.7 + 0.5 * now) * luma
        if scene.spot:
            spot_x, spot_y = 0.5 + 0.25 * swing, 0.75 - 0.3 * now + 0.1 * np.cos(4.0 * at_s)
            across = np.exp(-0.5 * ((x - spot_x) / 0.12) ** 2)
            along = np.exp(-0.5 * ((y - spot_y) / 0.20) ** 2)
            luma += scene.spot * now * across * along
        colour = 14.0 * _crop(tint, (width // 2, height // 2), shift_x, shift_y)
        planes = (luma, scene.hue[0] + colour - 6.0 * now, scene.hue[1] - colour + 8.0 * now)
        flat = np.concatenate([plane.ravel() for plane in planes])
        yield np.clip(flat, 16.0, 240.0).astype(np.uint8).reshape(height * 3 // 2, width)


def _texture(scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a smooth random texture of mean 0 and SD 1 that repeats without a seam, twice the picture.

    Returns
    -------
    ndarray of shape (2 * height, 2 * width), float32
    """
    width, height = size
    rows = np.fft.fftfreq(height)[:, None] * height
    columns = np.fft.rfftfreq(width) * width * scene.stretch * height / width
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    # From cycles per picture, not per pixel: a clip looks alike at every size.
    spectrum = np.fft.rfft2(rng.standard_normal((height, width))) * frequency**-scene.grain
    tile = np.fft.irfft2(spectrum, s=(height, width))
    tile = (tile - tile.mean()) / tile.std()
    return np.tile(np.clip(tile, -3.0, 3.0).astype(np.float32), (2, 2))


def _crop(
    texture: NDArray[np.float32], size: tuple[int, int], shift_x: float, shift_y: float
) -> NDArray[np.float32]:
    width, height = size
    left, top = round(shift_x * width) % width, round(shift_y * height) % height
    return texture[top : top + height, left : left + width]
