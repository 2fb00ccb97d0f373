"""A served model trained on the shared simulated study, and the commands as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sound_servers import sound_server  # noqa: F401 - a fixture

from offline.extract import extract_features
from offline.live_model import train_live_model
from offline.training_config import TrainingConfig
from rtasmr.dataset import DataSet

CLIP = "vid3"


@dataclass(frozen=True)
class ServedStudy:
    """A study, the feature tables of one clip, and a model installed under a home of its own."""

    study: Path
    features: Path
    model: Path
    home: Path

    def environment(self) -> dict[str, str]:
        """Environment of one run; its LSL streams are seen by nobody else."""
        session = f"test-{uuid.uuid4().hex[:12]}"
        return {**os.environ, "RTASMR_HOME": str(self.home), "RTASMR_LSL_SESSION": session}

    def start(self, environment: dict[str, str], *words: object) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            command(words), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def command(words: Sequence[object]) -> list[str]:
    name, *rest = (str(word) for word in words)
    return [sys.executable, "-P", "-m", name, *rest]


@pytest.fixture(scope="session")
def served_study(simulated_set: Path, tmp_path_factory: pytest.TempPathFactory) -> ServedStudy:
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTASMR_HOME", str(root / "home"))
        data = DataSet.open(simulated_set)
        extract_features(data, root / "features", "live", "random:1234", videos=[CLIP])
        config = TrainingConfig(epochs=1, crops_per_trial=4)
        model, _ = train_live_model(root / "features", root, "test-bilstm", config, seed=5, install=True)
    return ServedStudy(simulated_set, root / "features", model, root / "home")
