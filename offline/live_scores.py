"""What the live model's streaming scores are worth, beside rules that need no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offline import metrics
from offline.caveats import clip_rule, never_rule, pooled_steps
from offline.predictions import Predictions, TrialPrediction
from offline.results import Measured
from offline.scores import asmr_trials
from offline.statistics import trial_counts
from offline.streaming import serving_threshold
from offline.tables import TrialTable
from offline.training import TrainedModel, network_scores
from rtasmr.progress import Report
from rtasmr.types import TrialId

RULES = {"rule_asmr_clip": clip_rule, "rule_always": lambda _: 1.0, "rule_never": never_rule}
"""Rules that know the kind of clip at most; a model has to beat them within ASMR clips."""

METRICS = {
    "accuracy": metrics.accuracy,
    "macro_f1": metrics.macro_f1,
    "balanced_accuracy": metrics.balanced_accuracy,
}


def held_back_probabilities(
    trained: TrainedModel, tables: Sequence[TrialTable], progress: Report | None = None
) -> dict[TrialId, NDArray[np.float32]]:
    """Return the probabilities of every held-back trial, from the members that did not learn from it."""
    p: dict[TrialId, NDArray[np.float32]] = {}
    held_back = [table for table in tables if any(table.trial in m.held_back for m in trained.members)]
    for number, table in enumerate(held_back):
        if progress is not None:
            progress(f"scoring trial {number + 1} of {len(held_back)}", number / len(held_back))
        said = [
            network_scores(member.network, trained.config, table)
            for member in trained.members
            if table.trial in member.held_back
        ]
        p[table.trial] = np.mean(np.stack(said), axis=0, dtype=np.float32)
    return p


def held_back_scores(
    trained: TrainedModel, tables: Sequence[TrialTable], progress: Report | None = None
) -> dict[str, Measured]:
    """Score a model on the participants that chose its epoch, and every rule beside it.

    The scores are streaming scores of unpadded frames, in percent, over all clips and within ASMR
    clips. They flatter: the same participants chose epoch, calibration and threshold.
    """
    p = held_back_probabilities(trained, tables, progress)
    threshold = serving_threshold(trained.threshold)
    said = Predictions(
        "live",
        tuple(
            TrialPrediction(table.trial, 1, p[table.trial], table.rating, table.n_frames, threshold)
            for table in tables
            if table.trial in p
        ),
    )
    people = ", ".join(f"{number:03d}" for number in said.participants)
    source = "simulated" if trained.simulated else "recorded"
    note = f"streaming score on {source} participants held back ({people}), who also chose the epoch"
    models = [said, *(said.with_rule(name, rule) for name, rule in RULES.items())]
    return {key: number for model in models for key, number in _scores(model, model.model, note).items()}


def validated_scores(predictions: Sequence[Predictions], simulated: bool) -> dict[str, Measured]:
    """Score nested predictions: people and clips that had no part in making the models.

    Streaming scores over all test trials together; ``MODEL.within_asmr.`` counts ASMR clips alone.
    """
    source = "simulated" if simulated else "recorded"
    note = f"streaming score, nested validation, {source} people and clips that no training saw"
    return {
        key: number
        for model in predictions
        for key, number in _scores(model, f"nested.{model.model}", note).items()
    }


def _scores(predictions: Predictions, name: str, note: str) -> dict[str, Measured]:
    """Return the scores over all clips and, where there are any, within ASMR clips."""
    measured: dict[str, Measured] = {}
    for scope, model in (("", predictions), ("within_asmr.", asmr_trials(predictions))):
        if not model.trials:
            continue
        counts = trial_counts(model).total()
        values = {metric: float(function(counts)) for metric, function in METRICS.items()}
        values["auc"] = metrics.auc(*pooled_steps(model))
        for metric, value in values.items():
            known = None if np.isnan(value) else 100 * value
            measured[f"{name}.{scope}{metric}"] = Measured(known, unit="%", note=note)
    return measured
