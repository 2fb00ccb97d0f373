"""What is noted of each epoch of a training."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Result of one epoch: mean training loss and macro F1 on the held-back participants, NaN without any."""

    epoch: int
    n_epochs: int
    loss: float
    macro_f1: float
