"""The one training loop of the live model: it learns from the windows that the runtime will show it."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from models.bilstm import BilstmConfig, FusionBilstm
from models.registry import TINGLE_MODELS
from offline.calibration import best_threshold, fit_platt
from offline.crops import TrainingSequence, draw_batches, modality_columns, training_sequences
from offline.epochs import EpochRecord
from offline.metrics import Counts, macro_f1
from offline.serving import served_logits, served_windows
from offline.tables import TrialTable, common_spec, digest_of
from offline.training_config import TrainingConfig
from rtasmr.errors import ConfigError, DataError, ModelError
from rtasmr.features.spec import LOG1P_NAMES, FeatureSpec
from rtasmr.grid import WARMUP_TICKS

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network with all that its card says about where it comes from."""

    network: FusionBilstm
    config: TrainingConfig
    spec: FeatureSpec
    threshold: float
    best_epoch: int
    history: tuple[EpochRecord, ...]
    training_participants: tuple[int, ...]
    validation_participants: tuple[int, ...]
    n_trials: int
    data_digest: str
    simulated: bool
    seed: int
    scores: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def participants(self) -> tuple[int, ...]:
        """Participants who trained or were held back, ascending."""
        return tuple(sorted(self.training_participants + self.validation_participants))

    @property
    def window_frames(self) -> int:
        """Longest window, in frames."""
        return self.config.window_frames

    @property
    def lookahead_frames(self) -> int:
        """Frames newer than the judged one."""
        return self.config.lookahead_frames


def train(
    tables: Sequence[TrialTable],
    config: TrainingConfig,
    rng_seed: int,
    progress: Callable[[EpochRecord], None] | None = None,
) -> TrainedModel:
    """Train a network as it will be served.

    Windows are what the runtime holds at some moment: frames of the warm-up included, growing from the
    clip's start or sliding. The loss counts the frame that the runtime reads from the window and, with
    `TrainingConfig.earlier_weight`, the published frames before it. Participants held back choose the
    epoch (macro F1 of served predictions at probability 0.5 before calibration), then Platt scaling and
    threshold.

    Raises
    ------
    DataError
        If there are fewer than two participants, or no tingle to learn from.
    ModelError
        If training diverges.
    """
    spec = common_spec(tables)
    rng = np.random.default_rng(rng_seed)
    held_back = _validation_participants(tables, config.validation_share, rng)
    fitting = [table for table in tables if table.trial.participant not in held_back]
    validation = [table for table in tables if table.trial.participant in held_back]
    device = _device(config.device)

    with torch.random.fork_rng():  # the caller's own random numbers stay as they are
        torch.manual_seed(int(rng.integers(2**63)))
        network = _build(fitting, spec, config).to(device)
        best_epoch, history = _fit(network, fitting, validation, config, rng, device, progress)

    network.cpu().eval()
    threshold, scores, warnings = _calibrate(network, validation, config)
    for warning in warnings:
        log.warning("%s", warning)
    return TrainedModel(
        network=network,
        config=config,
        spec=spec,
        threshold=threshold,
        best_epoch=best_epoch,
        history=history,
        training_participants=tuple(sorted({table.trial.participant for table in fitting})),
        validation_participants=tuple(sorted(held_back)),
        n_trials=len(tables),
        data_digest=digest_of(tables),
        simulated=any(table.simulated for table in tables),
        seed=rng_seed,
        scores=scores,
        warnings=warnings,
    )


def streaming_scores(model: TrainedModel, table: TrialTable) -> NDArray[np.float32]:
    """Return what the runtime says about a trial, shape (n_frames,).

    The probability of tick k is read from the window that ends at k + look-ahead; the last ticks of
    the clip are read from its final window.
    """
    windows = served_windows(
        WARMUP_TICKS + table.n_frames, model.config.window_frames, model.config.lookahead_frames
    )
    _, logits = served_logits(model.network, table.sequence, windows)
    return _probability(model.network, logits)


