"""Models trained alike from different seeds and trials, asked together: their mean and where they part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from models.windows import WindowModel

_LEAST_P = 1e-6
"""Keeps the logit of the mean finite."""


class TingleEnsemble(nn.Module):
    """Mean of the members' calibrated probabilities, and their lowest and highest.

    The band says how much the estimate hangs on the draw of the training, not how often it is right.

    Parameters
    ----------
    members : sequence of WindowModel
        Of the same columns.
    """

    slope: Tensor
    shift: Tensor

    def __init__(self, members: Sequence[WindowModel]) -> None:
        super().__init__()
        if len({member.names for member in members}) != 1:
            raise ValueError("expected members of the same columns, got others or none")
        self.members = nn.ModuleList(members)
        # Its logit is that of a calibrated probability.
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("shift", torch.tensor(0.0))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the input columns."""
        return self.models()[0].names

    def models(self) -> list[WindowModel]:
        """Return the members; ``members`` holds the same, of which torch knows that they are modules only."""
        return [cast(WindowModel, member) for member in self.members]

    def band(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, lowest and highest probability, each of shape (n_windows, n_frames)."""
        p = torch.stack([member.probability(x, valid) for member in self.models()])
        return p.mean(dim=0), p.amin(dim=0), p.amax(dim=0)

    def probability(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the mean probability of shape (n_windows, n_frames)."""
        return self.band(x, valid)[0]

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the logit of the mean probability."""
        return torch.logit(self.probability(x, valid), eps=_LEAST_P)
