"""The ImageNet weights of ResNet-18 in the place where torchvision's own loader looks for them."""

from __future__ import annotations

import re
from pathlib import Path

import torch
import torchvision

from models.resnet import WAYS_OUT
from offline.download import FreeBytes, free_bytes
from offline.fetch import RemoteFile, fetch, file_digest
from offline.web import Client, is_loopback
from rtasmr.dataset_zip import move_into_place
from rtasmr.errors import DataError
from rtasmr.progress import Report

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.pth")
ABOUT_BYTES = 46_900_000
"""Size of the file, for progress and room on the disk; no publisher's listing names it."""


def imagenet_file(url: str | None = None) -> RemoteFile:
    """Return the published file of weights; its name holds the first digits of its SHA-256.

    Parameters
    ----------
    url : str or None
        Another place of the same file.
    """
    published = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    name = published.rpartition("/")[2]
    match = _HASH_IN_NAME.search(name)
    if match is None:
        raise DataError(f"{published}: expected a name with a checksum, found none; {WAYS_OUT}")
    return RemoteFile(name, url or published, f"sha256:{match[1]}")


def download_weights(
    *,
    file: RemoteFile | None = None,
    client: Client | None = None,
    free: FreeBytes = free_bytes,
    progress: Report | None = None,
) -> Path:
    """Fill the cache of torchvision's loader and return the file there, verified.

    Parameters
    ----------
    file : RemoteFile or None
        Taken from torchvision if not given.
    client, free, progress
        As in `offline.download.download`.

    Raises
    ------
    DataError
        The weights are not to be had; the message names the two ways out.
    """
    file = file or imagenet_file()
    client = client or Client(allow_loopback=is_loopback(file.url))
    target = Path(torch.hub.get_dir()) / "checkpoints" / file.name
    if target.exists() and file_digest(target, file.algorithm).startswith(file.digest):
        return target
    n_free = free(target.parent)
    if n_free < ABOUT_BYTES:
        raise DataError(
            f"{target.parent}: {ABOUT_BYTES / 1e6:.0f} MB are needed, {n_free / 1e6:.0f} MB are free; "
            f"make room, or {WAYS_OUT}"
        )
    part = target.with_name(f"{file.name}.part")

    def tell(n_bytes: int) -> None:
        if progress is not None:
            progress(file.name, min(1.0, n_bytes / ABOUT_BYTES))

    try:
        fetch(client, file, part, tell)
    except DataError as error:
        raise DataError(f"{error}; or {WAYS_OUT}") from error
    move_into_place(part, target)
    return target
