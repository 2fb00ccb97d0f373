"""How far features lie from those of a training: a Mahalanobis distance for each group of columns.

References
----------
.. [1] Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
   attacks", NeurIPS 2018: Mahalanobis distance as a measure of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.windows import ScaledColumns

MAX_COMPONENTS = 16
"""Directions of a group that have a variance of their own; all others share one."""

_LEAST_VARIANCE = 1e-3
"""Of a scaled column: a direction without any would make every new frame infinitely strange."""


class Familiarity(ScaledColumns):
    """Distance of each frame to the training, 1 being the limit, of the group that is farthest off.

    Within a group (the columns of one modality) scaled values are turned to their principal directions. The
    squared distance is the mean, over directions, of the squared value over its variance in the training; it
    is 1 on average there. A missing value counts as the mean and adds nothing.

    Parameters
    ----------
    names, log1p
        As of `ScaledColumns`.
    groups : sequence of sequence of str
        Columns of each group.
    """

    basis: Tensor
    in_group: Tensor
    variance: Tensor
    rest_variance: Tensor
    n_rest: Tensor
    limit: Tensor

    def __init__(
        self, names: tuple[str, ...], log1p: tuple[str, ...], groups: Sequence[Sequence[str]]
    ) -> None:
        super().__init__(names, None, log1p, max_abs_z=10.0)
        n_groups, n_features = len(groups), len(names)
        membership = torch.tensor([[name in set(group) for name in names] for group in groups])
        self.register_buffer("in_group", membership.to(torch.float32))
        self.register_buffer("basis", torch.zeros((n_groups, n_features, MAX_COMPONENTS)))
        self.register_buffer("variance", torch.ones((n_groups, MAX_COMPONENTS)))
        self.register_buffer("rest_variance", torch.ones(n_groups))
        self.register_buffer("n_rest", membership.sum(dim=1).to(torch.float32))
        self.register_buffer("limit", torch.ones(n_groups))

    def fit(self, sequences: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Learn what is usual from (values, valid) pairs, each of shape (n_frames, n_features)."""
        self.fit_scaling(sequences)
        z = torch.cat([self.scaled(values, valid)[0] for values, valid in sequences]).to(torch.float64)
        for group, members in enumerate(self.in_group.bool()):
            columns = torch.nonzero(members & self.used).flatten()
            if len(columns) == 0:
                continue
            variance, directions = torch.linalg.eigh(z[:, columns].T @ z[:, columns] / len(z))
            n_kept = min(MAX_COMPONENTS, len(columns))
            self.basis[group].zero_()
            self.basis[group, columns, :n_kept] = directions.flip(1)[:, :n_kept].to(torch.float32)
            kept, rest = variance.flip(0)[:n_kept], variance.flip(0)[n_kept:]
            self.variance[group, :n_kept] = kept.clamp(min=_LEAST_VARIANCE)
            self.n_rest[group] = len(rest)
            if len(rest):
                self.rest_variance[group] = rest.mean().clamp(min=_LEAST_VARIANCE)

    def set_limit(self, limit: Tensor) -> None:
        """Set the distance of each group, shape (n_groups,), that counts as 1."""
        self.limit.copy_(limit)

    def group_distance(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the distance of each group before the limit, shape (n_windows, n_frames, n_groups)."""
        z, _ = self.scaled(x, valid)
        distances = []
        for group in range(len(self.in_group)):
            along = z @ self.basis[group]
            whole = (z * z * self.in_group[group]).sum(dim=-1)
            rest = (whole - (along * along).sum(dim=-1)).clamp(min=0.0) / self.rest_variance[group]
            kept = (along * along / self.variance[group]).sum(dim=-1)
            n_kept = (self.basis[group] != 0).any(dim=0).sum()
            has_rest = (self.n_rest[group] > 0).to(rest.dtype)
            n_directions = (n_kept + self.n_rest[group]).clamp(min=1.0)
            distances.append(((kept + has_rest * rest) / n_directions).sqrt())
        return torch.stack(distances, dim=-1)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the largest distance over its limit, shape (n_windows, n_frames)."""
        return (self.group_distance(x, valid) / self.limit).amax(dim=-1)
