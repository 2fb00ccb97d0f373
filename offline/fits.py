"""Units of work of a cross-validation: one model, one seed, one fold; each kept once it is finished."""

from __future__ import annotations

import json
import logging
import math
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.bilstm import FusionBilstm
from offline.atomic import replacing
from offline.cache import content_key
from offline.clip_study import ClipStudy
from offline.clip_training import ClipBilstm, build_network, reproducible
from offline.epochs import EpochRecord
from offline.estimators import FUSION, XGBOOST, columns_of, make_estimator
from offline.padded import PaddedClip, exchange_columns, pad_clip
from offline.predictions import Predictions, TrialPrediction, load_predictions, save_predictions
from offline.protocols import Protocol, Split, split_fold, split_nothing
from rtasmr.errors import DataError, RtasmrError
from rtasmr.types import Modality, TrialId

logger = logging.getLogger(__name__)

FIT_VERSION = 1
"""Raised whenever our own code changes a prediction."""

MAX_SHUFFLES = 7
"""Exchanges of pulses that the fusion model is asked about, at most; the published folds allow as many."""

_PREDICTIONS = "predictions.npz"
_NETWORK = "network.npz"
_RECORD = "record.json"

_TREES_DEPEND_ON = ("n_steps",)
_NAMES_NOTHING = ("name",)


@dataclass(frozen=True)
class Fit:
    """One training run and what it is asked afterwards.

    Parameters
    ----------
    model : str
        Name in `offline.estimators.MODALITIES`.
    protocol : Protocol
    seed : int
    fold : int or None
        1 to 4; None trains on everything and tests nothing.
    """

    model: str
    protocol: Protocol
    seed: int
    fold: int | None

    def __str__(self) -> str:
        where = "all trials" if self.fold is None else f"fold {self.fold}"
        return f"{self.model}, {self.protocol.name}, {where}, seed {self.seed}"

    @property
    def is_deterministic(self) -> bool:
        """Whether the seed changes nothing: the published trees draw nothing at random."""
        return self.model == XGBOOST

    def split(self, trials: Sequence[TrialId]) -> Split:
        """Return who trains and who is tested."""
        if self.fold is None:
            return split_nothing(trials)
        return split_fold(trials, self.fold, self.protocol, self.seed, hold_back=self.model != XGBOOST)

    def folder_name(self, tables_digest: str, device: str) -> str:
        """Return a name that changes with everything that shapes the result."""
        settings = {field.name: getattr(self.protocol, field.name) for field in fields(self.protocol)}
        libraries = ("numpy", "torch")
        if self.is_deterministic:
            settings = {name: settings[name] for name in _TREES_DEPEND_ON}
            libraries = ("numpy", "xgboost")
        settings = {name: value for name, value in settings.items() if name not in _NAMES_NOTHING}
        content = {
            "version": FIT_VERSION,
            "libraries": {name: _version(name) for name in libraries},
            "tables": tables_digest,
            "model": self.model,
            "settings": settings,
            "seed": None if self.is_deterministic else self.seed,
            "fold": self.fold,
            "device": "cpu" if self.is_deterministic else device,
        }
        fold = "all" if self.fold is None else f"fold{self.fold}"
        return f"{self.model}-{fold}-{content_key(content)[:24]}"


@dataclass(frozen=True, eq=False)
class FitResult:
    """What a finished unit left in its folder.

    Parameters
    ----------
    fit : Fit
    folder : Path
    predictions : tuple of Predictions
        The model's on its test trials, then the fusion model's with exchanged pulses; empty without test.
    split : Split
    kept_epoch : int or None
        Epoch of the weights; None for trees.
    history : tuple of EpochRecord
    """

    fit: Fit
    folder: Path
    predictions: tuple[Predictions, ...]
    split: Split
    kept_epoch: int | None
    history: tuple[EpochRecord, ...]

    def network(self, names: tuple[str, ...]) -> FusionBilstm:
        """Return the trained network of the fusion model, in evaluation mode.

        Parameters
        ----------
        names : tuple of str
            Columns of the tables.
        """
        network = build_network(names, self.fit.protocol)
        with np.load(self.folder / _NETWORK, allow_pickle=False) as archive:
            network.load_state_dict({name: torch.from_numpy(archive[name]) for name in archive.files})
        return network.eval()


