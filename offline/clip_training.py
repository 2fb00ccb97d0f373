"""The BiLSTM trained on whole clips, as published: every sequence of one length, every frame counts."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.bilstm import BilstmConfig, FusionBilstm
from offline.epochs import EpochRecord
from offline.feature_sets import log1p_names
from offline.metrics import Counts, macro_f1
from offline.padded import PaddedClip, class_weights
from offline.protocols import Protocol
from rtasmr.errors import DataError, ModelError


@dataclass(frozen=True, eq=False)
class _Batch:
    """``x`` and ``valid`` of shape (n_clips, n_steps, n_columns), ``target`` of shape (n_clips, n_steps)."""

    x: Tensor
    valid: Tensor
    target: Tensor


class ClipBilstm:
    """Estimator on padded clips around the BiLSTM of `models`, set as the published one.

    No scaling of inputs but log1p of spectral centroid and bandwidth, no clipping, one logit per class. A
    missing value is 0 for the network, as padding is.

    Parameters
    ----------
    names : tuple of str
        Names of the columns.
    protocol : Protocol
    seed : int
        Seed of weights, order and dropout.
    device : torch.device
    on_epoch : callable, optional
        Called with the record of each epoch.
    n_threads : int
        Of torch; changes no bit.

    Attributes
    ----------
    network_ : FusionBilstm
        In evaluation mode, on the CPU once fitted.
    history_ : tuple of EpochRecord
        Macro F1 is NaN where nobody was held back.
    kept_epoch_ : int
        Epoch of the weights, counted from 1.
    """

    network_: FusionBilstm
    history_: tuple[EpochRecord, ...]
    kept_epoch_: int

    def __init__(
        self,
        names: tuple[str, ...],
        protocol: Protocol,
        seed: int,
        device: torch.device,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        n_threads: int = 1,
    ) -> None:
        self.names = names
        self.protocol = protocol
        self.seed = seed
        self.device = device
        self.on_epoch = on_epoch
        self.n_threads = n_threads

    def fit(self, training: Sequence[PaddedClip], validation: Sequence[PaddedClip]) -> Self:
        """Train on ``training``; ``validation`` is only looked at, unless the protocol keeps the best epoch.

        Raises
        ------
        DataError
            One class does not occur in ``training``, or nobody is there to choose the epoch.
        ModelError
            Training diverges.
        """
        if self.protocol.keep == "best" and not validation:
            raise DataError("expected participants held back to choose the best epoch, got none; add some")
        n_tingle = sum(int(clip.target.sum()) for clip in training)
        weights = class_weights(n_tingle, sum(clip.target.size for clip in training))
        # The caller's own random numbers stay as they are.
        with reproducible(self.n_threads), torch.random.fork_rng():
            torch.manual_seed(self.seed)
            network = build_network(self.names, self.protocol).to(self.device)
            self._run_epochs(network, training, weights, validation)
        self.network_ = network.cpu().eval()
        return self

    def predict_proba(self, clips: Sequence[PaddedClip]) -> list[NDArray[np.float32]]:
        """Return the probability of a tingle at every step of each clip, padding included."""
        network = self.network_.to(self.device)
        batches = _batches(clips, self.protocol.batch_size, self.device)
        with reproducible(self.n_threads):
            p = [torch.sigmoid(logits).cpu().numpy() for _, logits in _logits(network, batches)]
        self.network_.cpu()
        return list(np.concatenate(p)) if p else []

    def weights(self) -> Mapping[str, NDArray[np.float32]]:
        """Return the network's weights and buffers by name."""
        return {name: tensor.numpy() for name, tensor in self.network_.state_dict().items()}

    def _run_epochs(
        self,
        network: FusionBilstm,
        training: Sequence[PaddedClip],
        weights: tuple[float, float],
        validation: Sequence[PaddedClip],
    ) -> None:
        """Run all epochs and leave the weights to be tested in ``network``."""
        protocol = self.protocol
        optimiser = torch.optim.Adam(network.parameters(), lr=protocol.learning_rate)
        history: list[EpochRecord] = []
        best_score, best_state = -math.inf, None
        self.kept_epoch_ = protocol.epochs
        for epoch in range(1, protocol.epochs + 1):
            order = torch.randperm(len(training)).tolist()
            batches = _batches([training[i] for i in order], protocol.batch_size, self.device)
            loss = _run_epoch(network, optimiser, batches, weights)
            if not math.isfinite(loss):
                raise ModelError(
                    f"training diverged: expected a finite loss in epoch {epoch}, got {loss}; lower "
                    f"learning_rate (now {protocol.learning_rate}) or check the features for extreme values"
                )
            held_back = _batches(validation, protocol.batch_size, self.device)
            record = EpochRecord(epoch, protocol.epochs, loss, _score(network, held_back))
            history.append(record)
            if protocol.keep == "best" and record.macro_f1 > best_score:
                # state_dict() refers to the live tensors, which go on changing: keep a copy.
                best_score, best_state = record.macro_f1, copy.deepcopy(network.state_dict())
                self.kept_epoch_ = epoch
            if self.on_epoch is not None:
                self.on_epoch(record)
        if best_state is not None:
            network.load_state_dict(best_state)
        self.history_ = tuple(history)


