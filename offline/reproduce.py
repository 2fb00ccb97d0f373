"""The paper's numbers from saved predictions: no data set, no training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offline.caveats import caveats
from offline.compared import (
    AUDIO_ONLY,
    AUDIO_VIDEO,
    BASELINES,
    FUSION,
    PPG_ONLY,
    VIDEO_ONLY,
    unshuffled_name,
)
from offline.comparison import compile_results
from offline.finishing import write_everything
from offline.labels import short_label
from offline.metrics import macro_f1
from offline.predictions import Predictions, load_origin, load_predictions, load_published
from offline.pulse_gain import measure_pulse_gain
from offline.results import Measured, Results, paper_fold_macro_f1
from offline.scores import clip_level, fold_scores, frame_level, pooled_scores
from offline.statistics import (
    N_BOOTSTRAP,
    N_PERMUTATIONS,
    VIDEO_LEVEL_SHARE,
    fold_values,
    paired_bootstrap_p,
    paired_t_p,
    sign_flip_p,
)
from offline.time_course import time_course
from offline.tinglegram import FIGURE_6_PARTICIPANT, draw_tinglegram, figure_6_trials
from offline.variation import variation
from rtasmr.errors import DataError

SEED = 42
"""The paper's seed."""

ABLATIONS = (VIDEO_ONLY, AUDIO_ONLY)

FEWEST_FOLDS = 2
"""Of one fold models can not be compared."""


def reproduce_predictions(predictions: Path, out: Path, seed: int = SEED) -> Results:
    """Compute every number of the paper that saved predictions can give, and write them.

    Parameters
    ----------
    predictions : Path
        The authors' ``.pkl`` of their fusion model, or a ``predictions.npz`` of ours with a model
        ``fusion`` and, if there, ``video_only``, ``audio_only`` and ``xgboost``.
    out : Path
        Folder for ``results.json``, ``tables.csv``, ``config.toml``, ``predictions.npz``, ``report.html``
        and ``figures``.
    seed : int
        Seed of bootstrap and permutation.

    Raises
    ------
    DataError
        The file is missing or unfit.
    """
    published = predictions.suffix.lower() in (".pkl", ".pickle")
    models = {FUSION: load_published(predictions)} if published else load_predictions(predictions)
    origin = {"published": True} if published else load_origin(predictions)
    measured = measure_models(models, np.random.default_rng(seed), published=bool(origin.get("published")))
    measured |= draw_figure_6(models[FUSION], out, short_label(origin))
    config: dict[str, Any] = {
        **origin,
        "command": "reproduce --predictions",
        "predictions": predictions.name,
        "predictions_sha256": hashlib.sha256(predictions.read_bytes()).hexdigest(),
        "models": list(models),
        "tested_folds": list(models[FUSION].folds),
        "seed": seed,
        "n_bootstrap": N_BOOTSTRAP,
        "n_permutations": N_PERMUTATIONS,
        "video_level_share": VIDEO_LEVEL_SHARE,
    }
    results = compile_results(
        measured,
        config,
        reason="needs more than these predictions; 'offline reproduce DATA' computes it",
    )
    write_everything(results, out, models, origin)
    return results


def measure_models(
    models: Mapping[str, Predictions], rng: np.random.Generator, *, published: bool = False
) -> dict[str, Measured]:
    """Return all numbers that test predictions can give, by id.

    Table 1, the video level and the caveats come from the model ``fusion``; Table 2 and the XGBoost
    line from those of the other models that are there. Beside the authors' own predictions (``published``)
    their printed fold scores stand in for the ablations. Each analysis draws from a generator of its
    own, so adding one changes no other.
    """
    if FUSION not in models:
        raise DataError(
            f"expected predictions of a model {FUSION!r}, got {', '.join(models) or 'none'}; name one so"
        )
    fusion = models[FUSION]
    frame_rng, clip_rng, caveat_rng, pulse_rng, course_rng = rng.spawn(5)
    found = {f"table1.{name}": number for name, number in frame_level(fusion, frame_rng).items()}
    found |= {f"video_level.{name}": number for name, number in clip_level(fusion, clip_rng).items()}
    found |= {f"caveat.pooled.{name}": number for name, number in pooled_scores(fusion).items()}
    for name, prefix in BASELINES.items():
        if name in models:
            found |= {f"{prefix}.{key}": number for key, number in fold_scores(models[name]).items()}
    for name in ABLATIONS:
        if published or name in models:
            found |= compare_with_fusion(models, name)
    if AUDIO_VIDEO in models:
        found |= compare_with_fusion(models, AUDIO_VIDEO)
    found |= caveats(fusion, caveat_rng) | variation(fusion)
    found |= time_course(fusion, FIGURE_6_PARTICIPANT, course_rng)
    return found | measure_pulse_gain(
        fusion,
        pulse_rng,
        shuffled=[model for name, model in models.items() if unshuffled_name(name) == FUSION],
        pulse_only=models.get(PPG_ONLY),
        without_pulse=models.get(AUDIO_VIDEO),
    )


def compare_with_fusion(models: Mapping[str, Predictions], ablation: str) -> dict[str, Measured]:
    """Return the tests that the fusion model's fold macro F1 exceeds an ablation's.

    Where the ablation's predictions are absent, both sides are the fold scores that the authors print.
    """
    if ablation in models:
        first = fold_values(models[FUSION], macro_f1).tolist()
        second = fold_values(models[ablation], macro_f1).tolist()
        source = "fold scores of these predictions"
    else:
        first, second = paper_fold_macro_f1(FUSION), paper_fold_macro_f1(ablation)
        source = "the authors' printed fold scores"
    p_id, flip_id, t_id = (
        f"{BASELINES[ablation]}.p_vs_fusion",
        f"caveat.{ablation}.sign_flip_p",
        f"caveat.{ablation}.paired_t_p",
    )
    if len(first) < FEWEST_FOLDS:
        told = f"needs {FEWEST_FOLDS} folds to compare models, got {len(first)}"
        return dict.fromkeys((p_id, flip_id, t_id), Measured(None, unit="p", note=told))
    n_resamples = len(first) ** len(first)
    p, t_test = paired_bootstrap_p(first, second), paired_t_p(first, second)
    told = f"exact: {round(p * n_resamples)} of {n_resamples} resamples, from {source}"
    return {
        p_id: Measured(p, unit="p", note=told),
        flip_id: Measured(sign_flip_p(first, second), unit="p", note=f"exact, one-sided, from {source}"),
        t_id: Measured(
            t_test,
            unit="p",
            note=f"one-sided, from {source}"
            if t_test is not None
            else "undefined: the difference is the same in every fold",
        ),
    }


def draw_figure_6(fusion: Predictions, out: Path, note: str) -> dict[str, Measured]:
    """Draw the trials of figure 6, or those in its place, to ``figures/figure6.png``."""
    trials = figure_6_trials(fusion)
    participant = trials[0].trial.participant
    instead = "" if participant == FIGURE_6_PARTICIPANT else f"_participant{participant:03d}"
    path = f"figures/figure6{instead}.png"
    draw_tinglegram(trials, out / path, note)
    return {"figure6": Measured(None, note=path)}
