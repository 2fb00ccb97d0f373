"""Training of the live model: it learns from the windows that the runtime will show it."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from models.ensemble import TingleEnsemble
from models.familiarity import Familiarity
from models.windows import WindowModel
from offline.calibration import best_threshold, fit_mean, fit_platt
from offline.checkpoint import Checkpoint
from offline.device import pick_device
from offline.epochs import LiveEpoch
from offline.inner_splits import InnerSplit, draw_inner_split
from offline.judging import Judged, judge, kind_weights
from offline.metrics import balanced_accuracy
from offline.network_fitting import fit_network
from offline.novelty import fit_familiarity
from offline.serving import served_logits, served_windows
from offline.tables import TrialTable, common_spec, digest_of
from offline.training_config import BOOSTED_TREES, TrainingConfig
from offline.tree_fitting import fit_trees
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import Modality, TrialId

log = logging.getLogger(__name__)

Progress = Callable[[int, LiveEpoch], None]
"""Takes the number of the member, from 0, and what an epoch came to."""

ONE_CLASS_WARNING = (
    "probabilities are not calibrated and the epoch is not chosen: the held-back participants reported one "
    "class only; add participants who reported tingles"
)
CHANCE_WARNING = (
    "probabilities are not calibrated: the model is no better than chance on the held-back participants"
)
SAME_CLIPS_WARNING = "epoch and threshold were chosen on clips that the model has learned; add ASMR clips"


@dataclass(frozen=True, eq=False)
class Member:
    """One training: the model, and how it came about.

    Parameters
    ----------
    network : WindowModel
        In evaluation mode.
    best_epoch : int
    history : tuple of LiveEpoch
    held_back : tuple of TrialId
        Trials that chose the epoch.
    fitted : tuple of int
        Participants it learned from.
    judged : Judged
        All trials of the people held back, before calibration.
    auc : float
        The score that chose the epoch.
    """

    network: WindowModel
    best_epoch: int
    history: tuple[LiveEpoch, ...]
    held_back: tuple[TrialId, ...]
    fitted: tuple[int, ...]
    judged: Judged
    auc: float


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network, or several trained alike, with all that its card says about where it comes from.

    ``training_participants`` and ``validation_participants`` are those of the first member.
    """

    network: WindowModel | TingleEnsemble
    config: TrainingConfig
    spec: FeatureSpec
    threshold: float
    best_epoch: int
    history: tuple[LiveEpoch, ...]
    training_participants: tuple[int, ...]
    validation_participants: tuple[int, ...]
    n_trials: int
    data_digest: str
    simulated: bool
    seed: int
    scores: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    familiarity: Familiarity | None = None

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

    @property
    def inner_auc(self) -> float:
        """Mean of the members' scores on their held-back trials; NaN where none has one."""
        known = [member.auc for member in self.members if not math.isnan(member.auc)]
        return float(np.mean(known)) if known else math.nan


def train(
    tables: Sequence[TrialTable],
    config: TrainingConfig,
    rng_seed: int,
    progress: Progress | None = None,
    *,
    n_members: int = 1,
    work: Path | None = None,
) -> TrainedModel:
    """Train a model as it will be served.

    Windows are what the runtime holds at some moment: frames of the warm-up included, growing from the
    clip's start or sliding. The loss counts the frame that the runtime reads from the window and, with
    `TrainingConfig.earlier_weight`, the published frames before it. Participants held back, on clips of
    their own where there are enough, choose epoch and calibration: see `offline.judging` for the score.

    Parameters
    ----------
    tables : sequence of TrialTable
    config : TrainingConfig
    rng_seed : int
    progress : callable or None
    n_members : int
        Trainings that differ in seed and in the trials held back. Of several, the model is their mean and
        gives the range of their probabilities.
    work : Path or None
        Folder for the state after each epoch: a training broken off goes on from there.

    Raises
    ------
    DataError
        If there are fewer than two participants, no tingle to learn from, or no modality.
    ModelError
        If training diverges.
    """
    spec = common_spec(tables)
    unknown = sorted(set(config.columns or ()) - set(spec.names))
    if unknown or config.columns == ():
        raise ConfigError(f"columns: expected some of the {spec.n_features} feature names, got {unknown[:3]}")
    absent = _never_there(tables, spec)
    digest = digest_of(tables)
    members: list[Member] = []
    splits: list[InnerSplit] = []
    for number in range(n_members):
        rng = np.random.default_rng(rng_seed if number == 0 else (rng_seed, number))
        before = [clip for split in splits for clip in split.held_clips]
        split = draw_inner_split(tables, config.validation_share, rng, before)
        checkpoint = None if work is None else _checkpoint(work, number, config, digest, rng_seed)
        told = None if progress is None else (lambda epoch, number=number: progress(number, epoch))
        members.append(_fit_member(split, spec, config, rng, checkpoint, told))
        splits.append(split)
    if not all(split.is_clip_disjoint for split in splits):
        log.warning("%s", SAME_CLIPS_WARNING)
    network = members[0].network if n_members == 1 else TingleEnsemble([m.network for m in members]).eval()
    threshold, scores, doubts = _calibrate(members, splits, config)
    warnings = (*absent, *doubts)
    for warning in warnings:
        log.warning("%s", warning)
    aucs = [member.auc for member in members if not math.isnan(member.auc)]
    if aucs:
        scores |= {"validation_auc_within_asmr": float(np.mean(aucs))}
    return TrainedModel(
        network=network,
        config=config,
        spec=spec,
        threshold=threshold,
        best_epoch=members[0].best_epoch,
        history=members[0].history,
        training_participants=tuple(
            sorted({t.trial.participant for t in tables} - {t.participant for t in members[0].held_back})
        ),
        validation_participants=tuple(sorted({trial.participant for trial in members[0].held_back})),
        n_trials=len(tables),
        data_digest=digest,
        simulated=any(table.simulated for table in tables),
        seed=rng_seed,
        scores=scores,
        warnings=warnings,
        members=tuple(members),
        familiarity=fit_familiarity(splits[0], spec),
    )


