"""Picture features: the published resize, and an encoder that never sees the same image twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rtasmr.errors import ModelError
from rtasmr.features.spec import PICTURE_NAMES, PICTURE_SHAPE

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Image encoder: uint8 pictures (n, 224, 224, 3) in, float32 features (n, 512) out."""

SHORT_SIDE = 256
CROP = PICTURE_SHAPE[0]
PICTURES_PER_PASS = 32
"""Pictures given to the encoder at once; bounds its memory on long recordings."""


def resize_picture(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture as the published pipeline shows it to the encoder.

    Short side to 256 (bilinear, antialiased, 8 bit), then the central 224 x 224; only what the crop
    needs is computed, and every level equals that of the full resize.

    Parameters
    ----------
    rgb : ndarray of shape (height, width, 3), uint8

    Returns
    -------
    ndarray of shape (224, 224, 3), uint8

    Raises
    ------
    ValueError
        When shape or type is another one.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"expected RGB of shape (height, width, 3) in uint8, got {rgb.dtype} of {rgb.shape}")
    height, width = rgb.shape[:2]
    # torchvision's size rule: the long side is cut to an integer, not rounded.
    if width <= height:
        new_width, new_height = SHORT_SIDE, int(SHORT_SIDE * height / width)
    else:
        new_width, new_height = int(SHORT_SIDE * width / height), SHORT_SIDE
    columns = _Axis(width, new_width)
    rows = _Axis(height, new_height)
    # Two passes, columns first, as the full resize does them: with a box, Pillow may turn the order.
    image = Image.fromarray(rgb[rows.source_start : rows.source_stop])
    image = image.resize(
        (columns.n_out, image.height),
        resample=Image.Resampling.BILINEAR,
        box=(columns.box_start, 0, columns.box_stop, image.height),
    )
    top, bottom = rows.box_start - rows.source_start, rows.box_stop - rows.source_start
    image = image.resize(
        (columns.n_out, rows.n_out), resample=Image.Resampling.BILINEAR, box=(0, top, columns.n_out, bottom)
    )
    left, top = columns.crop_start, rows.crop_start
    return np.asarray(image.crop((left, top, left + CROP, top + CROP)))


class _Axis:
    """What to compute along one axis so that the centre crop comes out as from the full resize.

    Pillow takes its box in single precision. The box is therefore widened to source pixels that
    output pixels meet exactly; a box that cuts through a pixel would move the filter a little.
    ``source_start`` and ``source_stop`` add what the antialiasing filter reads outside the box.
    """

    def __init__(self, size: int, new_size: int) -> None:
        # torchvision's crop rule: half of the rest, rounded half to even.
        crop = round((new_size - CROP) / 2.0)
        common = math.gcd(size, new_size)
        step, source_step = new_size // common, size // common
        first = crop // step
        last = math.ceil((crop + CROP) / step)
        self.box_start, self.box_stop = first * source_step, last * source_step
        self.n_out = (last - first) * step
        self.crop_start = crop - first * step
        reach = math.ceil(max(size / new_size, 1.0)) + 1
        self.source_start = max(self.box_start - reach, 0)
        self.source_stop = min(self.box_stop + reach, size)


class PictureFeatures:
    """Encoder features of the newest image; a repeated image costs no encoder pass.

    Parameters
    ----------
    encode : callable
        ``(n, 224, 224, 3)`` uint8 to ``(n, 512)`` float32.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._picture: NDArray[np.uint8] | None = None
        self._features: NDArray[np.float32] | None = None

    def frame(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features of one picture, shape (512,).

        Parameters
        ----------
        picture : ndarray of shape (224, 224, 3), uint8

        Raises
        ------
        ValueError
            When the picture has another shape or type.
        ModelError
            When the encoder returns anything but 512 finite numbers per picture.
        """
        features: NDArray[np.float32] = self.batch([picture])[0]
        return features

    def batch(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the features of consecutive pictures, shape (n_pictures, 512).

        Only pictures that differ from the one before are encoded, several at a time.
        """
        features = np.empty((len(pictures), len(PICTURE_NAMES)), dtype=np.float32)
        for first in range(0, len(pictures), PICTURES_PER_PASS):
            block = pictures[first : first + PICTURES_PER_PASS]
            features[first : first + len(block)] = self._block(block)
        return features

    def _block(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        known = [] if self._features is None else [self._features]
        new: list[NDArray[np.uint8]] = []
        rows = []  # row of each picture in the stack of known and new features
        last = self._picture
        for picture in pictures:
            if picture.shape != PICTURE_SHAPE or picture.dtype != np.uint8:
                raise ValueError(
                    f"expected uint8 pictures of {PICTURE_SHAPE}, got {picture.dtype} {picture.shape}"
                )
            if last is None or (picture is not last and not np.array_equal(picture, last)):
                new.append(picture)
                last = picture
            rows.append(len(known) + len(new) - 1)
        if new:
            encoded = self._encode(np.stack(new))
            if encoded.shape != (len(new), len(PICTURE_NAMES)) or not np.isfinite(encoded).all():
                raise ModelError(
                    f"image encoder: expected {len(PICTURE_NAMES)} finite features for {len(new)} pictures, "
                    f"got an array of shape {encoded.shape}; export the encoder again"
                )
            known.extend(encoded)
            # A copy: the caller may write the next image into the same memory.
            self._picture = new[-1].copy()
            self._features = known[-1]
        return np.stack(known)[rows]