def build_network(names: tuple[str, ...], protocol: Protocol) -> FusionBilstm:
    """Return the published network for some columns, with new weights."""
    return FusionBilstm(
        BilstmConfig(
            names=names,
            log1p=log1p_names(names),
            hidden=protocol.hidden,
            layers=protocol.layers,
            dropout=protocol.dropout,
            max_abs_z=None,
            n_logits=2,
        )
    )


def load_network(path: Path, names: tuple[str, ...], protocol: Protocol) -> FusionBilstm:
    """Return a trained network in evaluation mode.

    Parameters
    ----------
    path : Path
        Its `ClipBilstm.weights` as ``.npz``.
    names : tuple of str
        Names of the columns.
    protocol : Protocol
    """
    network = build_network(names, protocol)
    with np.load(path, allow_pickle=False) as archive:
        network.load_state_dict({name: torch.from_numpy(archive[name]) for name in archive.files})
    return network.eval()


@contextmanager
def reproducible(n_threads: int) -> Iterator[None]:
    """Make torch give the same bits each time, with a fixed number of threads, inside the block."""
    checks: Any = torch.utils.deterministic
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        checks.fill_uninitialized_memory,
    )
    # cuBLAS reads this when it starts; without it torch refuses deterministic work on CUDA.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(n_threads)
    torch.use_deterministic_algorithms(True)
    # Filling new memory only shows faults of kernels and takes a fifth of the time of an epoch.
    checks.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        checks.fill_uninitialized_memory = before[2]


def _batches(clips: Sequence[PaddedClip], batch_size: int, device: torch.device) -> Iterator[_Batch]:
    """Yield clips together, in order; only one batch is in memory a second time."""
    for i in range(0, len(clips), batch_size):
        together = clips[i : i + batch_size]
        x = torch.from_numpy(np.stack([clip.values for clip in together])).to(device)
        target = torch.from_numpy(np.stack([clip.target for clip in together])).to(device)
        yield _Batch(x, torch.isfinite(x), target)


def _run_epoch(
    network: FusionBilstm,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[_Batch],
    weights: tuple[float, float],
) -> float:
    """Pass once over the training clips and return the mean loss of the batches."""
    network.train()
    losses = []
    for batch in batches:
        weight = torch.where(batch.target, *weights).to(torch.float32)
        summed = nn.functional.binary_cross_entropy_with_logits(
            network(batch.x, batch.valid), batch.target.to(torch.float32), weight=weight, reduction="sum"
        )
        loss = summed / weight.sum()  # the weighted mean of the published loss
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def _score(network: FusionBilstm, batches: Iterator[_Batch]) -> float:
    """Return the macro F1 over all steps, padding included; NaN without steps."""
    pairs = [
        (batch.target.cpu().numpy().ravel(), logits.cpu().numpy().ravel() > 0)
        for batch, logits in _logits(network, batches)
    ]
    return float(macro_f1(Counts.stack(pairs).total())) if pairs else math.nan


def _logits(network: FusionBilstm, batches: Iterator[_Batch]) -> Iterator[tuple[_Batch, Tensor]]:
    network.eval()
    with torch.inference_mode():
        for batch in batches:
            yield batch, network(batch.x, batch.valid)