def compute_fit(
    fit: Fit,
    study: ClipStudy,
    folder: Path,
    device: torch.device,
    n_threads: int,
    on_share: Callable[[float], None],
) -> None:
    """Train, predict, and write the unit's folder; its record comes last and marks it as finished.

    Raises
    ------
    RtasmrError
        The unit can not be computed; the message names it.
    """
    started, cpu_before = time.perf_counter(), time.process_time()
    try:
        spec = study.spec
        columns = columns_of(fit.model, spec)
        split = fit.split(study.trials)
        training, validation, test = (
            [pad_clip(study.table(trial), columns, fit.protocol.n_steps) for trial in trials]
            for trials in (split.training, split.validation, split.test)
        )
        estimator = make_estimator(
            fit.model,
            tuple(spec.names[column] for column in columns),
            fit.protocol,
            fit.seed,
            device,
            n_threads,
            lambda record: on_share(record.epoch / record.n_epochs),
        )
        with reproducible(n_threads):
            estimator.fit(training, validation)
            predictions = [_predictions(fit.model, fit, test, estimator.predict_proba(test))]
            if fit.model == FUSION:
                pulse = np.flatnonzero(np.isin(columns, spec.columns(Modality.PPG)))
                for shift in range(1, _n_shuffles(test, pulse) + 1):
                    asked = exchange_columns(test, pulse, shift)
                    answer = estimator.predict_proba(asked)
                    predictions.append(_predictions(shuffled_name(shift), fit, test, answer))
    except RtasmrError as error:
        raise type(error)(f"{fit}: {error}") from error
    record: dict[str, object] = {"fit": str(fit), "kept_epoch": None, "history": []}
    try:
        if isinstance(estimator, ClipBilstm):
            record["kept_epoch"] = estimator.kept_epoch_
            record["history"] = [
                [one.loss, None if math.isnan(one.macro_f1) else one.macro_f1] for one in estimator.history_
            ]
            if fit.model == FUSION:
                with replacing(folder / _NETWORK) as part:
                    state = estimator.network_.state_dict()
                    np.savez(part, **{name: tensor.numpy() for name, tensor in state.items()})
        if test:
            save_predictions(folder / _PREDICTIONS, predictions)
        record["wall_s"] = round(time.perf_counter() - started, 2)
        record["cpu_s"] = round(time.process_time() - cpu_before, 2)
        with replacing(folder / _RECORD) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{folder}: can not be written ({error.strerror}); make room or name another --out, finished "
            "work is kept"
        ) from error


def load_fit(fit: Fit, folder: Path, trials: Sequence[TrialId]) -> FitResult | None:
    """Return a finished unit, or None where there is none or it is damaged."""
    if not (folder / _RECORD).is_file():
        return None
    split = fit.split(trials)
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        predictions = tuple(load_predictions(folder / _PREDICTIONS).values()) if split.test else ()
        if fit.model == FUSION and not zipfile.is_zipfile(folder / _NETWORK):
            raise DataError(f"{_NETWORK} is not there or damaged")
        history = tuple(
            EpochRecord(epoch, len(record["history"]), loss, math.nan if f1 is None else f1)
            for epoch, (loss, f1) in enumerate(record["history"], start=1)
        )
        return FitResult(fit, folder, predictions, split, record["kept_epoch"], history)
    except (DataError, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: a damaged result (%s); computed again", folder, error)
        return None


def shuffled_name(shift: int) -> str:
    """Return the name of the fusion model's predictions with pulses exchanged by ``shift`` participants."""
    return f"{FUSION}_shuffled_ppg{shift}"


def _n_shuffles(test: Sequence[PaddedClip], pulse: NDArray[np.intp]) -> int:
    """Return how many shifts leave nobody with their own pulse."""
    if pulse.size == 0 or not test:
        return 0
    return min(MAX_SHUFFLES, min(Counter(clip.trial.video for clip in test).values()) - 1)


def _predictions(
    model: str, fit: Fit, clips: Sequence[PaddedClip], answers: Sequence[NDArray[np.float32]]
) -> Predictions:
    assert fit.fold is not None or not clips  # without a fold nothing is tested
    return Predictions(
        model,
        tuple(
            TrialPrediction(clip.trial, fit.fold or 0, p, clip.rating, clip.n_real)
            for clip, p in zip(clips, answers, strict=True)
        ),
    )


@cache
def _version(distribution: str) -> str:
    return version(distribution)
