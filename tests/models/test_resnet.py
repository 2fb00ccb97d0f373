from __future__ import annotations

import urllib.error

import numpy as np
import pytest
import torch
import torchvision

from models.resnet import EncoderWeightsError, load_resnet18


def test_the_weights_of_a_seed_are_the_published_ones():
    # Hash published with the reference output of the study's own pipeline, made with this seed.
    encoder = load_resnet18("random:1234")
    assert encoder.weights_sha256 == "2a3e9ce5a9a8023908e82dcde04d98cb961af90278a8f12b56d444dc8a3e0538"
    assert encoder.is_random


def test_features_equal_torchvisions_own_network_and_normalisation(rng):
    images = rng.integers(0, 256, size=(2, 224, 224, 3), dtype=np.uint8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        resnet = torchvision.models.resnet18(weights=None).eval()
    resnet.fc = torch.nn.Identity()
    prepare = torchvision.transforms.Compose(
        [
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    with torch.inference_mode():
        expected = resnet(torch.stack([prepare(image) for image in images]))
        features = load_resnet18("random:7")(torch.from_numpy(images))
    np.testing.assert_allclose(features.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_a_seeded_encoder_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_resnet18("random:1")
    assert torch.equal(torch.rand(4), expected)


def test_weights_come_back_from_a_file(tmp_path):
    encoder = load_resnet18("random:2")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        state = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(state, tmp_path / "mine.pth")
    loaded = load_resnet18(str(tmp_path / "mine.pth"))
    assert loaded.weights_sha256 == encoder.weights_sha256
    assert (loaded.weights, loaded.is_random) == ("mine.pth", False)


def test_weights_that_cannot_be_had_name_the_ways_out(tmp_path, monkeypatch):
    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    with pytest.raises(EncoderWeightsError, match=r"no route to host.*--encoder PATH.*--encoder random:SEED"):
        load_resnet18("imagenet")


def test_files_that_are_no_weights_are_refused(tmp_path):
    with pytest.raises(EncoderWeightsError, match="found none at"):
        load_resnet18(str(tmp_path / "absent.pth"))
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(EncoderWeightsError, match="not a readable file of weights"):
        load_resnet18(str(tmp_path / "text.pth"))
    torch.save({"layer": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(EncoderWeightsError, match="expected the state dict of a ResNet-18"):
        load_resnet18(str(tmp_path / "other.pth"))
    with pytest.raises(EncoderWeightsError, match="random:SEED with a whole number"):
        load_resnet18("random:abc")
