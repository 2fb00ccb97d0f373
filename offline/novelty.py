"""What counts as outside the training: a distance that held-back people hardly ever reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.familiarity import Familiarity
from offline.feature_sets import log1p_names
from offline.inner_splits import InnerSplit
from offline.tables import TrialTable
from rtasmr.features.spec import MODALITY_NAMES, FeatureSpec
from rtasmr.types import Modality

STRIDE = 5
"""Every how many frames: neighbouring ones are alike."""

FITTED_QUANTILE, HELD_BACK_QUANTILE = 0.999, 0.99
"""Share of the frames within the limit: of those learned from, and of those held back."""


def fit_familiarity(split: InnerSplit, spec: FeatureSpec) -> Familiarity:
    """Return the distance to the trials learned from, with a limit that the held-back ones respect.

    One group of columns per modality: a strange picture does not hide among sounds as usual.
    """
    groups = [
        names
        for modality in Modality
        if (names := [name for name in spec.names if name in MODALITY_NAMES[modality]])
    ]
    model = Familiarity(spec.names, log1p_names(spec.names), groups)
    fitting = [_thinned(table) for table in split.fitting]
    model.fit(fitting)
    limits = np.maximum(
        _quantiles(model, fitting, FITTED_QUANTILE),
        _quantiles(model, [_thinned(table) for table in split.validation], HELD_BACK_QUANTILE),
    )
    # A group that no trial holds has no distance, and any limit.
    model.set_limit(torch.from_numpy(np.where(limits > 0, limits, 1.0).astype(np.float32)))
    return model.eval()


def _thinned(table: TrialTable) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(table.values[::STRIDE]), torch.from_numpy(table.valid[::STRIDE])


def _quantiles(
    model: Familiarity, sequences: Sequence[tuple[torch.Tensor, torch.Tensor]], quantile: float
) -> NDArray[np.floating]:
    """Return the quantile of each group's distance, shape (n_groups,)."""
    with torch.inference_mode():
        distances = torch.cat(
            [model.group_distance(values[None], valid[None])[0] for values, valid in sequences]
        )
    return np.asarray(np.quantile(distances.numpy(), quantile, axis=0))