def _fit(
    network: FusionBilstm,
    fitting: Sequence[TrialTable],
    validation: Sequence[TrialTable],
    config: TrainingConfig,
    rng: np.random.Generator,
    device: torch.device,
    progress: Callable[[EpochRecord], None] | None,
) -> tuple[int, tuple[EpochRecord, ...]]:
    """Run all epochs and leave the weights of the best one in ``network``."""
    sequences = training_sequences(fitting, device)
    modalities = modality_columns(fitting[0].spec, device)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    history: list[EpochRecord] = []
    best_epoch, best_state = 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, config.epochs + 1):
        loss = _run_epoch(network, optimiser, sequences, modalities, config, rng)
        if not np.isfinite(loss):
            raise ModelError(
                f"training diverged: expected a finite loss in epoch {epoch}, got {loss}; "
                f"lower learning_rate (now {config.learning_rate}) or check the features for extreme values"
            )
        network.eval()
        logits, labels = _served(network, validation, config)
        record = EpochRecord(epoch, config.epochs, loss, float(macro_f1(Counts.of(labels, logits >= 0))))
        if not history or record.macro_f1 > max(past.macro_f1 for past in history):
            # state_dict() refers to the live tensors, which go on changing: keep a copy.
            best_epoch, best_state = epoch, copy.deepcopy(network.state_dict())
        history.append(record)
        if progress is not None:
            progress(record)
    network.load_state_dict(best_state)
    return best_epoch, tuple(history)


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


def _build(fitting: Sequence[TrialTable], spec: FeatureSpec, config: TrainingConfig) -> FusionBilstm:
    unknown = sorted(set(config.columns or ()) - set(spec.names))
    if unknown or config.columns == ():
        raise ConfigError(f"columns: expected some of the {spec.n_features} feature names, got {unknown[:3]}")
    network = TINGLE_MODELS[config.architecture](
        BilstmConfig(
            names=spec.names,
            used=config.columns,
            log1p=tuple(name for name in LOG1P_NAMES if name in spec.names),
            hidden=config.hidden,
            layers=config.layers,
            dropout=config.dropout,
        )
    )
    network.fit_scaling(
        (torch.from_numpy(values), torch.from_numpy(valid)) for values, valid in (t.sequence for t in fitting)
    )
    return network


def _validation_participants(
    tables: Sequence[TrialTable], share: float, rng: np.random.Generator
) -> set[int]:
    """Draw the participants to hold back, with tingles among them where that is possible."""
    participants = sorted({table.trial.participant for table in tables})
    if len(participants) < 2:
        raise DataError(
            "expected at least 2 participants (one is held back to choose the best epoch), "
            f"got {participants}; add some"
        )
    n_held_back = min(max(1, round(share * len(participants))), len(participants) - 1)
    order = rng.permutation(participants)
    with_tingle = {table.trial.participant for table in tables if table.label.any()}
    for shift in range(len(order)):
        drawn = {int(number) for number in np.roll(order, -shift)[:n_held_back]}
        if drawn & with_tingle and with_tingle - drawn:
            return drawn
    return {int(number) for number in order[:n_held_back]}


def _served(
    network: FusionBilstm, tables: Sequence[TrialTable], config: TrainingConfig
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return served logits and labels of every n-th published frame of ``tables``."""
    logits, labels = [], []
    for table in tables:
        windows = served_windows(WARMUP_TICKS + table.n_frames, config.window_frames, config.lookahead_frames)
        ticks, read = served_logits(network, table.sequence, windows[:: config.validation_stride])
        logits.append(read)
        labels.append(table.label[ticks - WARMUP_TICKS])
    return np.concatenate(logits), np.concatenate(labels)


def _calibrate(
    network: FusionBilstm, validation: Sequence[TrialTable], config: TrainingConfig
) -> tuple[float, dict[str, float], tuple[str, ...]]:
    """Set the network's calibration and return threshold, scores and what to warn of."""
    logits, labels = _served(network, validation, config)
    if labels.all() or not labels.any():
        warning = (
            "probabilities are not calibrated: the held-back participants reported one class only; "
            "add participants who reported tingles"
        )
        return 0.5, {}, (warning,)
    warnings: tuple[str, ...] = ()
    slope, shift = fit_platt(logits, labels)
    if slope > 0:
        network.set_calibration(slope, shift)
    else:
        warnings = (
            "probabilities are not calibrated: "
            "the model is no better than chance on the held-back participants",
        )
    threshold, score = best_threshold(_probability(network, logits), labels)
    return threshold, {"validation_macro_f1": score, "validation_frames": float(len(labels))}, warnings


def _probability(network: FusionBilstm, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    p: NDArray[np.float32] = expit(float(network.slope) * logits + float(network.shift)).astype(np.float32)
    return p


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: expected a CUDA device, found none; use device = auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
