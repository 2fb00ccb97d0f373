"""Pictures of the paper's sets: which images, what size, one encoder pass each."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from offline.export import load_encoder
from offline.feature_sets import PAPER_224_PICTURE, PAPER_PICTURE
from offline.paper_pictures import paper_pictures, published_image_numbers, squash_picture
from rtasmr.errors import DataError
from rtasmr.features.picture import resize_picture
from rtasmr.media import iter_numbered_pictures


def write_video(path: Path, fps: Fraction | int, n_images: int) -> Path:
    """Lossless; every image shows its number in three levels of grey, 4 bits each."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps, width=48, height=24, pix_fmt="bgr0")
        for number in range(n_images):
            rgb = np.empty((24, 48, 3), np.uint8)
            for digit in range(3):
                rgb[:, 16 * digit : 16 * digit + 16] = 16 * (number >> 4 * digit & 15)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return path


def number_of(rgb: np.ndarray) -> int:
    return sum(int(rgb[12, 16 * digit + 8, 0]) // 16 << 4 * digit for digit in range(3))


class CountingEncoder:
    """Features that show which image went in; counts the images."""

    def __init__(self) -> None:
        self.n_images = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.n_images += len(images)
        return np.repeat(images[:, 112, [4, 112, 219], 0].sum(axis=1, dtype=np.float32)[:, None], 512, axis=1)


@pytest.mark.parametrize("fps", [30, 25, Fraction(30_000, 1001)])
def test_frame_i_shows_image_i_tenths_of_a_second_after_5_s(tmp_path, fps):
    path = write_video(tmp_path / "v.avi", fps, 220)
    first = round(5 * fps)
    expected = [first + int(i / 10 * float(fps)) for i in range(12)]
    assert published_image_numbers(path, 12).tolist() == expected
    shown = [number_of(rgb) for _, rgb in iter_numbered_pictures(path, np.array(expected))]
    assert shown == expected


def test_an_image_shown_twice_is_encoded_once(tmp_path):
    encode = CountingEncoder()
    path = write_video(tmp_path / "slow.avi", 5, 40)
    features = paper_pictures(path, 20, PAPER_224_PICTURE, encode)
    assert published_image_numbers(path, 20).tolist() == [25 + i // 2 for i in range(20)]
    assert features.shape == (20, 512)
    np.testing.assert_array_equal(features[0::2], features[1::2])
    assert len(np.unique(features[:, 0])) == encode.n_images == 10


def test_pictures_that_end_early_give_fewer_rows(tmp_path):
    path = write_video(tmp_path / "short.avi", 30, 165)
    features = paper_pictures(path, 550, PAPER_PICTURE, CountingEncoder())
    assert features.shape == (5, 512)  # images 150, 153, 156, 159, 162


def test_a_file_without_pictures_after_5_s_is_named(tmp_path):
    path = write_video(tmp_path / "shorter.avi", 30, 100)
    with pytest.raises(DataError, match=r"shorter\.avi: expected pictures after 5 s"):
        paper_pictures(path, 550, PAPER_PICTURE, CountingEncoder())


def test_the_two_sets_differ_in_what_they_show(rng):
    """The crop leaves out the sides, the squash keeps them."""
    rgb = np.zeros((180, 320, 3), np.uint8)
    rgb[:, :60], rgb[:, -60:] = 255, 255
    assert squash_picture(rgb).shape == resize_picture(rgb).shape == (224, 224, 3)
    assert squash_picture(rgb)[112, 0, 0] == 255
    assert resize_picture(rgb)[112, 20, 0] == 0


def test_the_squash_is_pillows_antialiased_bilinear(rng):
    rgb = rng.integers(0, 256, (180, 320, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(rgb).resize((224, 224), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(squash_picture(rgb), expected)


@pytest.mark.parametrize(
    ("video", "name", "first"), [("vid3", "ASMR3.avi", 150), ("vid8", "nature4.avi", 149)]
)
def test_the_published_images(shared_data, video, name, first):
    """Every 50th frame and its neighbours: the right image fits, one earlier or later does not."""
    path = shared_data / "reference" / "stim" / name
    with np.load(shared_data / "reference" / "expected.npz") as archive:
        expected = archive[f"X_{video}"][:, :512]
    numbers = published_image_numbers(path, 550)
    assert numbers[0] == first
    encoder = load_encoder("random:1234")
    frames = np.arange(0, 550, 61)
    wanted = np.unique(np.concatenate([numbers[frames] + shift for shift in (-1, 0, 1)]))
    pictures = dict(iter_numbered_pictures(path, wanted))
    features = {}
    import torch

    with torch.no_grad():
        for number, rgb in pictures.items():
            features[number] = encoder(torch.from_numpy(resize_picture(rgb).copy())[None])[0].numpy()
    for frame in frames:
        error = [np.abs(features[numbers[frame] + shift] - expected[frame]).max() for shift in (-1, 0, 1)]
        assert error[1] <= 1e-3
        assert min(error[0], error[2]) > 5 * error[1]
