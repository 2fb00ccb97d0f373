"""Model folders with a graph simple enough to check by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from rtasmr.card import AnyCard, EncoderCard, ModelCard, TrainingData, write_card
from rtasmr.features.spec import FeatureSpec

CardFactory = Callable[..., ModelCard]
FolderFactory = Callable[..., Path]

SMALL_SPEC = FeatureSpec(names=("mfcc_01", "spectral_centroid", "ppg"), encoder_sha256="e" * 64)


@pytest.fixture
def small_spec() -> FeatureSpec:
    return SMALL_SPEC


@pytest.fixture
def make_card() -> CardFactory:
    """Cards of a model on three features; arguments replace entries."""
    spec = SMALL_SPEC
    card = ModelCard(
        id="three-columns",
        created="2026-01-02T12:00:00+00:00",
        feature_set=spec.set_name,
        feature_version=spec.version,
        feature_lookahead_s=spec.lookahead_s,
        feature_names=spec.names,
        feature_parameters=dict(spec.parameters),
        causal=spec.causal,
        fingerprint=spec.fingerprint,
        encoder_id="resnet18-test",
        encoder_sha256=spec.encoder_sha256,
        window_frames=200,
        lookahead_frames=10,
        threshold=0.4,
        demo=False,
        training_data=TrainingData("made up", "d" * 64, simulated=False, participants=(3, 21), trials=16),
        commit="abc",
        onnx_sha256="0" * 64,
    )
    return lambda **changes: replace(card, **changes)


@pytest.fixture
def encoder_card() -> EncoderCard:
    return EncoderCard(
        id="resnet18-test",
        created="2026-01-02T12:00:00+00:00",
        architecture="resnet18",
        weights="imagenet",
        weights_sha256="e" * 64,
        commit="abc",
        onnx_sha256="0" * 64,
    )


@pytest.fixture
def sum_graph() -> onnx.ModelProto:
    """``p`` = sigmoid of the sum of a frame's valid values."""
    nodes = [
        helper.make_node("Where", ["valid", "x", "zero"], ["present"]),
        helper.make_node("ReduceSum", ["present", "axis"], ["total"], keepdims=0),
        helper.make_node("Sigmoid", ["total"], ["p"]),
    ]
    shape = ["n", "T", 3]
    graph = helper.make_graph(
        nodes,
        "sum",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("valid", TensorProto.BOOL, shape),
        ],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, shape[:2])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def write_model(tmp_path: Path) -> FolderFactory:
    """Write graph bytes and a card that fits them to ``folder/<id>``."""

    def write(card: AnyCard, content: bytes | onnx.ModelProto, folder: Path | None = None) -> Path:
        if isinstance(content, onnx.ModelProto):
            content = content.SerializeToString()
        path = (folder or tmp_path / "made") / card.id
        path.mkdir(parents=True)
        (path / "model.onnx").write_bytes(content)
        write_card(replace(card, onnx_sha256=hashlib.sha256(content).hexdigest()), path)
        return path

    return write
