"""One interface to train and ask the models that are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from offline.compared import XGBOOST
from offline.device import Device
from offline.epochs import EpochRecord
from offline.padded import PaddedClip, class_weights
from offline.protocols import Protocol as CrossValidationProtocol
from rtasmr.features.spec import LOG1P_NAMES

N_TREES = 100
MAX_DEPTH = 6
TREE_LEARNING_RATE = 0.1
TREE_SEED = 42


class ClipEstimator(Protocol):
    """What learns from padded clips and gives a probability per step."""

    @property
    def kept_epoch_(self) -> int | None:
        """Epoch of what was learned; None where there are none."""
        ...

    @property
    def history_(self) -> tuple[EpochRecord, ...]:
        """What each epoch gave."""
        ...

    def fit(self, training: Sequence[PaddedClip], validation: Sequence[PaddedClip]) -> Self:
        """Learn from ``training``."""
        ...

    def predict_proba(self, clips: Sequence[PaddedClip]) -> list[NDArray[np.float32]]:
        """Return one array of shape (n_steps,) per clip."""
        ...

    def weights(self) -> Mapping[str, NDArray[np.float32]]:
        """Return what a network learned, by name; empty for what is none."""
        ...


class FrameXgboost:
    """Gradient-boosted trees on single frames: what can be said without temporal context.

    Trees, depth, rate, class weight and seed as published. Missing values are left to XGBoost, which
    learns a side for them at every branch; padding is 0.

    Parameters
    ----------
    names : tuple of str
        Names of the columns.
    n_threads : int

    Attributes
    ----------
    trees_ : xgboost.XGBClassifier
    """

    trees_: Any
    kept_epoch_: int | None = None
    history_: tuple[EpochRecord, ...] = ()

    def __init__(self, names: tuple[str, ...], n_threads: int) -> None:
        self.names = names
        self.n_threads = n_threads

    def fit(self, training: Sequence[PaddedClip], validation: Sequence[PaddedClip]) -> Self:  # noqa: ARG002 - one interface; the published trees hold nobody back
        """Train on all frames of ``training``.

        Raises
        ------
        DataError
            One class does not occur.
        """
        import xgboost  # here, as most processes never train trees and it takes 100 MB of memory

        target = np.concatenate([clip.target for clip in training])
        positive_weight, negative_weight = class_weights(int(target.sum()), target.size)
        self.trees_ = xgboost.XGBClassifier(
            n_estimators=N_TREES,
            max_depth=MAX_DEPTH,
            learning_rate=TREE_LEARNING_RATE,
            scale_pos_weight=positive_weight / negative_weight,
            random_state=TREE_SEED,
            n_jobs=self.n_threads,
        )
        self.trees_.fit(self._frames(training), target.astype(np.int8))
        return self

    def predict_proba(self, clips: Sequence[PaddedClip]) -> list[NDArray[np.float32]]:
        """Return the probability of a tingle at every step of each clip, padding included."""
        if not clips:
            return []
        p: NDArray[np.float32] = self.trees_.predict_proba(self._frames(clips))[:, 1].astype(np.float32)
        return np.split(p, np.cumsum([clip.target.size for clip in clips])[:-1])

    def weights(self) -> Mapping[str, NDArray[np.float32]]:
        """Return nothing: trees are not kept."""
        return {}

    def _frames(self, clips: Sequence[PaddedClip]) -> NDArray[np.float32]:
        """Return the frames of all clips, shape (n_frames, n_columns), with the published log scale."""
        frames = np.concatenate([clip.values for clip in clips])
        logged = np.array([name in LOG1P_NAMES for name in self.names])
        frames[:, logged] = np.log1p(frames[:, logged])
        return frames


def make_estimator(
    model: str,
    names: tuple[str, ...],
    protocol: CrossValidationProtocol,
    seed: int,
    device: Device,
    n_threads: int,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> ClipEstimator:
    """Return an untrained model for the columns ``names``."""
    if model == XGBOOST:
        return FrameXgboost(names, n_threads)
    # Not at the top: a process that grows trees has better use for the memory that torch takes.
    import torch

    from offline.clip_training import ClipBilstm

    return ClipBilstm(names, protocol, seed, torch.device(device), on_epoch, n_threads)
