"""Picture features of the ``paper`` sets: images picked by the published index rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from offline.feature_sets import Parameters
from rtasmr.errors import DataError
from rtasmr.features.picture import Encode, PictureFeatures, resize_picture
from rtasmr.features.spec import PICTURE_NAMES, PICTURE_SHAPE
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.media import index_after_jump, iter_numbered_pictures, probe

PICTURES_PER_PASS = 8
"""Pictures given to the encoder at once: more cost memory in every process and gain nothing."""


def paper_pictures(path: Path, n_frames: int, parameters: Parameters, encode: Encode) -> NDArray[np.float32]:
    """Return the encoder's features of the images that the published frames show.

    An image that several frames show is decoded and encoded once.

    Parameters
    ----------
    path : Path
    n_frames : int
        Published frames, from 5 s on.
    parameters : mapping
        `offline.feature_sets.PAPER_PICTURE` or ``PAPER_224_PICTURE``.
    encode : callable
        ``(n, 224, 224, 3)`` uint8 to ``(n, 512)`` float32.

    Returns
    -------
    ndarray of shape (n_frames or fewer, 512), float32
        Fewer rows where the pictures end early.

    Raises
    ------
    DataError
        The file has no readable pictures, or none after 5 s.
    """
    numbers = published_image_numbers(path, n_frames)
    to_encoder_size = squash_picture if "picture_squash" in parameters else resize_picture
    encoder = PictureFeatures(encode)
    found: dict[int, int] = {}
    features: list[NDArray[np.float32]] = []
    waiting: list[NDArray[np.uint8]] = []
    for number, picture in iter_numbered_pictures(path, numbers):
        found[number] = len(found)
        waiting.append(to_encoder_size(picture))
        if len(waiting) == PICTURES_PER_PASS:
            features.append(encoder.batch(waiting))
            waiting.clear()
    if waiting:
        features.append(encoder.batch(waiting))
    if not features:
        raise DataError(
            f"{path}: expected pictures after {WARMUP_TICKS / FRAME_RATE_HZ:g} s, found none; get it again"
        )
    # Numbers rise, so what is missing is missing at the end.
    rows = [found[number] for number in numbers.tolist() if number in found]
    return np.concatenate(features).reshape(-1, len(PICTURE_NAMES))[rows]


def published_image_numbers(path: Path, n_frames: int) -> NDArray[np.int64]:
    """Return the number of the image that each published frame shows, shape (n_frames,).

    Frame ``i`` shows image ``int(i / 10 * fps)`` counted from the first image read after a jump to 5 s.
    """
    fps = probe(path).fps
    if fps is None:
        raise DataError(f"{path}: expected moving pictures of known rate, found none; get the file again")
    first = index_after_jump(path, WARMUP_TICKS / FRAME_RATE_HZ)
    return np.array([first + int(i / FRAME_RATE_HZ * fps) for i in range(n_frames)], dtype=np.int64)


def squash_picture(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the whole picture squashed to 224 x 224 (bilinear, antialiased, 8 bit).

    Parameters
    ----------
    rgb : ndarray of shape (height, width, 3), uint8
    """
    size = (PICTURE_SHAPE[1], PICTURE_SHAPE[0])
    return np.asarray(Image.fromarray(rgb).resize(size, resample=Image.Resampling.BILINEAR))
