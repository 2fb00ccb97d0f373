"""Settings of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.registry import TINGLE_MODELS
from rtasmr.errors import ConfigError
from rtasmr.grid import WARMUP_TICKS

BOOSTED_TREES: Final = "boosted-trees"
ARCHITECTURES: Final = (*TINGLE_MODELS, BOOSTED_TREES)

_POSITIVE = (
    "hidden",
    "layers",
    "epochs",
    "crops_per_trial",
    "batch_size",
    "learning_rate",
    "max_gap_frames",
    "validation_stride",
    "patience",
    "n_trees",
    "tree_depth",
    "tree_rate",
    "tree_stride",
)
_SHARES = ("dropout", "full_window_share", "modality_dropout", "gap_rate", "validation_share")


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of `train`."""

    architecture: str = "fusion-bilstm"
    """Name in `models.registry.TINGLE_MODELS`, or ``boosted-trees``."""
    columns: tuple[str, ...] | None = None
    """Columns that feed the network; None takes all (an ablation leaves some out)."""
    hidden: int = 128
    layers: int = 2
    dropout: float = 0.3
    window_frames: int = 200
    """Longest window, in frames: 20 s."""
    lookahead_frames: int = 10
    """Frames newer than the judged one: 1 s."""
    epochs: int = 35
    patience: int = 10
    """Epochs, or tens of trees, without a better score on the held-back participants that end a training."""
    label_shift_frames: int = 0
    """Frames by which ratings are moved back before they are learned, since they trail the feeling."""
    crops_per_trial: int = 8
    """Windows drawn from each trial per epoch."""
    batch_size: int = 16
    learning_rate: float = 5e-4
    full_window_share: float = 0.7
    """Share of batches with windows of full length; the others have the lengths of a growing window."""
    earlier_weight: float = 1.0
    """Weight of all earlier frames of a window together, relative to the frame that the runtime reads."""
    modality_dropout: float = 0.15
    """Probability that a modality is missing from a whole window."""
    gap_rate: float = 0.2
    """Probability of a gap of one modality somewhere in a window."""
    max_gap_frames: int = 50
    validation_share: float = 0.2
    """Share of the participants held back to choose epoch, calibration and threshold; at least one."""
    validation_stride: int = 10
    """Every how many ticks the held-back trials are scored."""
    n_trees: int = 150
    """Most trees; all trees look at the summaries of `models.boosted`."""
    tree_depth: int = 3
    tree_rate: float = 0.05
    tree_stride: int = 5
    """Every how many ticks trees learn: neighbouring summaries are nearly the same."""
    device: str = "auto"
    """``cpu``, ``cuda``, or ``auto`` for CUDA where there is one."""

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(
                f"architecture: expected one of {sorted(ARCHITECTURES)}, got {self.architecture!r}"
            )
        if self.architecture == BOOSTED_TREES and self.lookahead_frames:
            raise ConfigError(
                f"lookahead_frames: expected 0 for {BOOSTED_TREES}, which look back only, got "
                f"{self.lookahead_frames}"
            )
        if self.label_shift_frames < 0:
            raise ConfigError(f"label_shift_frames: expected 0 or more, got {self.label_shift_frames}")
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name}: expected more than 0, got {getattr(self, name)}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.lookahead_frames < self.window_frames - WARMUP_TICKS:
            raise ConfigError(
                f"lookahead_frames: expected 0 to window_frames - {WARMUP_TICKS} - 1 = "
                f"{self.window_frames - WARMUP_TICKS - 1}, got {self.lookahead_frames}"
            )
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"device: expected auto, cpu or cuda, got {self.device!r}")
