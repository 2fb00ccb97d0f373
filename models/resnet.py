"""ResNet-18 without its last layer: one picture in, 512 features out.

References
----------
He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

from __future__ import annotations

import hashlib
import http.client
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

N_OUTPUTS = 512
IMAGENET = "imagenet"
RANDOM_PREFIX = "random:"

WAYS_OUT = (
    "give a file of ResNet-18 weights (--encoder PATH), or take random ones (--encoder random:SEED; "
    "every result is marked with it)"
)


class EncoderWeightsError(Exception):
    """Weights of the image encoder are not to be had or do not fit."""


class ImageEncoder(nn.Module):
    """The 512 values before the classifier of a ResNet-18, from 8-bit RGB pictures.

    Parameters
    ----------
    resnet : torchvision.models.ResNet
        The whole network; its classifier is not run but belongs to the weights' hash.
    weights : str
        Where the weights come from: ``imagenet``, a file name, or ``random:SEED``.
    """

    channel_mean: Tensor
    channel_sd: Tensor

    def __init__(self, resnet: torchvision.models.ResNet, weights: str) -> None:
        super().__init__()
        self.weights = weights
        self.weights_sha256 = state_sha256(resnet.state_dict())
        self.resnet = resnet
        self.resnet.fc = nn.Identity()
        # ImageNet's channel mean and deviation, as every torchvision model expects.
        self.register_buffer("channel_mean", torch.tensor([0.485, 0.456, 0.406]))
        self.register_buffer("channel_sd", torch.tensor([0.229, 0.224, 0.225]))
        self.eval()

    @property
    def is_random(self) -> bool:
        """Whether the weights are random numbers and know nothing of pictures."""
        return self.weights.startswith(RANDOM_PREFIX)

    def forward(self, images: Tensor) -> Tensor:
        """Return features of shape (n_images, 512).

        Parameters
        ----------
        images : uint8 tensor of shape (n_images, 224, 224, 3)
        """
        scaled = (images.to(torch.float32) / 255.0 - self.channel_mean) / self.channel_sd
        features: Tensor = self.resnet(scaled.permute(0, 3, 1, 2))
        return features


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over a state dict sorted by key: each key, then the bytes of its tensor."""
    digest = hashlib.sha256()
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_resnet18(weights: str) -> ImageEncoder:
    """Return the encoder with weights from torchvision's loader, a file, or a seed.

    Parameters
    ----------
    weights : str
        ``imagenet`` (downloaded on first use, checksum verified, cached), ``random:SEED``, or the
        path of a saved state dict.

    Raises
    ------
    EncoderWeightsError
        If the download fails, or the file is missing or does not fit.
    """
    if weights.startswith(RANDOM_PREFIX):
        return _random(weights)
    resnet = torchvision.models.resnet18(weights=None)
    state = _imagenet_state() if weights == IMAGENET else _file_state(Path(weights))
    try:
        resnet.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise EncoderWeightsError(
            f"expected the state dict of a ResNet-18 in {weights!r}: {reason}; {WAYS_OUT}"
        ) from error
    source = weights if weights == IMAGENET else Path(weights).name
    return ImageEncoder(resnet, source)


def _random(weights: str) -> ImageEncoder:
    seed = weights.removeprefix(RANDOM_PREFIX)
    if not seed.isdecimal():
        raise EncoderWeightsError(
            f"expected random:SEED with a whole number, like random:1234, got {weights!r}"
        )
    with torch.random.fork_rng(devices=[]):  # the caller's own random numbers stay as they are
        torch.manual_seed(int(seed))
        resnet = torchvision.models.resnet18(weights=None)
    return ImageEncoder(resnet, f"{RANDOM_PREFIX}{int(seed)}")


def _imagenet_state() -> Mapping[str, Tensor]:
    choice = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    try:
        state: Mapping[str, Tensor] = choice.get_state_dict(progress=False, check_hash=True)
    # RuntimeError is what the loader raises for a wrong checksum.
    except (OSError, http.client.HTTPException, RuntimeError) as error:
        raise EncoderWeightsError(
            f"the ImageNet weights of ResNet-18 could not be downloaded ({error}); {WAYS_OUT}"
        ) from error
    return state


def _file_state(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise EncoderWeightsError(f"expected a file of ResNet-18 weights, found none at {path}; {WAYS_OUT}")
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise EncoderWeightsError(
            f"{path} is not a readable file of weights ({type(error).__name__}); {WAYS_OUT}"
        ) from error
    return state
