"""Fusion BiLSTM: features of all modalities in, one tingle probability per frame out.

The network is the published one (two bidirectional layers of 128 units, dropout 0.3 between them). What
the live runtime needs around it stands inside the module, so that the exported graph is complete: the
log scale of two sound columns, scaling, imputation of what is missing, and calibration.

References
----------
Das et al., REST-ASMR, "Machine learning baseline": architecture and hyper-parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class BilstmConfig:
    """Size and inputs of a `FusionBilstm`.

    Parameters
    ----------
    names : tuple of str
        Names of the input columns, in order.
    used : tuple of str, optional
        Columns that feed the network (an ablation leaves some out); all of them by default.
    log1p : tuple of str
        Columns that pass through ``log(1 + x)`` before scaling.
    hidden, layers, dropout
        Units per direction, stacked layers, dropout between layers, as published.
    max_abs_z : float or None
        Scaled values are clipped to this many standard deviations, so that a column that hardly
        varied in training cannot flood the network on other equipment. None clips nothing, as published.
    n_logits : {1, 2}
        Outputs of the head: the logit of a tingle, or, as published, one logit per class, no tingle
        first, of which the difference counts. Either fits the same functions; they learn at another pace.
    """

    names: tuple[str, ...]
    used: tuple[str, ...] | None = None
    log1p: tuple[str, ...] = ()
    hidden: int = 128
    layers: int = 2
    dropout: float = 0.3
    max_abs_z: float | None = 10.0
    n_logits: int = 1

    def __post_init__(self) -> None:
        if self.n_logits not in (1, 2):
            raise ValueError(f"n_logits: expected 1 or 2, got {self.n_logits}")
        for option, columns in (("used", self.used or ()), ("log1p", self.log1p)):
            unknown = sorted(set(columns) - set(self.names))
            if unknown:
                raise ValueError(f"{option}: expected some of the {len(self.names)} names, got {unknown[:3]}")
        if self.used == ():
            raise ValueError("used: expected at least one column, got none")


class FusionBilstm(nn.Module):
    """Bidirectional LSTM over a window of feature frames.

    Scaling is the identity until `fit_scaling` (the published network has none), calibration until
    `set_calibration`.
    """

    is_log: Tensor
    used: Tensor
    mean: Tensor
    sd: Tensor
    slope: Tensor
    shift: Tensor

    def __init__(self, config: BilstmConfig) -> None:
        super().__init__()
        self.config = config
        n_features = len(config.names)
        selected = set(config.names if config.used is None else config.used)
        self.register_buffer("is_log", torch.tensor([name in config.log1p for name in config.names]))
        self.register_buffer("used", torch.tensor([name in selected for name in config.names]))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("sd", torch.ones(n_features))
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("shift", torch.tensor(0.0))
        self.lstm = nn.LSTM(
            n_features,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.head = nn.Linear(2 * config.hidden, config.n_logits)

    def fit_scaling(self, sequences: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Set mean and standard deviation of every column from the valid values of ``sequences``.

        A column that is never valid is not used from then on; a constant one is only centred.

        Parameters
        ----------
        sequences : iterable of (values, valid), each of shape (n_frames, n_features)
        """
        count = torch.zeros(len(self.config.names), dtype=torch.float64)
        total, squares = torch.zeros_like(count), torch.zeros_like(count)
        for values, valid in sequences:
            logged = self._log_scale(values, valid).to(torch.float64)
            count += valid.sum(dim=0)
            total += logged.sum(dim=0)
            squares += logged.square().sum(dim=0)
        mean = total / count.clamp(min=1)
        sd = (squares / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
        # Below this a column is constant up to the rounding of float32 values and float64 sums.
        constant = sd <= 1e-6 * mean.abs().clamp(min=1)
        self.mean.copy_(mean)
        self.sd.copy_(torch.where(constant, 1.0, sd))
        self.used &= (count > 0).to(self.used.device)

    def set_calibration(self, slope: float, shift: float) -> None:
        """Set the probability to ``sigmoid(slope * logit + shift)``."""
        self.slope.fill_(slope)
        self.shift.fill_(shift)

    def tingle_head(self) -> tuple[Tensor, Tensor]:
        """Return weight of shape (1, 2 * hidden) and bias of shape (1,) that give the logit of a tingle."""
        weight, bias = self.head.weight, self.head.bias
        if self.config.n_logits == 1:
            return weight, bias
        return weight[1:] - weight[:1], bias[1:] - bias[:1]

    def _log_scale(self, x: Tensor, valid: Tensor) -> Tensor:
        present = torch.where(valid, x, 0.0)
        return torch.where(self.is_log, torch.log1p(torch.where(self.is_log, present, 0.0)), present)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return uncalibrated logits.

        Parameters
        ----------
        x : tensor of shape (n_windows, n_frames, n_features)
            Features as computed; anything, NaN included, where ``valid`` is False.
        valid : bool tensor of the same shape

        Returns
        -------
        tensor of shape (n_windows, n_frames)
        """
        valid = valid & self.used
        # Selected, not multiplied: NaN times 0 is NaN. A missing value becomes the training mean.
        z = torch.where(valid, (self._log_scale(x, valid) - self.mean) / self.sd, 0.0)
        if self.config.max_abs_z is not None:
            z = z.clamp(-self.config.max_abs_z, self.config.max_abs_z)
        hidden, _ = self.lstm(z)
        return nn.functional.linear(hidden, *self.tingle_head()).squeeze(-1)

    def probability(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return calibrated probabilities of shape (n_windows, n_frames)."""
        return torch.sigmoid(self.slope * self(x, valid) + self.shift)
