from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from offline.export import DEMO_WARNING, export_encoder, export_tingle, load_encoder
from offline.tables import TrialTable, digest_of
from offline.training import TrainedModel, streaming_scores, train
from offline.training_config import TrainingConfig
from rtasmr.card import EncoderCard
from rtasmr.errors import ConfigError, ModelError
from rtasmr.inference import OnnxEncoder, OnnxTingleModel

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ENCODER = EncoderCard(
    id="resnet18-test",
    created=NOON.isoformat(),
    architecture="resnet18",
    weights="imagenet",
    weights_sha256="e" * 64,
    commit="abc",
    onnx_sha256="0" * 64,
    warnings=("squints",),
)


@pytest.fixture
def encoded_study(study: list[TrialTable]) -> list[TrialTable]:
    return [replace(t, spec=replace(t.spec, encoder_sha256=ENCODER.weights_sha256)) for t in study]


@pytest.fixture
def trained(encoded_study: list[TrialTable]) -> TrainedModel:
    config = TrainingConfig(
        hidden=8, window_frames=90, epochs=1, crops_per_trial=2, validation_stride=20, device="cpu"
    )
    return train(encoded_study, config, rng_seed=3)


def export(trained: TrainedModel, folder: Path, name: str = "mine") -> Path:
    return export_tingle(
        trained, folder, name, encoder=ENCODER, description="three made-up people", created=NOON, commit="abc"
    )


def test_streaming_scores_are_what_the_exported_model_says_window_by_window(trained, encoded_study, tmp_path):
    model = OnnxTingleModel.load(export(trained, tmp_path), provider="cpu")
    table = encoded_study[0]
    values, valid = table.sequence
    said = []
    for tick in range(50, len(values)):
        stop = min(tick + 10 + 1, len(values))
        start = max(0, stop - 90)
        said.append(model.predict(values[start:stop], valid[start:stop])[tick - start, 0])
    np.testing.assert_allclose(streaming_scores(trained, table), said, atol=1e-5)


def test_card_tells_where_the_model_comes_from(trained, encoded_study, tmp_path):
    card = OnnxTingleModel.load(export(trained, tmp_path), provider="cpu").card
    assert card.feature_spec() == trained.spec
    assert (card.window_frames, card.lookahead_frames, card.threshold) == (90, 10, trained.threshold)
    assert (card.encoder_id, card.encoder_sha256) == ("resnet18-test", "e" * 64)
    assert (card.created, card.commit, card.demo) == ("2026-01-02T12:00:00+00:00", "abc", True)
    assert card.warnings[0] == DEMO_WARNING
    assert card.warnings[-1] == "squints"
    assert card.training_data.participants == (3, 7, 12)
    assert card.training_data.digest == digest_of(encoded_study)
    assert card.training_data.trials == 12
    assert card.scores == trained.scores


def test_real_data_makes_no_demo_model(encoded_study, tmp_path):
    config = TrainingConfig(
        hidden=8, window_frames=90, epochs=1, crops_per_trial=1, validation_stride=50, device="cpu"
    )
    real = train([replace(table, simulated=False) for table in encoded_study], config, rng_seed=3)
    card = json.loads((export(real, tmp_path) / "card.json").read_text())
    assert card["demo"] is False
    assert DEMO_WARNING not in card["warnings"]


def test_the_same_model_gives_the_same_files(trained, tmp_path):
    folders = [export(trained, tmp_path / place) for place in ("here", "there")]
    for name in ("model.onnx", "card.json"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second


def test_a_model_is_never_overwritten_and_nothing_half_written_stays(trained, tmp_path):
    folder = export(trained, tmp_path)
    before = (folder / "card.json").read_bytes()
    with pytest.raises(ModelError, match=r"expected no model in .*mine, found one"):
        export(trained, tmp_path)
    assert (folder / "card.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["", "../elsewhere", "a b", ".hidden"])
def test_a_name_that_is_no_folder_name_is_refused(trained, tmp_path, name):
    with pytest.raises(ModelError, match="expected an id of letters, digits"):
        export(trained, tmp_path / "models", name)
    assert not (tmp_path / "models").exists()


def test_features_of_another_encoder_are_refused(trained, tmp_path):
    with pytest.raises(
        ModelError, match=r"expected the encoder that made its features \(eeeeeeeeeeee\), got none"
    ):
        export_tingle(trained, tmp_path, "mine", encoder=None, description="")


def test_graph_stands_alone_and_leaves_batch_and_length_free(trained, tmp_path):
    model = onnx.load(export(trained, tmp_path) / "model.onnx", load_external_data=False)
    dims = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input
    }
    assert dims == {"x": ["n", "T", 5], "valid": ["n", "T", 5]}
    assert not any(onnx.external_data_helper.uses_external_data(t) for t in model.graph.initializer)


def test_encoder_crosses_over_with_its_hash(tmp_path, rng):
    encoder = load_encoder("random:1234")
    model = OnnxEncoder.load(export_encoder(encoder, tmp_path, created=NOON, commit="abc"), provider="cpu")
    assert model.weights_sha256 == encoder.weights_sha256
    assert model.card.id == "resnet18-random-2a3e9ce5a9a8"
    assert "random weights" in model.card.warnings[0]
    images = rng.integers(0, 256, size=(2, 224, 224, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(model.encode(images), expected, rtol=1e-5, atol=1e-5)
    assert model.encode(images[:0]).shape == (0, 512)


def test_weights_that_cannot_be_had_are_our_error():
    with pytest.raises(ConfigError, match=r"encoder: .*--encoder random:SEED"):
        load_encoder("nowhere.pth")
