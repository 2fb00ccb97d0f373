"""What is noted of each epoch of a training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Result of one epoch: mean training loss and macro F1 on the held-back participants, NaN without any."""

    epoch: int
    n_epochs: int
    loss: float
    macro_f1: float
