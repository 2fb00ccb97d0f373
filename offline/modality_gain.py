"""What each modality adds to a model: dropped, shifted in time, or, the pulse, exchanged between people.

The model stays as it is; only what it is shown changes. Sound and picture are the same for all who see a
clip, so exchanging them between people changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline.asking import Asker, exchanged, shifted, without
from offline.metrics import Scores
from offline.person_specific import PersonScores
from offline.predictions import Predictions
from offline.rank_scores import RankScores
from offline.resampling import ParticipantBootstrap, holm
from offline.results import Measured
from offline.score_rows import answered_by_all, only_answered
from offline.statistics import N_BOOTSTRAP
from offline.streaming import Serving
from offline.tables import TrialTable
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.types import Modality

SHIFT_S = 20.0
"""Longer than a pulse takes to follow a tingle and than most ratings last, well below a clip's length."""

MAX_EXCHANGES = 3
"""Other people whose pulse each person is shown, at most; their errors are averaged."""

EXCHANGED = "ppg.exchanged"

Change = Callable[[int, TrialTable], TrialTable]


def modality_changes(asker: Asker) -> dict[str, list[Change]]:
    """Return the changes by name, each a list whose errors are averaged."""
    n_shift = round(SHIFT_S * FRAME_RATE_HZ)
    changes: dict[str, list[Change]] = {}
    for modality in asker.modalities():
        changes[f"{modality.value}.dropped"] = [lambda _, table, m=modality: without(table, m)]  # type: ignore[misc]
        changes[f"{modality.value}.shifted"] = [
            lambda _, table, m=modality: shifted(table, m, n_shift)  # type: ignore[misc]
        ]
    n_exchanges = min(MAX_EXCHANGES, asker.n_givers())
    if Modality.PPG in asker.modalities() and n_exchanges > 0:
        changes[EXCHANGED] = [
            lambda fold, table, k=k: exchanged(  # type: ignore[misc]
                table, asker.giver(fold, table.trial, k), Modality.PPG
            )
            for k in range(1, n_exchanges + 1)
        ]
    return changes


def modality_gains(
    asker: Asker,
    rng: np.random.Generator,
    *,
    stride: int,
    n_bootstrap: int = N_BOOTSTRAP,
) -> dict[str, Measured]:
    """Return for each change how much the squared error rises and the AUC falls within ASMR clips.

    The p-values of the squared error are corrected for the number of changes (Holm). A model that asks for a
    modality is asked without it all the same.

    Parameters
    ----------
    asker : Asker
    rng : Generator
    stride : int
        Every how many ticks one is asked about.
    n_bootstrap : int
    """

    def serve(own: Serving) -> Serving:
        return replace(own, requires=frozenset())

    own = asker.ask(serve=serve, stride=stride, asmr_only=True)
    answers: dict[str, list[Predictions]] = {}
    silent: dict[str, Measured] = {}
    for name, variants in modality_changes(asker).items():
        said = [asker.ask(serve=serve, change=one, stride=stride, asmr_only=True) for one in variants]
        if all(only_answered(model).trials for model in said):
            answers[name] = said
        else:
            note = "undefined: without it nothing is left to answer from"
            silent[f"{name}.brier_gain"] = Measured(None, unit="squared error", note=note)
            silent[f"{name}.auc_gain"] = Measured(None, unit="AUC", note=note)
    return gains_of(own, answers, rng, n_bootstrap) | silent


def gains_of(
    own: Predictions,
    answers: Mapping[str, list[Predictions]],
    rng: np.random.Generator,
    n_bootstrap: int = N_BOOTSTRAP,
) -> dict[str, Measured]:
    """Return the gains of predictions over what was said of changed trials.

    Parameters
    ----------
    own : Predictions
    answers : mapping of str to list of Predictions
        By change, the same trials in the same order.
    rng : Generator
    n_bootstrap : int
    """
    # Only moments that all have an answer to, so that every score is of the same moments.
    said = [own, *(model for models in answers.values() for model in models)]
    cut = iter(answered_by_all(said))
    bare = next(cut)
    squares, ranks = PersonScores.of([bare]), RankScores.of(bare.trials)
    interval = ParticipantBootstrap(bare, rng, n_bootstrap)
    found: dict[str, Measured] = {}
    p: dict[str, float] = {}
    for name, models in answers.items():
        changed = [next(cut) for _ in models]
        other, other_ranks = PersonScores.of(changed), [RankScores.of(model.trials) for model in changed]

        def error_rise(weights: NDArray[np.int64], other: PersonScores = other) -> Scores:
            return np.asarray(other.brier(weights) - squares.brier(weights))

        def auc_loss(weights: NDArray[np.int64], others: list[RankScores] = other_ranks) -> Scores:
            return np.asarray(
                ranks.pooled(weights) - np.mean([one.pooled(weights) for one in others], axis=0)
            )

        rise = found[f"{name}.brier_gain"] = interval.tested(error_rise, "squared error")
        if rise.p is not None:
            p[f"{name}.brier_gain"] = rise.p
        found[f"{name}.auc_gain"] = interval(auc_loss, "AUC")
    note = f"error after the change less that before; p after Holm, {len(p)} tests"
    for key, corrected in zip(p, holm(list(p.values())), strict=True):
        found[key] = replace(found[key], p=corrected, note=note)
    return found
