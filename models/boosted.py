"""Boosted trees on summaries of the past seconds: features of a window in, one logit per frame out.

Each column gives two numbers: its mean over the newest second, and how far that lies from its mean over the
window. Only frames up to the judged one count, so there is no look-ahead.

The summaries are exact. Scaled values are rounded to whole multiples of 1/256 first, and sums of such numbers
are free of rounding in float32; a threshold therefore divides the same frames in every runtime, however long
the window is and in whatever order it is summed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.windows import WindowModel, check_columns

STEPS_PER_SD = 256
OFFSET = 16 * STEPS_PER_SD
"""Makes rounded values positive: casting to whole numbers cuts towards 0."""


@dataclass(frozen=True)
class BoostedConfig:
    """Inputs and size of a `BoostedWindows`.

    Parameters
    ----------
    names, used, log1p, max_abs_z
        As in `models.bilstm.BilstmConfig`; ``max_abs_z`` of at most 16.
    short_frames, long_frames : int
        Lengths of the two means.
    n_trees, depth : int
        Complete trees of this depth; a tree that ends earlier repeats its leaf.
    """

    names: tuple[str, ...]
    used: tuple[str, ...] | None = None
    log1p: tuple[str, ...] = ()
    max_abs_z: float = 10.0
    short_frames: int = 10
    long_frames: int = 200
    n_trees: int = 0
    depth: int = 3

    def __post_init__(self) -> None:
        check_columns(self.names, self.used, self.log1p)
        if not 0 < self.short_frames < self.long_frames:
            raise ValueError(f"expected 0 < short_frames < long_frames, got {self.short_frames}")
        # Larger ones could make sums that float32 rounds.
        if not 0 < self.max_abs_z <= 16 or self.long_frames > 1000:
            raise ValueError("expected max_abs_z of at most 16 and long_frames of at most 1000")


class BoostedWindows(WindowModel):
    """Sum of decision trees over `summaries`.

    Attributes
    ----------
    feature : tensor of shape (n_trees, 2 ** depth - 1), int64
        Summary that each inner node looks at, level by level.
    threshold : tensor of the same shape
        A summary below it goes left.
    leaf : tensor of shape (n_trees, 2 ** depth)
        From left to right.
    path : tensor of shape (2 ** depth - 1, 2 ** depth)
        1 where a leaf lies left of a node, -1 right of it, 0 elsewhere.
    """

    feature: Tensor
    threshold: Tensor
    leaf: Tensor
    path: Tensor

    def __init__(self, config: BoostedConfig) -> None:
        super().__init__(config.names, config.used, config.log1p, config.max_abs_z)
        self.config = config
        n_nodes, n_leaves = 2**config.depth - 1, 2**config.depth
        self.register_buffer("feature", torch.zeros((config.n_trees, n_nodes), dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros((config.n_trees, n_nodes)))
        self.register_buffer("leaf", torch.zeros((config.n_trees, n_leaves)))
        self.register_buffer("path", _paths(config.depth))

    def summaries(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the numbers that the trees look at, in steps of 1/256 standard deviation.

        Parameters
        ----------
        x, valid : tensor of shape (n_windows, n_frames, n_features)

        Returns
        -------
        tensor of shape (n_windows, n_frames, 2 * n_features)
            Short means, then what they differ by from the long ones; 0 where nothing is valid.
        """
        z, valid = self.scaled(x, valid)
        steps = (z * STEPS_PER_SD + (OFFSET + 0.5)).to(torch.int32).to(torch.float32) - OFFSET
        totals = torch.where(valid, steps, 0.0).cumsum(dim=1)
        counts = valid.to(torch.float32).cumsum(dim=1)
        short, long = (
            _trailing(totals, n) / _trailing(counts, n).clamp(min=1.0)
            for n in (self.config.short_frames, self.config.long_frames)
        )
        return torch.cat([short, short - long], dim=-1)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return uncalibrated logits of shape (n_windows, n_frames); inputs as of `summaries`."""
        looked_at = self.summaries(x, valid)[..., self.feature.flatten()]
        below = looked_at < self.threshold.flatten()
        turns = (2.0 * below.to(torch.float32) - 1.0).reshape(*x.shape[:2], *self.feature.shape)
        reached = (turns @ self.path == self.config.depth).to(torch.float32)
        logits: Tensor = (reached * self.leaf).sum(dim=(-1, -2))
        return logits


def _trailing(cumulated: Tensor, n_frames: int) -> Tensor:
    """Return the sums over the newest ``n_frames`` at every frame, from running sums."""
    before = torch.nn.functional.pad(cumulated, (0, 0, n_frames, 0))[:, :-n_frames]
    return cumulated - before


def _paths(depth: int) -> Tensor:
    path = torch.zeros((2**depth - 1, 2**depth))
    for leaf in range(2**depth):
        node = 0
        for level in reversed(range(depth)):
            goes_right = leaf >> level & 1
            path[node, leaf] = -1.0 if goes_right else 1.0
            node = 2 * node + 1 + goes_right
    return path
