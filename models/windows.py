"""What every model of feature windows has around it: log scale, scaling, imputation, calibration.

All of it stands inside the module, so that an exported graph is complete.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def check_columns(names: tuple[str, ...], used: tuple[str, ...] | None, log1p: tuple[str, ...]) -> None:
    """Raise `ValueError` unless ``used`` and ``log1p`` are some of ``names``, ``used`` one at least."""
    for option, columns in (("used", used or ()), ("log1p", log1p)):
        unknown = sorted(set(columns) - set(names))
        if unknown:
            raise ValueError(f"{option}: expected some of the {len(names)} names, got {unknown[:3]}")
    if used == ():
        raise ValueError("used: expected at least one column, got none")


class ScaledColumns(nn.Module):
    """Log scale, scaling and imputation of feature columns; scaling is the identity until `fit_scaling`.

    Parameters
    ----------
    names : tuple of str
        Names of the input columns, in order.
    used : tuple of str or None
        Columns that count (an ablation leaves some out); None takes all.
    log1p : tuple of str
        Columns that pass through ``log(1 + x)`` before scaling.
    max_abs_z : float or None
        Scaled values are clipped to this many standard deviations, so that a column that hardly
        varied in training cannot flood the model on other equipment. None clips nothing.
    """

    is_log: Tensor
    used: Tensor
    mean: Tensor
    sd: Tensor

    def __init__(
        self,
        names: tuple[str, ...],
        used: tuple[str, ...] | None,
        log1p: tuple[str, ...],
        max_abs_z: float | None,
    ) -> None:
        super().__init__()
        selected = set(names if used is None else used)
        self.names = names
        self.max_abs_z = max_abs_z
        self.register_buffer("is_log", torch.tensor([name in log1p for name in names]))
        self.register_buffer("used", torch.tensor([name in selected for name in names]))
        self.register_buffer("mean", torch.zeros(len(names)))
        self.register_buffer("sd", torch.ones(len(names)))

    def fit_scaling(self, sequences: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Set mean and standard deviation of every column from the valid values of ``sequences``.

        A column that is never valid is not used from then on; a constant one is only centred.

        Parameters
        ----------
        sequences : iterable of (values, valid), each of shape (n_frames, n_features)
        """
        count = torch.zeros(len(self.names), dtype=torch.float64)
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

    def scaled(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return scaled values, 0 where missing, and what is not missing, both shaped like ``x``."""
        valid = valid & self.used
        # Selected, not multiplied: NaN times 0 is NaN. A missing value becomes the training mean.
        z = torch.where(valid, (self._log_scale(x, valid) - self.mean) / self.sd, 0.0)
        if self.max_abs_z is not None:
            z = z.clamp(-self.max_abs_z, self.max_abs_z)
        return z, valid

    def _log_scale(self, x: Tensor, valid: Tensor) -> Tensor:
        present = torch.where(valid, x, 0.0)
        return torch.where(self.is_log, torch.log1p(torch.where(self.is_log, present, 0.0)), present)


class WindowModel(ScaledColumns):
    """Windows of features in, one uncalibrated logit per frame out of `forward`.

    Calibration is the identity until `set_calibration`. Parameters are those of `ScaledColumns`.
    """

    slope: Tensor
    shift: Tensor

    def __init__(
        self,
        names: tuple[str, ...],
        used: tuple[str, ...] | None,
        log1p: tuple[str, ...],
        max_abs_z: float | None,
    ) -> None:
        super().__init__(names, used, log1p, max_abs_z)
        self.register_buffer("slope", torch.tensor(1.0))
        self.register_buffer("shift", torch.tensor(0.0))

    def set_calibration(self, slope: float, shift: float) -> None:
        """Set the probability to ``sigmoid(slope * logit + shift)``."""
        self.slope.fill_(slope)
        self.shift.fill_(shift)

    def probability(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return calibrated probabilities of shape (n_windows, n_frames)."""
        return torch.sigmoid(self.slope * self(x, valid) + self.shift)
