"""Units of work of a cross-validation: one model, one seed, one fold; each kept once it is finished."""

from __future__ import annotations

import json
import logging
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path

from offline.cache import content_key
from offline.compared import AUDIO_ONLY, AUDIO_VIDEO, FUSION, PPG_ONLY, VIDEO_ONLY, XGBOOST
from offline.epochs import EpochRecord
from offline.predictions import Predictions, load_predictions
from offline.protocols import Protocol, Split, split_fold, split_nothing
from rtasmr.errors import DataError
from rtasmr.types import TrialId

logger = logging.getLogger(__name__)

FIT_VERSION = 2
"""Raised whenever our own code changes a prediction or what is kept of it."""

MAX_SHUFFLES = 7
"""Exchanges of pulses that the fusion model is asked about, at most; the published folds allow as many."""

PREDICTIONS_FILE = "predictions.npz"
NETWORK_FILE = "network.npz"
RECORD_FILE = "record.json"
"""Written last: a folder without it holds nothing finished."""

_COSTS: Mapping[str, float] = {
    FUSION: 1.0,
    AUDIO_VIDEO: 1.0,
    VIDEO_ONLY: 0.8,
    AUDIO_ONLY: 0.55,
    PPG_ONLY: 0.45,
    XGBOOST: 0.13,
}
"""CPU time of one fold beside the fusion model's, at 35 epochs."""
_COST_OF_REFIT = 16 / 9
"""A refit sees all participants and all eight clips, a fold three quarters of both."""

_TREES_DEPEND_ON = ("n_steps",)
_NAMES_NOTHING = ("name",)


@dataclass(frozen=True)
class Fit:
    """One training run and what it is asked afterwards.

    Parameters
    ----------
    model : str
        Name in `offline.compared.MODALITIES`.
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

    @property
    def cost(self) -> float:
        """CPU time it takes, as a multiple of one fold of the fusion model: how long there is to go."""
        return _COSTS[self.model] * (_COST_OF_REFIT if self.fold is None else 1.0)

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


def load_fit(fit: Fit, folder: Path, trials: Sequence[TrialId]) -> FitResult | None:
    """Return a finished unit, or None where there is none or it is damaged."""
    if not (folder / RECORD_FILE).is_file():
        return None
    split = fit.split(trials)
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        predictions = tuple(load_predictions(folder / PREDICTIONS_FILE).values()) if split.test else ()
        if fit.model == FUSION and not zipfile.is_zipfile(folder / NETWORK_FILE):
            raise DataError(f"{NETWORK_FILE} is not there or damaged")
        history = tuple(
            EpochRecord(epoch, len(record["history"]), loss, math.nan if f1 is None else f1)
            for epoch, (loss, f1) in enumerate(record["history"], start=1)
        )
        return FitResult(fit, folder, predictions, split, record["kept_epoch"], history)
    except (DataError, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: a damaged result (%s); computed again", folder, error)
        return None


@cache
def _version(distribution: str) -> str:
    return version(distribution)