def streaming_scores(model: TrainedModel, table: TrialTable) -> NDArray[np.float32]:
    """Return what the runtime says about a trial, shape (n_frames,).

    The probability of tick k is read from the window that ends at k + look-ahead; the last ticks of
    the clip are read from its final window.
    """
    return network_scores(model.network, model.config, table)


def network_scores(
    network: WindowModel | TingleEnsemble, config: TrainingConfig, table: TrialTable
) -> NDArray[np.float32]:
    """Return what the runtime would say with this network alone; see `streaming_scores`."""
    windows = served_windows(WARMUP_TICKS + table.n_frames, config.window_frames, config.lookahead_frames)
    _, logits = served_logits(network, table.sequence, windows)
    p: NDArray[np.float32] = expit(_log_odds(network, logits)).astype(np.float32)
    return p


def _never_there(tables: Sequence[TrialTable], spec: FeatureSpec) -> list[str]:
    """Return a warning for every modality that no trial holds.

    Raises
    ------
    DataError
        If none holds any.
    """
    valid = np.any([table.valid.any(axis=0) for table in tables], axis=0)
    there = {m: bool(valid[spec.columns(m)].any()) for m in Modality if len(spec.columns(m))}
    if not any(there.values()):
        raise DataError(
            f"expected values of {', '.join(there)} in the training trials, got none of any; "
            "run 'offline check' on the data and compute the features again"
        )
    return [
        f"learned without {modality}: no training trial holds it"
        for modality, is_there in there.items()
        if not is_there
    ]


def _fit_member(
    split: InnerSplit,
    spec: FeatureSpec,
    config: TrainingConfig,
    rng: np.random.Generator,
    checkpoint: Checkpoint | None,
    progress: Callable[[LiveEpoch], None] | None,
) -> Member:
    network: WindowModel
    if config.architecture == BOOSTED_TREES:
        network, best_epoch, history = fit_trees(split, spec, config, rng, progress)
    else:
        device = torch.device(pick_device(config.device))
        network, best_epoch, history = fit_network(split, spec, config, rng, device, checkpoint, progress)
    return Member(
        network=network,
        best_epoch=best_epoch,
        history=history,
        held_back=tuple(table.trial for table in split.validation),
        fitted=tuple(sorted({table.trial.participant for table in split.fitting})),
        judged=judge(network, split.held_people, config),
        auc=judge(network, split.validation, config).auc,
    )


def _calibrate(
    members: Sequence[Member], splits: Sequence[InnerSplit], config: TrainingConfig
) -> tuple[float, dict[str, float], tuple[str, ...]]:
    """Set the members' calibration and return threshold, scores and what to warn of.

    One calibration on the people held back by any member, each judged by the member that did not learn from
    them: a few people would set the level by their own liking, and a single clip by its own, so all their
    clips count, those that others taught the member too. Of several members the mean is served, so it is the
    mean that is made to fit, see `fit_mean`. The threshold has the best balanced accuracy within their ASMR
    clips.
    """
    frames = Judged.join([member.judged for member in members])
    if frames.labels.all() or not frames.labels.any():
        return 0.5, {}, (ONE_CLASS_WARNING,)
    weights = kind_weights(frames.is_asmr)
    slope, shift = fit_platt(frames.logits, frames.labels, weights)
    warnings: tuple[str, ...] = (CHANCE_WARNING,)
    if slope > 0:
        warnings = ()
        if len(members) > 1:
            log_odds = slope * _said_by_all(members, splits, config) + shift
            own = np.repeat(np.arange(len(members)), [member.judged.labels.size for member in members])
            sharper, moved = fit_mean(log_odds, own, frames.labels, weights)
            slope, shift = sharper * slope, sharper * shift + moved
        for member in members:
            member.network.set_calibration(slope, shift)
    p = expit(_log_odds(members[0].network, frames.logits))[frames.is_asmr]
    labels = frames.labels[frames.is_asmr]
    if labels.all() or not labels.any():
        return 0.5, {}, warnings
    threshold, score = best_threshold(p, labels, balanced_accuracy)
    scores = {"validation_balanced_accuracy_within_asmr": score, "validation_frames": float(len(labels))}
    return threshold, scores, warnings


def _said_by_all(
    members: Sequence[Member], splits: Sequence[InnerSplit], config: TrainingConfig
) -> NDArray[np.float32]:
    """Return the logits of every member for the frames of all people held back; (n_frames, n_members)."""
    rows = []
    for holder, split in zip(members, splits, strict=True):
        judged = [m.judged if m is holder else judge(m.network, split.held_people, config) for m in members]
        rows.append(np.stack([one.logits for one in judged], axis=1))
    return np.concatenate(rows)


def _log_odds(network: WindowModel | TingleEnsemble, logits: NDArray[np.float32]) -> NDArray[np.float32]:
    calibrated: NDArray[np.float32] = float(network.slope) * logits + float(network.shift)
    return calibrated.astype(np.float32)


def _checkpoint(work: Path, number: int, config: TrainingConfig, digest: str, seed: int) -> Checkpoint:
    content = {"config": asdict(config), "digest": digest, "seed": seed, "torch": torch.__version__}
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Checkpoint(work / f"member{number + 1}.pt", key)
