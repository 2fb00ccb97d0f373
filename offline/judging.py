"""What a model in training would have said of held-back trials, and the score that chooses.

It chooses between epochs and between families. It is the area under the ROC curve of served logits within
ASMR clips: nature clips hold no tingle by definition, so a model that merely knows the kind of clip scores
high over all clips and 0.5 here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ensemble import TingleEnsemble
from models.windows import WindowModel
from offline import metrics
from offline.crops import shifted_label
from offline.serving import served_logits, served_windows
from offline.tables import TrialTable
from offline.training_config import TrainingConfig
from rtasmr.grid import WARMUP_TICKS

NATURE_SHARE = 0.1
"""Weight of all nature clips together, beside all ASMR clips, where trees learn and calibration is fitted.

In full they would have most splits tell the kinds of clip apart, and would set the level of probabilities
within ASMR clips by how well a new clip passes for one.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Served logits and labels of frames, each of shape (n_frames,)."""

    logits: NDArray[np.float32]
    labels: NDArray[np.bool_]
    is_asmr: NDArray[np.bool_]

    @property
    def auc(self) -> float:
        """Area under the ROC curve within ASMR clips; NaN with one class only."""
        if not self.is_asmr.any():
            return math.nan
        return metrics.auc(self.labels[self.is_asmr], self.logits[self.is_asmr])

    @classmethod
    def join(cls, parts: Sequence[Judged]) -> Judged:
        """Return the frames of all parts."""
        return cls(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.is_asmr for part in parts]),
        )


def kind_weights(is_asmr: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how much each frame counts, 1 on ASMR clips and `NATURE_SHARE` of their sum on the others.

    Parameters
    ----------
    is_asmr : ndarray of shape (n_frames,)
    """
    n_asmr = int(np.count_nonzero(is_asmr))
    return np.where(is_asmr, 1.0, NATURE_SHARE * n_asmr / max(1, is_asmr.size - n_asmr))


def judge(
    network: WindowModel | TingleEnsemble, tables: Sequence[TrialTable], config: TrainingConfig
) -> Judged:
    """Return what the runtime would say of every n-th published frame (`TrainingConfig.validation_stride`).

    Parameters
    ----------
    network : WindowModel or TingleEnsemble
        In evaluation mode.
    tables : sequence of TrialTable
    config : TrainingConfig
        Its labels are moved as those of the training.
    """
    parts = []
    for table in tables:
        windows = served_windows(WARMUP_TICKS + table.n_frames, config.window_frames, config.lookahead_frames)
        ticks, logits = served_logits(network, table.sequence, windows[:: config.validation_stride])
        label, known = (
            values[ticks - WARMUP_TICKS] for values in shifted_label(table, config.label_shift_frames)
        )
        parts.append(Judged(logits[known], label[known], np.full(int(known.sum()), table.trial.is_asmr)))
    return Judged.join(parts)
