"""From feature tables to an installed live model: validate, train, score, export."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offline.comparison import compile_results
from offline.export import export_tingle
from offline.leaks import check_tables
from offline.live_crossval import LivePlan, Validated, choose, validate
from offline.live_scores import held_back_scores, validated_scores
from offline.predictions import save_predictions
from offline.results import Results, write_results
from offline.subjects import ORIGIN_SCORE, ORIGIN_TRAINED, PREDICTIONS_FILE
from offline.table_folder import recordings_behind
from offline.tables import TrialTable, load_tables
from offline.training import TrainedModel
from offline.training_config import TrainingConfig
from rtasmr import modelstore
from rtasmr.card import EncoderCard, check_id, read_encoder_card
from rtasmr.errors import DataError, ModelError
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.progress import Report

logger = logging.getLogger(__name__)

TRAINED_SHARE, SCORED_SHARE = 0.8, 0.95
"""Of the progress, after training and after scoring, which takes as long as an epoch; export is the rest."""

MAX_NAMED = 40
"""Recordings that a card names."""


def train_live_model(
    features: Path,
    out: Path,
    model_id: str,
    config: TrainingConfig,
    seed: int,
    *,
    plan: LivePlan | None = None,
    install: bool = False,
    progress: Report | None = None,
) -> tuple[Path, Results]:
    """Train on ``features/trials``, write ``out/models/<model_id>`` and ``out/results.json``; return both.

    With outer folds, ``out/predictions.npz`` holds what the chosen model of each fold, the families and the
    personal calibration say of its test trials, and ``out/models/<model_id>-fold<n>`` that model. States of
    trainings are kept in its folder ``work``: a run broken off goes on from there.

    Parameters
    ----------
    features : Path
        Folder that `offline.extract` wrote.
    out : Path
    model_id : str
    config : TrainingConfig
    seed : int
    plan : LivePlan or None
        One training of the BiLSTM without outer folds by default.
    install : bool
        Copy model and encoder to the user's store, where the runtime looks.
    progress : callable or None

    Raises
    ------
    RtasmrError
        If the tables, the training or the export fail.
    """
    plan = LivePlan() if plan is None else plan
    check_id(model_id)
    models = out / "models"
    target = models / model_id
    if target.exists():
        raise ModelError(f"{target} exists already; choose another --id or --out, or remove it.")
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{models} cannot be made ({error.strerror}). Choose another --out.") from error
    tables = load_tables(features)
    if not tables[0].spec.causal:
        raise DataError(
            f"expected tables of a set that streams can give, got '{tables[0].feature_set}'; "
            "make them with 'offline features --set live' or live+ppg"
        )
    check_tables(tables)
    encoder = _find_encoder(tables, features)
    card = None if encoder is None else read_encoder_card(encoder)
    work = out / "work"
    n_parts = 1 + plan.n_folds

    def report(first: int, n: int) -> Report:
        return lambda text, share: told(text, TRAINED_SHARE * (first + n * share) / n_parts)

    def told(text: str, share: float) -> None:
        if progress is not None:
            progress(text, share)

    validated = None
    if plan.n_folds:
        validated = validate(tables, config, plan, seed, model_id, work, report(0, plan.n_folds))
    family, trained = choose(tables, config, plan, seed, work / "all", report(plan.n_folds, 1))
    model = trained[family]
    scores = {f"inner_auc.{name}": one.inner_auc for name, one in trained.items()}
    scores["rating_lag_s"] = model.config.label_shift_frames / FRAME_RATE_HZ
    scores = {name: value for name, value in scores.items() if np.isfinite(value)}
    scoring = SCORED_SHARE - TRAINED_SHARE
    measured = held_back_scores(
        model, tables, lambda text, share: told(text, TRAINED_SHARE + scoring * share)
    )
    origin = _origin(model, tables, seed, card)
    if validated is not None:
        _export_folds(validated, models, model_id, card)
        measured |= validated_scores(validated.predictions, model.simulated)
        trained_on = {ORIGIN_SCORE: "streaming", ORIGIN_TRAINED: validated.trained_on}
        save_predictions(out / PREDICTIONS_FILE, validated.predictions, {**origin, **trained_on})
    told("export", SCORED_SHARE)
    folder = _export(model, models, model_id, card, _description(model, family) + _recorded(features), scores)
    if encoder is not None:
        _copy_beside(encoder, models)
    entries = {"command": "offline train", "id": model_id, "family": family, "epochs": config.epochs}
    results = compile_results(
        measured,
        {**entries, **origin, "members": plan.n_members, "folds": plan.n_folds},
        reason="needs the reproduction on the data set; this is the training of the live model",
    )
    write_results(results, out)
    if install:
        if encoder is not None:
            modelstore.install(encoder)
        modelstore.install(folder, replace_demo=True)
    told("done", 1.0)
    return folder, results


def _origin(
    model: TrainedModel, tables: list[TrialTable], seed: int, encoder: EncoderCard | None
) -> dict[str, Any]:
    return {
        "encoder": "" if encoder is None else encoder.weights,
        "simulated": model.simulated,
        "seed": seed,
        "digest": model.data_digest,
        "feature_set": tables[0].feature_set,
    }


def _description(model: TrainedModel, family: str) -> str:
    kind = "simulated trials" if model.simulated else "trials"
    members = f", {len(model.members)} trainings" if len(model.members) > 1 else ""
    return f"{model.n_trials} {kind} of {len(model.participants)} participants ({family}{members})"


def _recorded(features: Path) -> str:
    """Say which recordings the tables come from, where any do."""
    recordings = recordings_behind(features)
    if not recordings:
        return ""
    files = sorted(set(recordings.values()))
    more = f" and {len(files) - MAX_NAMED} more" if len(files) > MAX_NAMED else ""
    return f"; {len(recordings)} of the trials recorded: {', '.join(files[:MAX_NAMED])}{more}"


def _export(
    model: TrainedModel,
    models: Path,
    model_id: str,
    encoder: EncoderCard | None,
    description: str,
    scores: Mapping[str, float],
) -> Path:
    return export_tingle(model, models, model_id, encoder=encoder, description=description, scores=scores)


def _export_folds(validated: Validated, models: Path, model_id: str, encoder: EncoderCard | None) -> None:
    """Write the chosen model of each fold; those that an earlier run left make way."""
    for left in models.glob(f"{model_id}-fold*"):
        shutil.rmtree(left)
    for number, model in validated.models.items():
        name = f"{model_id}-fold{number}"
        description = f"outer fold {number}: {_description(model, validated.chosen[number])}"
        _export(model, models, name, encoder, description, {})


def _find_encoder(tables: list[TrialTable], features: Path) -> Path | None:
    """Return the folder of the encoder that made the tables; it lies beside them or is installed."""
    try:
        return modelstore.find_encoder(tables[0].spec.encoder_sha256, near=features / "models" / "any")
    except ModelError as error:
        logger.warning("the model goes without its image encoder: %s", error)
        return None


def _copy_beside(encoder: Path, models: Path) -> None:
    """Put the encoder where the runtime looks first: beside the model."""
    if not (models / encoder.name).exists():
        shutil.copytree(encoder, models / encoder.name)
