"""The fold models and the refit of a cross-validation as ONNX plus card."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.bilstm import FusionBilstm
from offline.clip_study import ClipStudy, Tables
from offline.clip_training import load_network, reproducible
from offline.compared import FUSION
from offline.crossval import CrossValidation
from offline.export import export_tingle
from offline.fits import NETWORK_FILE, Fit, FitResult
from offline.metrics import Counts, accuracy, macro_f1
from offline.onnx_graphs import to_onnx
from offline.predictions import Predictions
from offline.serving import ServedWindow, served_logits
from offline.splits import fold_videos
from offline.statistics import fold_values, mean_and_sd
from offline.tables import TrialTable
from rtasmr.card import EncoderCard, read_model_card
from rtasmr.errors import ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.onnx_session import read_checked_model

logger = logging.getLogger(__name__)

SERVED_LOOKAHEAD_FRAMES = 20
"""Frames newer than the judged one when the clip model runs on a stream: 2 s."""

AGREEMENT_STRIDE = 25
"""Every how many ticks agreement between served and whole clip is measured."""

WHOLE_CLIP_WARNING = (
    "trained on whole clips as published: each probability used the clip to its end, live it sees "
    f"{SERVED_LOOKAHEAD_FRAMES / FRAME_RATE_HZ:g} s ahead"
)
PADDING_WARNING = (
    "a missing value is 0 for this network, as the padding of its training was, which means no tingle"
)
NOT_CAUSAL_WARNING = (
    "its features know the whole clip (sound floor, pulse normalisation): no stream gives them"
)


@dataclass(frozen=True, eq=False)
class ClipModel:
    """A network trained on whole clips, with all that its card says."""

    network: FusionBilstm
    spec: FeatureSpec
    window_frames: int
    participants: tuple[int, ...]
    n_trials: int
    data_digest: str
    simulated: bool
    scores: Mapping[str, float] = field(default_factory=dict)
    lookahead_frames: int = SERVED_LOOKAHEAD_FRAMES
    threshold: float = 0.5
    familiarity: None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What everybody who sees a result must be told."""
        causal = () if self.spec.causal else (NOT_CAUSAL_WARNING,)
        return (WHOLE_CLIP_WARNING, *causal, PADDING_WARNING)


def export_clip_models(
    validated: CrossValidation,
    tables: Tables,
    models_folder: Path,
    *,
    encoder: EncoderCard | None,
) -> list[Path]:
    """Write the fusion model of each fold and the refit below ``models_folder``; return their folders.

    Those of the first seed. A folder that holds the same network and data stays; another of the same name
    makes way.

    Parameters
    ----------
    validated : CrossValidation
    tables : Path or sequence of TrialTable
        What it was given.
    models_folder : Path
    encoder : EncoderCard or None
        The image encoder behind the features; None when the feature set names none.

    Raises
    ------
    ModelError
        The fusion model was not trained, or the encoder is not the one behind the features.
    """
    refit = next((result for result in validated.fits if result.fit.fold is None), None)
    if refit is None:
        raise ModelError(f"expected a trained model '{FUSION}' to export, got none; add it to --models")
    seed = refit.fit.seed
    study = ClipStudy.open(tables)
    folders = []
    for result in validated.fits:
        if result.fit.model != FUSION or result.fit.seed != seed:
            continue
        # Those held back shape a model only where its epoch is chosen on them.
        choosing = result.split.validation if result.fit.protocol.keep == "best" else ()
        used = (*result.split.training, *choosing)
        network = load_network(result.folder / NETWORK_FILE, study.spec.names, result.fit.protocol)
        model = ClipModel(
            network=network,
            spec=study.spec,
            window_frames=result.fit.protocol.n_steps,
            participants=tuple(sorted({trial.participant for trial in used})),
            n_trials=len(used),
            data_digest=study.digest(used),
            simulated=bool(study.simulated.intersection(used)),
        )
        target = models_folder / _model_id(result.fit)
        if target.exists() and not _is_same(model, target):
            shutil.rmtree(target)
        if not target.exists():
            scores = (
                _refit_scores(validated.predictions[seed][FUSION])
                if result.fit.fold is None
                else _fold_scores(result, network, [study.table(trial) for trial in result.split.test])
            )
            export_tingle(
                replace(model, scores=scores),
                models_folder,
                target.name,
                encoder=encoder,
                description=_description(model, result.fit, len(choosing)),
            )
        folders.append(target)
    return folders


def served_agreement(network: FusionBilstm, tables: Sequence[TrialTable], window_frames: int) -> float:
    """Return the share of frames called alike with `SERVED_LOOKAHEAD_FRAMES` ahead and with the whole clip.

    The features of both are the same, so this is what the missing future costs and nothing else.
    """
    alike = []
    for table in tables:
        end = WARMUP_TICKS + table.n_frames
        stops = range(WARMUP_TICKS + SERVED_LOOKAHEAD_FRAMES + 1, end + 1, AGREEMENT_STRIDE)
        served = [
            ServedWindow(max(WARMUP_TICKS, stop - window_frames), stop, tick, tick)
            for stop, tick in ((stop, stop - SERVED_LOOKAHEAD_FRAMES - 1) for stop in stops)
        ]
        whole = [ServedWindow(WARMUP_TICKS, end, WARMUP_TICKS, end - 1)]
        with reproducible(n_threads=1):  # windows one by one: a second thread would only wait
            _, live = served_logits(network, table.sequence, served)
            _, clip = served_logits(network, table.sequence, whole)
        alike.append((live > 0) == (clip[::AGREEMENT_STRIDE][: len(live)] > 0))
    return float(np.mean(np.concatenate(alike)))


def _fold_scores(result: FitResult, network: FusionBilstm, tested: Sequence[TrialTable]) -> dict[str, float]:
    real = result.predictions[0].without_padding()
    counts = Counts.stack([(trial.truth, trial.predicted) for trial in real.trials]).total()
    return {
        "clip_macro_f1": float(macro_f1(counts)),
        "clip_accuracy": float(accuracy(counts)),
        "served_agreement": served_agreement(network, tested, result.fit.protocol.n_steps),
    }


def _refit_scores(predictions: Predictions) -> dict[str, float]:
    """Return the means over the folds: the refit itself has nobody left to test it."""
    real = predictions.without_padding()
    return {
        "folds_clip_macro_f1": mean_and_sd(fold_values(real, macro_f1))[0],
        "folds_clip_accuracy": mean_and_sd(fold_values(real, accuracy))[0],
    }


def _model_id(fit: Fit) -> str:
    part = "all" if fit.fold is None else f"fold{fit.fold}"
    return f"{fit.model}-{fit.protocol.name}-{part}"


def _description(model: ClipModel, fit: Fit, n_choosing: int) -> str:
    kind = "simulated trials" if model.simulated else "trials"
    text = f"{model.n_trials} {kind} of {len(model.participants)} participants"
    if n_choosing:
        text = f"{text}, {n_choosing} of them only to choose the epoch"
    if fit.fold is None:
        return text
    return f"{text}; fold {fit.fold}: tested on {' and '.join(fold_videos(fit.fold))} of others"


def _is_same(model: ClipModel, folder: Path) -> bool:
    """Whether a folder holds this network, trained on these data."""
    try:
        card = read_model_card(folder)
        stored = read_checked_model(folder, card.onnx_sha256)
    except ModelError as error:
        logger.warning("written again: %s", error)
        return False
    content = to_onnx(model.network).SerializeToString(deterministic=True)
    return stored == content and card.training_data.digest == model.data_digest
