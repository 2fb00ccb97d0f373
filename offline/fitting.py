"""Computing one unit of a cross-validation: train, predict, write."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.atomic import not_written, replacing
from offline.clip_study import ClipStudy
from offline.compared import FUSION, columns_of, shuffled_name
from offline.device import Device
from offline.estimators import make_estimator
from offline.fits import (
    MAX_SHUFFLES,
    NETWORK_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    Fit,
)
from offline.padded import PaddedClip, exchange_columns, pad_clip
from offline.predictions import Predictions, TrialPrediction, save_predictions
from rtasmr.errors import DataError, RtasmrError
from rtasmr.types import Modality


def compute_fit(
    fit: Fit,
    study: ClipStudy,
    folder: Path,
    device: Device,
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
        estimator.fit(training, validation)
        predictions = [_predictions(fit.model, fit, test, estimator.predict_proba(test))]
        if fit.model == FUSION:
            pulse = np.flatnonzero(np.isin(columns, spec.columns(Modality.PPG)))
            for shift in range(1, _n_shuffles(test, pulse) + 1):
                asked = exchange_columns(test, pulse, shift)
                answer = estimator.predict_proba(asked)
                predictions.append(_predictions(shuffled_name(fit.model, shift), fit, test, answer))
    except RtasmrError as error:
        raise type(error)(f"{fit}: {error}") from error
    record: dict[str, object] = {
        "fit": str(fit),
        "kept_epoch": estimator.kept_epoch_,
        "history": [
            [one.loss, None if math.isnan(one.macro_f1) else one.macro_f1] for one in estimator.history_
        ],
    }
    try:
        if fit.model == FUSION:
            with replacing(folder / NETWORK_FILE) as part:
                arrays: dict[str, Any] = {**estimator.weights()}
                np.savez(part, **arrays)
        if test:
            save_predictions(folder / PREDICTIONS_FILE, predictions, study.origin)
        record["wall_s"] = round(time.perf_counter() - started, 2)
        record["cpu_s"] = round(time.process_time() - cpu_before, 2)
        with replacing(folder / RECORD_FILE) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(not_written(folder, error, "another --out, finished work is kept")) from error


def _n_shuffles(test: Sequence[PaddedClip], pulse: NDArray[np.intp]) -> int:
    """Return how many shifts leave nobody with their own pulse, of those who have a valid one."""
    with_pulse = Counter(clip.trial.video for clip in test if clip.has_pulse)
    if pulse.size == 0 or not with_pulse:
        return 0
    return min(MAX_SHUFFLES, min(with_pulse.values()) - 1)


def _predictions(
    model: str, fit: Fit, clips: Sequence[PaddedClip], answers: Sequence[NDArray[np.float32]]
) -> Predictions:
    assert fit.fold is not None or not clips  # without a fold nothing is tested
    return Predictions(
        model,
        tuple(
            TrialPrediction(
                clip.trial,
                fit.fold or 0,
                p,
                clip.rating,
                clip.n_real,
                has_pulse=clip.has_pulse,
                n_blind=clip.n_blind,
            )
            for clip, p in zip(clips, answers, strict=True)
        ),
    )
