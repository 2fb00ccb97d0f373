"""What results say of the encoder behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

import offline.encoders
from offline.cache import FeatureCache
from offline.encoders import IMAGENET_DIGEST, encoder_name
from offline.weights import imagenet_file


def test_the_published_weights_are_known_by_what_their_name_says() -> None:
    assert imagenet_file().digest == IMAGENET_DIGEST


@pytest.mark.parametrize("weights", ["imagenet", "random:7"])
def test_a_word_is_its_own_name(weights: str, tmp_path: Path) -> None:
    assert encoder_name(weights, FeatureCache(tmp_path)) == weights


def test_a_file_is_imagenet_by_its_content_and_not_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    weights = tmp_path / "imagenet"
    weights.write_bytes(b"learned elsewhere")
    assert encoder_name(str(weights), cache) == "file imagenet"
    monkeypatch.setattr(offline.encoders, "IMAGENET_DIGEST", cache.digest(weights)[:8])
    assert encoder_name(str(weights), cache) == "imagenet"
