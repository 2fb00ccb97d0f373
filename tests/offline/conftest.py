"""Small feature tables whose pulse column knows the answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from offline.tables import TrialTable
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import VIDEOS, TrialId

TableFactory = Callable[..., TrialTable]

SMALL_SPEC = FeatureSpec(names=("resnet18_000", "resnet18_001", "mfcc_01", "spectral_centroid", "ppg"))


@pytest.fixture
def small_spec() -> FeatureSpec:
    return SMALL_SPEC


@pytest.fixture
def make_table(rng: np.random.Generator) -> TableFactory:
    """Tables of noise; the first column is 1 on ASMR clips, the last is 1 while a tingle is reported."""

    def make(trial: TrialId, n_frames: int = 550, spec: FeatureSpec = SMALL_SPEC) -> TrialTable:
        n_total = WARMUP_TICKS + n_frames
        values = rng.normal(0, 0.2, size=(n_total, spec.n_features)).astype(np.float32)
        values[:, 3] = 2000 + 500 * values[:, 3]
        feels = (np.arange(n_total) // 40) % 2 == 1
        values[:, 0] += trial.is_asmr
        values[:, -1] += feels & trial.is_asmr
        valid = np.ones(values.shape, dtype=np.bool_)
        valid[0, -1] = False
        values[~valid] = np.nan
        rating = np.where(feels[WARMUP_TICKS:], 2, 0).astype(np.int8)
        return TrialTable(
            trial=trial,
            values=values[WARMUP_TICKS:],
            valid=valid[WARMUP_TICKS:],
            rating=rating,
            preroll_values=values[:WARMUP_TICKS],
            preroll_valid=valid[:WARMUP_TICKS],
            spec=spec,
            simulated=True,
        )

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small networks gain nothing from a second thread and lose a lot on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture
def study(make_table: TableFactory) -> list[TrialTable]:
    """Three participants with two ASMR and two nature clips, shortened; the first is the shortest."""
    videos = (VIDEOS[0], VIDEOS[1], VIDEOS[4], VIDEOS[5])
    return [
        make_table(TrialId(participant, video), 130 if video == VIDEOS[0] else 150)
        for participant in (3, 7, 12)
        for video in videos
    ]
