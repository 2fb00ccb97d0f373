"""The training loop of a network: epochs, the best of them by the score that counts, and where it stopped."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.bilstm import BilstmConfig, FusionBilstm
from models.registry import TINGLE_MODELS
from offline.checkpoint import Checkpoint
from offline.crops import TrainingSequence, draw_batches, modality_columns, training_sequences
from offline.epochs import LiveEpoch, best_epoch, is_stalled
from offline.feature_sets import log1p_names
from offline.inner_splits import InnerSplit
from offline.judging import judge
from offline.training_config import TrainingConfig
from rtasmr.errors import ModelError
from rtasmr.features.spec import FeatureSpec


def fit_network(
    split: InnerSplit,
    spec: FeatureSpec,
    config: TrainingConfig,
    rng: np.random.Generator,
    device: torch.device,
    checkpoint: Checkpoint | None,
    progress: Callable[[LiveEpoch], None] | None,
) -> tuple[FusionBilstm, int, tuple[LiveEpoch, ...]]:
    """Return a network with the weights of its best epoch, that epoch, and what each epoch came to.

    The epoch with the highest score on the held-back trials is kept, the last one if there is no score.

    Raises
    ------
    ModelError
        If training diverges.
    """
    with torch.random.fork_rng():  # the caller's own random numbers stay as they are
        torch.manual_seed(int(rng.integers(2**63)))
        network = _build(split, spec, config).to(device)
        best_epoch, history = _run_epochs(network, split, config, rng, device, checkpoint, progress)
    return network.cpu().eval(), best_epoch, history


def _build(split: InnerSplit, spec: FeatureSpec, config: TrainingConfig) -> FusionBilstm:
    network = TINGLE_MODELS[config.architecture](
        BilstmConfig(
            names=spec.names,
            used=config.columns,
            log1p=log1p_names(spec.names),
            hidden=config.hidden,
            layers=config.layers,
            dropout=config.dropout,
        )
    )
    network.fit_scaling(
        (torch.from_numpy(values), torch.from_numpy(valid))
        for values, valid in (table.sequence for table in split.fitting)
    )
    return network


def _run_epochs(
    network: FusionBilstm,
    split: InnerSplit,
    config: TrainingConfig,
    rng: np.random.Generator,
    device: torch.device,
    checkpoint: Checkpoint | None,
    progress: Callable[[LiveEpoch], None] | None,
) -> tuple[int, tuple[LiveEpoch, ...]]:
    """Run what is left of the epochs and leave the weights of the best one in ``network``."""
    sequences = training_sequences(split.fitting, device, config.label_shift_frames)
    modalities = modality_columns(split.fitting[0].spec, device)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    state = _State(network, optimiser, rng, device)
    saved = None if checkpoint is None else checkpoint.load()
    if saved is not None:
        state.restore(saved)
    while len(state.history) < config.epochs and not is_stalled(state.history, config.patience):
        epoch = len(state.history) + 1
        loss = _run_epoch(network, optimiser, sequences, modalities, config, rng)
        if not math.isfinite(loss):
            raise ModelError(
                f"training diverged: expected a finite loss in epoch {epoch}, got {loss}; "
                f"lower learning_rate (now {config.learning_rate}) or check the features for extreme values"
            )
        network.eval()
        record = LiveEpoch(epoch, config.epochs, loss, judge(network, split.validation, config).auc)
        state.add(record)
        if checkpoint is not None:
            checkpoint.save(state.content())
        if progress is not None:
            progress(record)
    network.load_state_dict(state.best)
    return best_epoch(state.history), tuple(state.history)


class _State:
    """All that the next epoch depends on, and the best weights so far."""

    def __init__(
        self,
        network: FusionBilstm,
        optimiser: torch.optim.Optimizer,
        rng: np.random.Generator,
        device: torch.device,
    ) -> None:
        self._network = network
        self._optimiser = optimiser
        self._rng = rng
        self._device = device
        self.history: list[LiveEpoch] = []
        self.best = copy.deepcopy(network.state_dict())

    def add(self, record: LiveEpoch) -> None:
        """Note an epoch, and keep its weights if it is the best so far."""
        self.history.append(record)
        if best_epoch(self.history) == record.epoch:
            # state_dict() refers to the live tensors, which go on changing: keep a copy.
            self.best = copy.deepcopy(self._network.state_dict())

    def content(self) -> dict[str, Any]:
        """Return everything as plain values and tensors."""
        return {
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "best": self.best,
            "history": [[r.epoch, r.n_epochs, r.loss, r.auc] for r in self.history],
            "numpy_rng": json.dumps(self._rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None,
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go on from what `content` returned."""
        self._network.load_state_dict(content["network"])
        self._optimiser.load_state_dict(content["optimiser"])
        self.best = content["best"]
        self.history = [LiveEpoch(*row) for row in content["history"]]
        self._rng.bit_generator.state = json.loads(content["numpy_rng"])
        torch.set_rng_state(content["torch_rng"])
        if content["cuda_rng"] is not None and self._device.type == "cuda":
            torch.cuda.set_rng_state(content["cuda_rng"], self._device)


def _run_epoch(
    network: FusionBilstm,
    optimiser: torch.optim.Optimizer,
    sequences: Sequence[TrainingSequence],
    modalities: Sequence[Tensor],
    config: TrainingConfig,
    rng: np.random.Generator,
) -> float:
    network.train()
    losses = []
    for batch in draw_batches(sequences, modalities, config, rng):
        per_frame = nn.functional.binary_cross_entropy_with_logits(
            network(batch.x, batch.valid), batch.target, reduction="none"
        )
        loss = (per_frame * batch.weight).sum() / len(batch.x)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses))
