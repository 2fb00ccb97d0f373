from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import offline.fit_runner
from models.bilstm import FusionBilstm
from offline.clip_export import NOT_CAUSAL_WARNING, PADDING_WARNING, export_clip_models, served_agreement
from offline.clip_training import build_network
from offline.crossval import CrossValidation, cross_validate
from offline.export import DEMO_WARNING
from offline.protocols import PUBLISHED
from offline.tables import TrialTable
from rtasmr.card import EncoderCard
from rtasmr.errors import ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.inference import OnnxTingleModel
from rtasmr.types import VIDEOS, TrialId

TINY = replace(PUBLISHED, hidden=4, layers=2, epochs=1, batch_size=8, n_steps=70)
NAMES = ("resnet18_000", "resnet18_001", "mfcc_01", "spectral_centroid", "ppg")
ENCODER = EncoderCard(
    id="resnet18-test",
    created="2026-01-02T12:00:00+00:00",
    architecture="resnet18",
    weights="imagenet",
    weights_sha256="e" * 64,
    commit="abc",
    onnx_sha256="0" * 64,
)
SPEC = FeatureSpec(set_name="paper", causal=False, names=NAMES, encoder_sha256=ENCODER.weights_sha256)


@pytest.fixture(autouse=True)
def _one_processor(monkeypatch) -> None:
    """One thread per training: small networks lose a lot from a second on a busy machine."""
    monkeypatch.setattr(offline.fit_runner.os, "cpu_count", lambda: 1)


@pytest.fixture
def people(make_table) -> list[TrialTable]:
    return [make_table(TrialId(p, video), 60, SPEC) for p in range(1, 5) for video in VIDEOS]


@pytest.fixture
def validated(people, tmp_path) -> CrossValidation:
    return cross_validate(people, TINY, tmp_path / "R", models=("fusion",), seeds=(1,), jobs=1, device="cpu")


def export(validated: CrossValidation, tables: list[TrialTable], folder: Path) -> list[OnnxTingleModel]:
    folders = export_clip_models(validated, tables, folder, encoder=ENCODER)
    return [OnnxTingleModel.load(one, provider="cpu") for one in folders]


def test_every_fold_and_the_refit_cross_over_with_what_differs(validated, people, tmp_path):
    models = {model.card.id: model.card for model in export(validated, people, tmp_path / "models")}
    assert sorted(models) == ["fusion-published-all", *(f"fusion-published-fold{k}" for k in (1, 2, 3, 4))]
    for card in models.values():
        assert (card.causal, card.window_frames, card.lookahead_frames, card.threshold) == (
            False,
            70,
            20,
            0.5,
        )
        assert card.feature_spec() == SPEC
        assert {DEMO_WARNING, NOT_CAUSAL_WARNING, PADDING_WARNING} < set(card.warnings)
        assert "2 s ahead" in " ".join(card.warnings)
    fold, refit = models["fusion-published-fold2"], models["fusion-published-all"]
    split = next(result.split for result in validated.fits if result.fit.fold == 2)
    assert len({trial.participant for trial in split.validation}) == 1  # held back, and asked nothing
    trained = {1, 3, 4} - {trial.participant for trial in split.validation}
    assert set(fold.training_data.participants) == trained
    assert fold.training_data.trials == 2 * 6
    assert fold.training_data.description == (
        "12 simulated trials of 2 participants; fold 2: tested on vid2 and vid6 of others"
    )
    assert refit.training_data.participants == (1, 2, 3, 4)
    assert refit.training_data.trials == 32
    assert set(fold.scores) == {"clip_macro_f1", "clip_accuracy", "served_agreement"}
    mean = np.mean([models[f"fusion-published-fold{k}"].scores["clip_accuracy"] for k in (1, 2, 3, 4)])
    assert refit.scores["folds_clip_accuracy"] == pytest.approx(mean)


def test_people_who_chose_the_epoch_stand_on_the_card(people, tmp_path):
    protocol = replace(TINY, keep="best")
    validated = cross_validate(
        people, protocol, tmp_path / "R", models=("fusion",), seeds=(1,), jobs=1, device="cpu"
    )
    cards = {model.card.id: model.card for model in export(validated, people, tmp_path / "models")}
    told = cards["fusion-published-fold2"].training_data
    assert told.participants == (1, 3, 4)
    assert told.description == (
        "18 simulated trials of 3 participants, 6 of them only to choose the epoch; fold 2: "
        "tested on vid2 and vid6 of others"
    )


def test_the_exported_fold_says_what_the_cross_validation_saved(validated, people, tmp_path):
    models = {model.card.id: model for model in export(validated, people, tmp_path / "models")}
    by_trial = {table.trial: table for table in people}
    for trial in validated.predictions[1]["fusion"].trials:
        table = by_trial[trial.trial]
        values = np.vstack([table.values, np.zeros((10, 5), np.float32)])
        valid = np.vstack([table.valid, np.ones((10, 5), np.bool_)])
        p = models[f"fusion-published-fold{trial.fold}"].predict(values, valid)
        np.testing.assert_allclose(p, trial.p, atol=1e-5)


def test_models_that_are_there_stay_and_others_make_way(validated, people, tmp_path):
    folders = export_clip_models(validated, people, tmp_path / "models", encoder=ENCODER)
    before = [(folder / "card.json").stat().st_mtime_ns for folder in folders]
    (folders[1] / "card.json").write_text("{")
    again = export_clip_models(validated, people, tmp_path / "models", encoder=ENCODER)
    after = [(folder / "card.json").stat().st_mtime_ns for folder in folders]
    assert again == folders
    assert [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [1]
    assert OnnxTingleModel.load(folders[1], provider="cpu").card.id == folders[1].name


def test_without_the_fusion_model_there_is_nothing_to_export(people, tmp_path):
    validated = cross_validate(
        people, TINY, tmp_path / "R", models=("xgboost",), seeds=(1,), jobs=1, device="cpu"
    )
    with pytest.raises(ModelError, match="expected a trained model 'fusion' to export, got none"):
        export_clip_models(validated, people, tmp_path / "models", encoder=ENCODER)


@pytest.fixture
def network() -> FusionBilstm:
    """Only the first layer's backward direction reaches the head, and it adds up the pulse to come."""
    network = build_network(NAMES, replace(TINY, hidden=1, layers=1)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.lstm.weight_ih_l0_reverse[2, -1] = 1.0  # the cell takes the pulse in
        network.lstm.bias_ih_l0_reverse[:2] = 20.0  # input and forget gates stay open
        network.lstm.bias_ih_l0_reverse[3] = 20.0
        network.head.weight[1, 1] = 1.0
    return network


def test_agreement_is_lost_where_the_future_beyond_the_lookahead_decides(network, make_table):
    table = make_table(TrialId(1, "vid1"), 100, SPEC)
    table.valid[:] = True
    table.values[:] = 0.0
    table.values[90:, -1] = -1.0  # from frame 90 on the pulse says no
    table.values[:90, -1] = 0.01
    # With the whole clip every frame is called by what comes at the end: no. With 2 s ahead, frames up
    # to 69 do not know it yet. Asked are frames 0, 25, 50 and 75: the first three are called otherwise.
    assert served_agreement(network, [table], window_frames=550) == pytest.approx(1 / 4)
    table.values[90:, -1] = 0.01
    assert served_agreement(network, [table], window_frames=550) == 1.0
