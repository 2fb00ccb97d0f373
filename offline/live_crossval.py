"""Nested validation of live models: what they say of people and clips that had no part in making them.

An outer fold tests a quarter of the people on one ASMR clip and one nature clip (`outer_folds`). Whatever is
chosen (epoch, calibration, threshold, family, rating lag) is chosen on the other people and clips alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit

from offline.epochs import LiveEpoch
from offline.judging import judge
from offline.live_families import check_families, family_config
from offline.outer_folds import N_CROSSED, OuterFold, outer_folds
from offline.personal import PERSONAL, calibration_frames, fit_shift, shifted
from offline.predictions import Predictions, TrialPrediction
from offline.rating_lag import estimate_rating_lag, label_shift_frames
from offline.splits import N_FOLDS
from offline.streaming import serving_threshold
from offline.tables import TrialTable
from offline.training import TrainedModel, streaming_scores, train
from offline.training_config import TrainingConfig
from rtasmr.errors import ConfigError
from rtasmr.grid import FRAME_RATE_HZ

MAX_MEMBERS = 10
"""Of full size they take 45 MB, and the runtime opens no model above 50."""

Told = Callable[[str, float], None]
"""Takes what is being trained, and the share of it that is done."""


@dataclass(frozen=True)
class LivePlan:
    """What is trained beside the settings of one training.

    Parameters
    ----------
    families : tuple of str
        Candidates; the one with the best score on inner validation is taken.
    n_members : int
        Trainings per model, which then gives the range of their probabilities.
    n_folds : {0, 4, 16}
        Outer folds: the published ones, or those that test everybody on every clip; 0 leaves the nested
        validation out.
    rating_lag_s : float or None
        Seconds by which labels are moved back; None estimates it on the trials of each training.
    personal_minutes : float
        Minutes of a test person's own ratings for a personal calibration; 0 leaves it out.
    """

    families: tuple[str, ...] = ("bilstm",)
    n_members: int = 1
    n_folds: int = 0
    rating_lag_s: float | None = 0.0
    personal_minutes: float = 0.0

    def __post_init__(self) -> None:
        check_families(self.families)
        if not 1 <= self.n_members <= MAX_MEMBERS:
            raise ConfigError(f"--members: expected 1 to {MAX_MEMBERS}, got {self.n_members}")
        if self.n_folds not in (0, N_FOLDS, N_CROSSED):
            raise ConfigError(
                f"--folds: expected {N_FOLDS}, {N_CROSSED}, or 0 for no nested validation, got {self.n_folds}"
            )
        if self.rating_lag_s is not None and not 0 <= self.rating_lag_s <= 10:
            raise ConfigError(f"--rating-lag: expected 0 to 10 s or 'auto', got {self.rating_lag_s:g}")
        if not 0 <= self.personal_minutes < math.inf:
            raise ConfigError(f"--personal: expected 0 or more minutes, got {self.personal_minutes:g}")


@dataclass(frozen=True, eq=False)
class Validated:
    """What came of a nested validation.

    Parameters
    ----------
    predictions : tuple of Predictions
        Of the chosen model first, then of every family and after personal calibration.
    models : mapping of int to TrainedModel
        The chosen model of each fold.
    chosen : mapping of int to str
        Its family.
    trained_on : mapping of str to list of str
        Trials that had a part in making it, by fold.
    """

    predictions: tuple[Predictions, ...]
    models: Mapping[int, TrainedModel]
    chosen: Mapping[int, str]
    trained_on: Mapping[str, list[str]]


def choose(
    tables: Sequence[TrialTable],
    config: TrainingConfig,
    plan: LivePlan,
    seed: int,
    work: Path | None,
    told: Told,
) -> tuple[str, dict[str, TrainedModel]]:
    """Train every family; return the one with the best score on inner validation, and all of them.

    The first family is taken where none has a score.
    """
    if plan.rating_lag_s is None:
        lag_s = estimate_rating_lag(tables, np.random.default_rng(seed)).lag_s
    else:
        lag_s = plan.rating_lag_s
    config = replace(config, label_shift_frames=label_shift_frames(lag_s))
    trained = {}
    for place, family in enumerate(plan.families):

        def report(member: int, epoch: LiveEpoch, family: str = family, place: int = place) -> None:
            within = (member + epoch.epoch / epoch.n_epochs) / plan.n_members
            text = f"{family} {member + 1}, epoch {epoch.epoch}, AUC within ASMR {epoch.auc:.3f}"
            is_last = (member + 1, epoch.epoch) == (plan.n_members, epoch.n_epochs)
            text += "; calibrating" * is_last
            told(text, (place + within) / len(plan.families))

        trained[family] = train(
            tables,
            family_config(config, family),
            seed,
            report,
            n_members=plan.n_members,
            work=None if work is None else work / family,
        )
    best = max(plan.families, key=lambda family: _or_lowest(trained[family].inner_auc))
    return best, trained


def validate(
    tables: Sequence[TrialTable],
    config: TrainingConfig,
    plan: LivePlan,
    seed: int,
    name: str,
    work: Path | None,
    told: Told,
) -> Validated:
    """Choose a model in every outer fold and return what it says of the fold's test trials.

    Parameters
    ----------
    tables : sequence of TrialTable
    config : TrainingConfig
    plan : LivePlan
    seed : int
    name : str
        Of the chosen model in the predictions.
    work : Path or None
        Folder for the states of trainings, from which a run broken off goes on.
    told : callable
    """
    said: dict[str, list[TrialPrediction]] = {}
    models, chosen, trained_on = {}, {}, {}
    folds = outer_folds(tables, crossed=plan.n_folds == N_CROSSED)
    for fold in folds:

        def report(text: str, share: float, number: int = fold.number) -> None:
            told(f"fold {number}: {text}", (number - 1 + share) / len(folds))

        folder = None if work is None else work / f"fold{fold.number}of{len(folds)}"
        best, trained = choose(fold.training, config, plan, seed, folder, report)
        models[fold.number], chosen[fold.number] = trained[best], best
        trained_on[str(fold.number)] = [str(table.trial) for table in fold.training]
        for family, model in trained.items():
            predictions = [_prediction(model, table, fold.number) for table in fold.test]
            if len(trained) > 1:
                said.setdefault(family, []).extend(predictions)
            if family == best:
                said.setdefault(name, []).extend(predictions)
                if plan.personal_minutes:
                    personal = _personal(model, fold, predictions, plan.personal_minutes)
                    said.setdefault(name + PERSONAL, []).extend(personal)
    order = sorted(said, key=lambda model: not model.startswith(name))
    return Validated(
        tuple(Predictions(model, tuple(said[model])) for model in order), models, chosen, trained_on
    )


def _prediction(model: TrainedModel, table: TrialTable, fold: int) -> TrialPrediction:
    p, threshold = streaming_scores(model, table), serving_threshold(model.threshold)
    return TrialPrediction(table.trial, fold, p, table.rating, table.n_frames, threshold)


def _personal(
    model: TrainedModel, fold: OuterFold, predictions: Sequence[TrialPrediction], minutes: float
) -> list[TrialPrediction]:
    """Return predictions moved by each person's own shift; people without rated clips keep theirs."""
    own = calibration_frames(fold.own, minutes)
    clips = {table.trial.video for used in own.values() for table, _ in used}
    level_of = {
        clip: _clip_level(model, [t for t in fold.training if t.trial.video == clip]) for clip in clips
    }
    shift_of = {}
    for person, used in own.items():
        p = [shifted(streaming_scores(model, t)[:n], level_of[t.trial.video]) for t, n in used]
        labels = np.concatenate([table.label[:n] for table, n in used])
        shift_of[person] = fit_shift(np.concatenate(p), labels)
    return [
        replace(said, p=shifted(said.p, shift_of.get(said.trial.participant, 0.0))) for said in predictions
    ]


def _clip_level(model: TrainedModel, tables: Sequence[TrialTable]) -> float:
    """Return the shift that brings the model to what the training people report of a clip.

    What is left is the person: without it, somebody who sees a strong clip first would pass for a strong
    responder.
    """
    frames = judge(model.network, tables, replace(model.config, label_shift_frames=0))
    log_odds = float(model.network.slope) * frames.logits + float(model.network.shift)
    return fit_shift(expit(log_odds), frames.labels, model.config.validation_stride / FRAME_RATE_HZ)


def _or_lowest(score: float) -> float:
    return -math.inf if math.isnan(score) else score
