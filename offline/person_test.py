"""Whether predictions belong to the person they were made for: an exact test by exchanging people.

Within one clip and one fold the same model judged people who saw and heard the same. If what it says is not
about the person, it might as well have been said of another of them. So each person is given the predictions
that were made for another, in all clips at once, as what a person says of several clips hangs together. What
all share and what lasts through a trial is taken away first (`person_specific`): neither the clip's typical
course nor a person's level can make the statistic large.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.person_specific import own_part
from offline.predictions import TrialPrediction

N_EXCHANGES = 9999

_TIE = 1e-9
"""Relative distance below which two sums of the same numbers in another order are equal."""


@dataclass(frozen=True, slots=True)
class PersonTest:
    """Result of exchanging people.

    Parameters
    ----------
    p : float or None
        One-sided p-value, (count + 1) / (n + 1); None where nobody could be exchanged or nothing varies.
    n_people : int
        People who were exchanged.
    n_possible : float
        Different ways to exchange them, their own place included; ``p`` can not fall below its inverse.
    """

    p: float | None
    n_people: int
    n_possible: float


def exchange_groups(trials: Sequence[TrialPrediction]) -> list[tuple[int, ...]]:
    """Return the sets of participants who stand for each other: same folds, same clips."""
    seen: defaultdict[int, set[tuple[int, str]]] = defaultdict(set)
    for trial in trials:
        seen[trial.trial.participant].add((trial.fold, trial.trial.video))
    groups: defaultdict[frozenset[tuple[int, str]], list[int]] = defaultdict(list)
    for participant in sorted(seen):
        groups[frozenset(seen[participant])].append(participant)
    return [tuple(people) for people in groups.values() if len(people) > 1]


def person_test(
    trials: Sequence[TrialPrediction], rng: np.random.Generator, n_exchanges: int = N_EXCHANGES
) -> PersonTest:
    """Test whether people's predictions follow their own reports better than each other's.

    Parameters
    ----------
    trials : sequence of TrialPrediction
        ASMR trials, every step with a probability; those of one clip and fold are cut to the shortest.
    rng : Generator
    n_exchanges : int
    """
    groups = exchange_groups(trials)
    possible = math.prod(float(math.factorial(len(people))) for people in groups)
    n_people = sum(len(people) for people in groups)
    products = [_agreement(trials, people) for people in groups]
    if not any(np.ptp(product) > 0 for product in products):
        return PersonTest(None, n_people, possible)
    observed = sum(float(np.trace(product)) for product in products)
    null = np.zeros(n_exchanges)
    for product in products:
        people = np.arange(len(product))
        orders = rng.permuted(np.tile(people, (n_exchanges, 1)), axis=1)
        null += product[orders, people].sum(axis=1)
    scale = sum(float(np.abs(product).sum()) for product in products)
    n_at_least = int(np.count_nonzero(null >= observed - _TIE * scale))
    return PersonTest((n_at_least + 1) / (n_exchanges + 1), n_people, possible)


def _agreement(trials: Sequence[TrialPrediction], people: Sequence[int]) -> NDArray[np.float64]:
    """Return the sum over clips of what is said of one person times what another reports.

    Shape (n_people, n_people), both less what all share and each trial's mean.
    """
    total = np.zeros((len(people), len(people)))
    by_clip = itertools.groupby(
        sorted((trial for trial in trials if trial.trial.participant in people), key=_clip), key=_clip
    )
    for _, same_clip in by_clip:
        of = {trial.trial.participant: trial for trial in same_clip}
        n_steps = min(trial.p.size for trial in of.values())
        said = own_part(np.stack([of[person].p[:n_steps] for person in people]).astype(np.float64))
        felt = own_part(np.stack([of[person].truth[:n_steps] for person in people]).astype(np.float64))
        total += said @ felt.T
    return total


def _clip(trial: TrialPrediction) -> tuple[str, int]:
    return trial.trial.video, trial.fold
