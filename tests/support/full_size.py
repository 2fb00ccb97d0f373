"""A model and a stimulus of the real size, for what measures the live runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from models.bilstm import BilstmConfig, FusionBilstm
from offline.export import export_encoder, export_tingle, load_encoder
from offline.simulation.drive import stimulus_drives
from offline.simulation.stimuli import write_stimulus
from offline.training import TrainedModel
from offline.training_config import TrainingConfig
from rtasmr.features.spec import LOG1P_NAMES, FeatureSpec
from rtasmr.inference import OnnxEncoder, OnnxTingleModel
from rtasmr.types import Modality

STIMULUS_SIZE = (1280, 720)


@dataclass(frozen=True)
class Served:
    """A user's data folder with a tingle model of the real size, untrained, and its random encoder."""

    home: Path
    model: Path
    encoder: Path

    def load_model(self) -> OnnxTingleModel:
        return OnnxTingleModel.load(self.model, "cpu")

    def load_encoder(self) -> OnnxEncoder:
        return OnnxEncoder.load(self.encoder, "cpu")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    home = tmp_path_factory.mktemp("bench-home")
    encoder = export_encoder(load_encoder("random:1234"), home / "models")
    card = OnnxEncoder.load(encoder, "cpu").card
    spec = FeatureSpec(encoder_sha256=card.weights_sha256)
    config = TrainingConfig()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = FusionBilstm(
            BilstmConfig(
                names=spec.names,
                log1p=LOG1P_NAMES,
                hidden=config.hidden,
                layers=config.layers,
                dropout=config.dropout,
            )
        )
    untrained = TrainedModel(
        network=network.eval(),
        config=config,
        spec=spec,
        threshold=0.5,
        best_epoch=0,
        history=(),
        training_participants=(),
        validation_participants=(),
        n_trials=0,
        data_digest="0" * 64,
        simulated=True,
        seed=5,
    )
    # All three are required, so that a tick counts as judged only when all three were there.
    model = export_tingle(
        untrained, home / "models", "untrained", encoder=card, description="none", requires=tuple(Modality)
    )
    return Served(home, model, encoder)


@pytest.fixture(scope="session")
def stimulus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One simulated clip of 60 s, 1280x720 at 30 images per second, with sound."""
    path = tmp_path_factory.mktemp("stimulus") / "vid3.avi"
    rng = np.random.default_rng(3)
    write_stimulus(path, "vid3", stimulus_drives(rng)["vid3"], STIMULUS_SIZE, rng)
    return path
