from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtasmr.errors import ModelError
from rtasmr.features.picture import PICTURES_PER_PASS, PictureFeatures, resize_picture
from rtasmr.media import iter_pictures

transforms = pytest.importorskip("torchvision.transforms", reason="the published resize is torchvision's")

LANDSCAPE = [(720, 1280), (180, 320), (1080, 1920), (480, 640), (333, 777)]
PORTRAIT_AND_SQUARE = [(600, 337), (1280, 720), (7, 5), (256, 256)]


def published_resize(rgb):
    published = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    return np.asarray(published(Image.fromarray(rgb)))


@pytest.mark.parametrize("size", LANDSCAPE + PORTRAIT_AND_SQUARE)
def test_resize_equals_the_published_one(rng, size):
    rgb = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_picture(rgb), published_resize(rgb))


@pytest.mark.parametrize("stimulus", ["ASMR3.avi", "nature4.avi"])
def test_resize_of_a_stimulus_equals_the_published_one(shared_data: Path, stimulus):
    path = shared_data / "reference" / "stim" / stimulus
    times = np.array([0.5, 20.0, 40.0])
    stored = [rgb for _, rgb in iter_pictures(path, resize=False, shown_at=times)]
    resized = [picture for _, picture in iter_pictures(path, shown_at=times)]
    assert len(stored) == len(resized) == 3
    for rgb, picture in zip(stored, resized, strict=True):
        assert rgb.shape == (180, 320, 3)
        np.testing.assert_array_equal(picture, published_resize(rgb))


@pytest.mark.parametrize(
    "rgb", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_input_is_refused(rgb):
    with pytest.raises(ValueError, match="expected RGB"):
        resize_picture(rgb)


class CountingEncoder:
    """First feature: the picture's first level; second: how many pictures were encoded before."""

    def __init__(self) -> None:
        self.passes: list[int] = []

    def __call__(self, pictures):
        features = np.zeros((len(pictures), 512), dtype=np.float32)
        features[:, 0] = pictures[:, 0, 0, 0]
        features[:, 1] = sum(self.passes) + np.arange(len(pictures))
        self.passes.append(len(pictures))
        return features


def plain_picture(level: int):
    return np.full((224, 224, 3), level, dtype=np.uint8)


def test_a_repeated_image_is_encoded_once():
    encoder = CountingEncoder()
    picture_features = PictureFeatures(encoder)
    levels = [7, 7, 7, 9, 7]
    first = [picture_features.frame(plain_picture(level))[0] for level in levels]
    assert first == levels
    assert encoder.passes == [1, 1, 1]


def test_an_image_overwritten_in_place_is_encoded_again():
    encoder = CountingEncoder()
    picture_features = PictureFeatures(encoder)
    buffer = plain_picture(7)
    picture_features.frame(buffer)
    buffer[:] = 8
    assert picture_features.frame(buffer)[0] == 8


def test_one_differing_level_is_a_new_image():
    encoder = CountingEncoder()
    picture_features = PictureFeatures(encoder)
    other = plain_picture(7)
    other[223, 223, 2] += 1
    picture_features.frame(plain_picture(7))
    picture_features.frame(other)
    assert sum(encoder.passes) == 2


def test_batch_equals_one_by_one(rng):
    levels = np.repeat(rng.integers(0, 256, 60), rng.integers(1, 4, 60))
    pictures = [plain_picture(level) for level in levels]
    encoder, batch_encoder = CountingEncoder(), CountingEncoder()
    picture_features, batched = PictureFeatures(encoder), PictureFeatures(batch_encoder)
    np.testing.assert_array_equal(
        batched.batch(pictures), np.array([picture_features.frame(picture) for picture in pictures])
    )
    assert sum(batch_encoder.passes) == sum(encoder.passes) == 1 + np.count_nonzero(np.diff(levels))
    assert len(batch_encoder.passes) == -(-len(pictures) // PICTURES_PER_PASS)


@pytest.mark.parametrize("result", [np.zeros((1, 1000), np.float32), np.full((1, 512), np.nan, np.float32)])
def test_a_bad_encoder_is_named(result):
    with pytest.raises(ModelError, match="512 finite features"):
        PictureFeatures(lambda _pictures: result).frame(plain_picture(1))


def test_other_pictures_are_refused():
    with pytest.raises(ValueError, match="expected uint8 pictures"):
        PictureFeatures(CountingEncoder()).frame(np.zeros((224, 224, 4), np.uint8))
