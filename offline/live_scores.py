"""What the live model's streaming scores are worth, beside rules that need no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from offline import metrics
from offline.metrics import Counts
from offline.predictions import Predictions
from offline.results import Measured
from offline.tables import TrialTable
from offline.training import TrainedModel, network_scores
from rtasmr.types import TrialId

RULES: dict[str, Callable[[TrialTable], bool]] = {
    "rule_asmr_clip": lambda table: table.trial.is_asmr,
    "rule_always": lambda _: True,
    "rule_never": lambda _: False,
}
"""Rules that know the kind of clip at most; a model has to beat them within ASMR clips."""

METRICS = {
    "accuracy": metrics.accuracy,
    "macro_f1": metrics.macro_f1,
    "balanced_accuracy": metrics.balanced_accuracy,
}


def held_back_probabilities(
    trained: TrainedModel, tables: Sequence[TrialTable]
) -> dict[TrialId, NDArray[np.float32]]:
    """Return the probabilities of every held-back trial, from the members that did not learn from it."""
    p: dict[TrialId, NDArray[np.float32]] = {}
    for table in tables:
        said = [
            network_scores(member.network, trained.config, table)
            for member in trained.members
            if table.trial in member.held_back
        ]
        if said:
            p[table.trial] = np.mean(np.stack(said), axis=0, dtype=np.float32)
    return p


def held_back_scores(trained: TrainedModel, tables: Sequence[TrialTable]) -> dict[str, Measured]:
    """Score a model on the participants that chose its epoch, and every rule beside it.

    The scores are streaming scores of unpadded frames, in percent, over all clips and within ASMR
    clips. They flatter: the same participants chose epoch, calibration and threshold.
    """
    p = held_back_probabilities(trained, tables)
    held_back = [table for table in tables if table.trial in p]
    calls: dict[str, Callable[[TrialTable], NDArray[np.bool_]]] = {
        "live": lambda table: p[table.trial] >= trained.threshold
    }
    for name, rule in RULES.items():
        calls[name] = lambda table, rule=rule: np.full(table.n_frames, rule(table))  # type: ignore[misc]
    people = ", ".join(f"{number:03d}" for number in sorted({trial.participant for trial in p}))
    source = "simulated" if trained.simulated else "recorded"
    note = f"streaming score on {source} participants held back ({people}), who also chose the epoch"
    measured: dict[str, Measured] = {}
    for name, call in calls.items():
        for scope, subset in (("", held_back), ("within_asmr.", [t for t in held_back if t.trial.is_asmr])):
            if not subset:
                continue
            counts = Counts.stack([(table.label, call(table)) for table in subset]).total()
            for metric, function in METRICS.items():
                value = float(function(counts))
                measured[f"{name}.{scope}{metric}"] = Measured(
                    None if np.isnan(value) else 100 * value, unit="%", note=note
                )
    return measured


def validated_scores(predictions: Sequence[Predictions], simulated: bool) -> dict[str, Measured]:
    """Score nested predictions: people and clips that had no part in making the models.

    Streaming scores over all test trials together; ``MODEL.within_asmr.`` counts ASMR clips alone.
    """
    source = "simulated" if simulated else "recorded"
    note = f"streaming score, nested validation, {source} people and clips that no training saw"
    measured: dict[str, Measured] = {}
    for model in predictions:
        for scope, trials in (
            ("", model.trials),
            ("within_asmr.", [trial for trial in model.trials if trial.is_asmr]),
        ):
            counts = Counts.stack([(trial.truth, trial.predicted) for trial in trials]).total()
            values = {metric: float(function(counts)) for metric, function in METRICS.items()}
            truth = np.concatenate([trial.truth for trial in trials])
            values["auc"] = metrics.auc(truth, np.concatenate([trial.p for trial in trials]))
            for metric, value in values.items():
                measured[f"nested.{model.model}.{scope}{metric}"] = Measured(
                    None if np.isnan(value) else 100 * value, unit="%", note=note
                )
    return measured
