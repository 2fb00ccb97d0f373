"""Fusion BiLSTM: features of all modalities in, one tingle probability per frame out.

The network is the published one (two bidirectional layers of 128 units, dropout 0.3 between them). What
the live runtime needs around it stands inside the module, so that the exported graph is complete: the
log scale of two sound columns, scaling, imputation of what is missing, and calibration.

References
----------
Das et al., REST-ASMR, "Machine learning baseline": architecture and hyper-parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from models.windows import WindowModel, check_columns


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
        check_columns(self.names, self.used, self.log1p)


class FusionBilstm(WindowModel):
    """Bidirectional LSTM over a window of feature frames; the published network has no scaling."""

    def __init__(self, config: BilstmConfig) -> None:
        super().__init__(config.names, config.used, config.log1p, config.max_abs_z)
        self.config = config
        self.lstm = nn.LSTM(
            len(config.names),
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.head = nn.Linear(2 * config.hidden, config.n_logits)

    def tingle_head(self) -> tuple[Tensor, Tensor]:
        """Return weight of shape (1, 2 * hidden) and bias of shape (1,) that give the logit of a tingle."""
        weight, bias = self.head.weight, self.head.bias
        if self.config.n_logits == 1:
            return weight, bias
        return weight[1:] - weight[:1], bias[1:] - bias[:1]

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
        z, _ = self.scaled(x, valid)
        hidden, _ = self.lstm(z)
        return nn.functional.linear(hidden, *self.tingle_head()).squeeze(-1)
