"""What is noted of each epoch of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveEpoch:
    """Result of one epoch of a live model, or of ten trees.

    ``auc`` is the area under the ROC curve within ASMR clips of the held-back trials, as the runtime would
    have judged them; NaN where they hold one class only.
    """

    epoch: int
    n_epochs: int
    loss: float
    auc: float


def best_epoch(history: Sequence[LiveEpoch]) -> int:
    """Return the first epoch with the highest score; without any score the last one, 0 before the first."""
    scored = [record for record in history if not math.isnan(record.auc)]
    if scored:
        return max(scored, key=lambda record: record.auc).epoch
    return history[-1].epoch if history else 0


def is_stalled(history: Sequence[LiveEpoch], patience: int) -> bool:
    """Whether there was a score, and none better for ``patience`` epochs."""
    has_score = any(not math.isnan(record.auc) for record in history)
    return has_score and len(history) - best_epoch(history) >= patience


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Result of one epoch: mean training loss and macro F1 on the held-back participants, NaN without any."""

    epoch: int
    n_epochs: int
    loss: float
    macro_f1: float
