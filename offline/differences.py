"""A model less what stands beside it, person by person: whether it is measurably better.

Both are scored on the same moments with the same draws of participants. Two intervals that overlap say little
about the difference of two scores that the same people gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline.asking import same_order
from offline.metrics import Counts, Scores, balanced_accuracy
from offline.person_specific import PersonScores
from offline.predictions import Predictions
from offline.rank_scores import RankScores
from offline.resampling import ParticipantBootstrap, Score, holm
from offline.results import Measured
from offline.score_rows import AUC, BALANCED, BRIER, WITHIN, answered_by_all
from offline.scores import asmr_trials
from offline.statistics import N_BOOTSTRAP, trial_counts

COMPARED = {BALANCED: "%", WITHIN: "AUC", AUC: "AUC", BRIER: "squared error"}
"""Scores that are compared, with their units."""


def differences(
    own: Predictions, other: Predictions, rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Return the scores of ``own`` less those of ``other`` within ASMR clips, padding left out.

    Each has the p-value of there being no difference, not yet corrected: see `corrected`.

    Parameters
    ----------
    own, other : Predictions
        Of the same trials; a moment counts where both have a probability.
    rng : Generator
    n_bootstrap : int

    Raises
    ------
    DataError
        They are not of the same trials.
    """
    first = asmr_trials(own).without_padding()
    second = same_order(asmr_trials(other).without_padding(), first)
    first, second = answered_by_all([first, second])
    mine, theirs = _scores(first), _scores(second)
    interval = ParticipantBootstrap(first, rng, n_bootstrap)
    note = f"less {other.model}, the same moments and draws of participants"
    found = {}
    for key, unit in COMPARED.items():

        def difference(weights: NDArray[np.int64], key: str = key) -> Scores:
            return np.asarray(mine[key](weights) - theirs[key](weights))

        found[key] = interval.tested(difference, unit, note)
    return found


def corrected(less: Mapping[str, Mapping[str, Measured]]) -> dict[str, dict[str, Measured]]:
    """Return the differences of one model to all that stand beside it, p-values corrected for their number.

    One rule among several is beaten by luck more easily than a given one. Intervals stay those of one
    difference.

    Parameters
    ----------
    less : mapping of str to mapping of str to Measured
        By what stands beside it and score, as `differences` gives them.
    """
    tested = [
        (other, key, n.p) for other, found in less.items() for key, n in found.items() if n.p is not None
    ]
    by_holm = holm([p for *_, p in tested])
    out = {other: dict(found) for other, found in less.items()}
    for (other, key, _), p in zip(tested, by_holm, strict=True):
        told = f"{out[other][key].note}; p after Holm, {len(tested)} differences"
        out[other][key] = replace(out[other][key], p=p, note=told)
    return out


def _scores(predictions: Predictions) -> dict[str, Score]:
    counts, ranks = trial_counts(predictions).to_array(), RankScores.of(predictions.trials)
    return {
        BALANCED: lambda weights: 100 * balanced_accuracy(Counts.from_array(weights @ counts)),
        WITHIN: ranks.within_trial,
        AUC: ranks.pooled,
        BRIER: PersonScores.of([predictions]).brier,
    }
