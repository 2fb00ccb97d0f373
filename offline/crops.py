"""Windows to train on: cut from trials as the runtime would hold them, with inputs that go missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from offline.padded import class_weights
from offline.tables import TrialTable
from offline.training_config import TrainingConfig
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import Modality


@dataclass(frozen=True, eq=False)
class TrainingSequence:
    """One trial from tick 0 on; ``target`` and ``class_weight`` are 0 in the warm-up.

    Parameters
    ----------
    values, valid : tensor of shape (n_frames, n_features)
    target, class_weight : tensor of shape (n_frames,)
    """

    values: Tensor
    valid: Tensor
    target: Tensor
    class_weight: Tensor


@dataclass(frozen=True, eq=False)
class CropBatch:
    """Windows of one length, so that none is padded.

    Parameters
    ----------
    x, valid : tensor of shape (n_windows, n_frames, n_features)
    target, weight : tensor of shape (n_windows, n_frames)
        Label and loss weight; 0 weight in the warm-up and wherever nothing is read.
    """

    x: Tensor
    valid: Tensor
    target: Tensor
    weight: Tensor


def shifted_label(table: TrialTable, shift_frames: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the labels given ``shift_frames`` later, and where there are any, both of shape (n_frames,)."""
    label, known = np.zeros(table.n_frames, np.bool_), np.zeros(table.n_frames, np.bool_)
    n_known = max(0, table.n_frames - shift_frames)
    label[:n_known] = table.label[shift_frames:]
    known[:n_known] = True
    return label, known


def training_sequences(
    tables: Sequence[TrialTable], device: torch.device, label_shift_frames: int = 0
) -> list[TrainingSequence]:
    """Return the trials as tensors, with the published class weights N / (2 N_c).

    With a shift, frames whose later label would lie behind the end of the clip weigh nothing.

    Raises
    ------
    DataError
        If one class does not occur.
    """
    shifted = [shifted_label(table, label_shift_frames) for table in tables]
    labels = np.concatenate([label[known] for label, known in shifted])
    weights = class_weights(int(labels.sum()), labels.size)
    warmup = np.zeros(WARMUP_TICKS)
    sequences = []
    for table, (label, known) in zip(tables, shifted, strict=True):
        target = np.concatenate([warmup, label]).astype(np.float32)
        weight = np.concatenate([warmup, known * np.where(label, *weights)]).astype(np.float32)
        arrays = (*table.sequence, target, weight)
        sequences.append(TrainingSequence(*(torch.from_numpy(array).to(device) for array in arrays)))
    return sequences


def modality_columns(spec: FeatureSpec, device: torch.device) -> list[Tensor]:
    """Return the column numbers of each modality that has columns."""
    columns = (spec.columns(modality) for modality in Modality)
    return [torch.from_numpy(numbers).to(device) for numbers in columns if len(numbers)]


def draw_batches(
    sequences: Sequence[TrainingSequence],
    modalities: Sequence[Tensor],
    config: TrainingConfig,
    rng: np.random.Generator,
) -> Iterator[CropBatch]:
    """Yield the batches of one epoch: every trial `TrainingConfig.crops_per_trial` times, shuffled.

    The length is drawn once per batch: the full window, or one of the lengths that the runtime's
    window passes through while it grows.
    """
    longest = min(config.window_frames, *(len(sequence.target) for sequence in sequences))
    shortest = min(WARMUP_TICKS + config.lookahead_frames + 1, longest)
    order = rng.permutation(np.repeat(np.arange(len(sequences)), config.crops_per_trial))
    for i in range(0, len(order), config.batch_size):
        is_full = rng.random() < config.full_window_share
        n_frames = longest if is_full else int(rng.integers(shortest, longest + 1))
        crops = [_draw_crop(sequences[k], n_frames, config, rng) for k in order[i : i + config.batch_size]]
        x, valid, target, weight = (torch.stack(parts) for parts in zip(*crops, strict=True))
        drop_inputs(valid, modalities, config, rng)
        yield CropBatch(x, valid, target, weight)


def _draw_crop(
    sequence: TrainingSequence, n_frames: int, config: TrainingConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    n_total = len(sequence.target)
    start = int(rng.integers(n_total - n_frames + 1))
    # A window shorter than the longest is served at a segment's start; half of them are cut there.
    if n_frames < config.window_frames and rng.random() < 0.5:
        start = 0
    cut = slice(start, start + n_frames)
    weight = read_weight(sequence.class_weight[cut], cut.stop == n_total, config)
    return sequence.values[cut], sequence.valid[cut], sequence.target[cut], weight


def read_weight(class_weight: Tensor, ends_clip: bool, config: TrainingConfig) -> Tensor:
    """Return the loss weight of each frame of one window, shape (n_frames,).

    The frame that the runtime reads, `TrainingConfig.lookahead_frames` before the newest, carries its
    class weight; at a clip's end the frames after it share that place, since they are read from the
    same window. The published frames before it share `TrainingConfig.earlier_weight`.
    """
    read = max(0, len(class_weight) - 1 - config.lookahead_frames)
    weight = torch.zeros_like(class_weight)
    served = slice(read, None if ends_clip else read + 1)
    weight[served] = class_weight[served] / len(weight[served])
    n_earlier = max(1, int((class_weight[:read] > 0).sum()))
    weight[:read] = config.earlier_weight * class_weight[:read] / n_earlier
    return weight


def drop_inputs(
    valid: Tensor, modalities: Sequence[Tensor], config: TrainingConfig, rng: np.random.Generator
) -> None:
    """Make modalities missing in ``valid``, in place: from a whole window, and over a stretch of one.

    Parameters
    ----------
    valid : tensor of shape (n_windows, n_frames, n_features)
    modalities : sequence of tensor
        As of `modality_columns`.
    config : TrainingConfig
    rng : Generator
    """
    n_windows, n_frames, _ = valid.shape
    dropped = rng.random((n_windows, len(modalities))) < config.modality_dropout
    dropped[dropped.all(axis=1), rng.integers(len(modalities))] = False  # something must remain
    for window, modality in np.argwhere(dropped):
        valid[window, :, modalities[int(modality)]] = False
    for window in np.flatnonzero(rng.random(n_windows) < config.gap_rate):
        length = int(rng.integers(1, config.max_gap_frames + 1))
        start = int(rng.integers(n_frames))
        valid[window, start : start + length, modalities[int(rng.integers(len(modalities)))]] = False
