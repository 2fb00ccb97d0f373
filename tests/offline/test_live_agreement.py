"""What the clip model says live beside its clip score."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline.feature_sets import feature_spec
from offline.live_agreement import (
    LiveAgreement,
    add_live_agreement,
    live_probabilities,
    measure_live_agreement,
)
from offline.tables import TrialTable
from rtasmr.card import read_model_card, write_card
from rtasmr.clip_model import LIVE_AGREEMENT, LIVE_R, LIVE_TRIALS, with_banner
from rtasmr.errors import DataError, ModelError, SpecMismatchError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.inference import OnnxTingleModel
from rtasmr.predictor import Predictor
from rtasmr.types import FeatureFrame, Modality, Segment, Status, TrialId

ENCODER = "e" * 64
PAPER, LIVE = feature_spec("paper", ENCODER), FeatureSpec(encoder_sha256=ENCODER)


@pytest.fixture
def model_folder(tiny_home: Path, tmp_path: Path) -> Path:
    """A clip model whose probability is the sigmoid of the mean of the valid features of a frame."""
    source = tiny_home / "models" / "tiny"
    card = replace(
        read_model_card(source),
        id="clip",
        feature_set=PAPER.set_name,
        feature_version=PAPER.version,
        feature_lookahead_s=PAPER.lookahead_s,
        feature_parameters=dict(PAPER.parameters),
        causal=False,
        fingerprint=PAPER.fingerprint,
        window_frames=550,
        lookahead_frames=20,
    )
    folder = tmp_path / "clip"
    folder.mkdir()
    (folder / "model.onnx").write_bytes((source / "model.onnx").read_bytes())
    write_card(card, folder)
    return folder


@pytest.fixture
def filled(make_table: Callable[..., TrialTable]) -> Callable[..., TrialTable]:
    """A table in which all features of published frame ``j`` are ``level(j)``."""

    def fill(trial: TrialId, spec: FeatureSpec, level: Callable[[np.ndarray], np.ndarray]) -> TrialTable:
        table = make_table(trial, 100, spec)
        table.values[:] = level(np.arange(100))[:, None]
        table.valid[:] = True
        return table

    return fill


def test_agreement_and_correlation_by_hand(model_folder: Path, filled: Callable[..., TrialTable]) -> None:
    """Compared are frames 0, 25, 50 and 75: live says -1, 1, 1, 1 where the clip score says -1, -1, 1, 1."""
    model = OnnxTingleModel.load(model_folder, "cpu")
    pair = (
        filled(TrialId(1, "vid1"), PAPER, lambda j: np.where(j < 50, -1.0, 1.0)),
        filled(TrialId(1, "vid1"), LIVE, lambda j: np.where(j < 25, -1.0, 1.0)),
    )
    found = measure_live_agreement(model, [pair])
    # Two-valued both: the phi coefficient of the table {(-,-): 1, (-,+): 1, (+,+): 2}.
    assert found == LiveAgreement(pytest.approx(1 / np.sqrt(3), abs=1e-6), 0.75, 1, 4)
    constant = (pair[0], filled(TrialId(1, "vid1"), LIVE, lambda j: np.ones(len(j))))
    found = measure_live_agreement(model, [constant])
    assert np.isnan(found.r)
    assert found.agreement == 0.5


def test_live_probabilities_are_what_the_runtime_publishes(rng: np.random.Generator, make_table: Any) -> None:
    table = make_table(TrialId(1, "vid1"), 120, LIVE)

    class Context:
        """Depends on every frame of the window and on its place there."""

        card = type("Card", (), {"window_frames": 90, "lookahead_frames": 20})

        def predict(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
            known = np.where(valid, values, 0.0)[:, :3].sum(axis=1)
            return (np.cumsum(known) + known.sum()).astype(np.float32)

    model = Context()
    predictor = Predictor(
        model, LIVE.n_features, window_frames=90, lookahead_frames=20, first_tick=WARMUP_TICKS
    )
    values, valid = table.sequence
    segment = Segment(0, "vid1", 0.0)
    status = dict.fromkeys(Modality, Status.OK)
    steps = []
    for tick in range(len(values)):
        steps += predictor.push(FeatureFrame(segment, tick, tick / 10, values[tick], valid[tick], status))
    steps += predictor.flush()
    published = [step.prediction.probability for step in steps if step.prediction is not None]
    ticks = range(WARMUP_TICKS, len(values))
    np.testing.assert_array_equal(live_probabilities(model, table, ticks), np.float32(published[50:]))


def test_it_is_noted_in_the_card_and_told_in_the_banner(
    model_folder: Path, filled: Callable[..., TrialTable], tmp_path: Path
) -> None:
    for spec, folder in ((PAPER, "paper"), (LIVE, "live")):
        for trial in (TrialId(1, "vid1"), TrialId(2, "vid5")):
            filled(trial, spec, lambda j: np.sin(j)).save(tmp_path / folder)
    filled(TrialId(3, "vid1"), PAPER, np.sin).save(tmp_path / "paper")  # not in both: left out
    before = read_model_card(model_folder)
    found = add_live_agreement(model_folder, tmp_path / "paper", tmp_path / "live", "cpu")
    assert found == LiveAgreement(pytest.approx(1.0), 1.0, 2, 8)
    card = OnnxTingleModel.load(model_folder, "cpu").card
    assert replace(card, scores=before.scores) == before
    assert {LIVE_R, LIVE_AGREEMENT, LIVE_TRIALS} <= card.scores.keys()
    assert "over 2 trials: r = 1.00, the same call at 100.0 %" in "; ".join(with_banner(card).warnings)
    json.loads((model_folder / "card.json").read_text())


def test_other_features_and_other_models_are_refused(
    model_folder: Path, filled: Callable[..., TrialTable], tiny_home: Path
) -> None:
    model = OnnxTingleModel.load(model_folder, "cpu")
    paper, live = (filled(TrialId(1, "vid1"), spec, np.sin) for spec in (PAPER, LIVE))
    other = filled(TrialId(1, "vid1"), FeatureSpec(encoder_sha256="f" * 64), np.sin)
    with pytest.raises(SpecMismatchError):
        measure_live_agreement(model, [(live, live)])
    with pytest.raises(DataError, match="the model's image encoder"):
        measure_live_agreement(model, [(paper, other)])
    with pytest.raises(DataError, match="got none"):
        measure_live_agreement(model, [])
    tiny = OnnxTingleModel.load(tiny_home / "models" / "tiny", "cpu")
    with pytest.raises(ModelError, match="expected a clip model"):
        measure_live_agreement(tiny, [(live, live)])
