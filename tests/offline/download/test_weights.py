"""ImageNet weights in the place where torchvision's loader looks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from offline.web import Client
from offline.weights import download_weights, imagenet_file
from rtasmr.errors import DataError

if TYPE_CHECKING:
    from tests.offline.download.conftest import Server

BODY = bytes(range(256)) * 400


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    """Cache of torchvision's loader, in a folder of this test."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path / "hub"))
    yield tmp_path / "hub" / "checkpoints"
    torch.hub.set_dir(before)


def test_weights_go_where_the_loader_looks(server: Server, client: Client, hub: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    file = server.remote("/resnet18.pth", BODY, checksum=f"sha256:{digest[:8]}")
    server.faults["/resnet18.pth"] = [server.cut("/resnet18.pth", 50_000)]
    path = download_weights(file=file, client=client)
    assert path == hub / "resnet18.pth"
    assert path.read_bytes() == BODY
    assert server.asked_for("/resnet18.pth") == ["", "bytes=50000-"]
    assert download_weights(file=file, client=client) == path
    assert len(server.requests) == 2


def test_weights_that_are_not_to_be_had_name_the_ways_out(client: Client, hub: Path) -> None:
    file = imagenet_file("http://127.0.0.1:9/resnet18-f37072fd.pth")
    assert (file.name, file.checksum) == ("resnet18-f37072fd.pth", "sha256:f37072fd")
    with pytest.raises(DataError, match=r"no answer .*--encoder PATH.*--encoder random:SEED"):
        download_weights(file=file, client=client)
    assert list(hub.glob("*.pth")) == []
