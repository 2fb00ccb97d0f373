"""How often the evaluation claims what is not there, and from which strength on it finds what is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from offline.live_families import family_config
from offline.proof import (
    Learned,
    exchange_pulses,
    judge_study,
    paper_effect,
    proof_study,
    rate_interval,
    tracks_person,
)
from offline.streaming import serving_threshold
from offline.tables import TrialTable
from offline.training import streaming_scores, train
from offline.training_config import TrainingConfig
from offline.verdict import Words

pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * 3600)]

N_PEOPLE = 34
STRENGTHS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
N_GIVERS = 3
"""Studies whose pulses the people of the null studies are given."""

EPOCHS = 12
"""Of the network; its score on the held-back people rises little after."""


def test_false_claims(soak):
    """Independent studies of 34 people, of whom each has the pulse of somebody of another study.

    People, what they report and their clips are drawn anew for every study; the pulses are those of three
    studies, dealt out anew.
    """
    n_studies = max(20, round(300 * soak.scale))
    givers = [proof_study(range(N_PEOPLE), soak.seed + k, 1.0) for k in range(N_GIVERS)]
    rng, n_false = soak.rng, 0
    for k in range(n_studies):
        people = proof_study(range(N_PEOPLE), soak.seed + N_GIVERS + k, None)
        n_false += tracks_person(exchange_pulses(people, rng, givers[k % N_GIVERS]), rng)
    low, high = rate_interval(n_false, n_studies)
    soak.finish(
        {
            "independent null studies": (n_studies, ""),
            "false claims to track the person": (n_false, ""),
            "their rate, exact 95 % interval": (f"{low:.4f} to {high:.4f}", "upper end <= 0.05"),
        }
    )


@pytest.mark.parametrize("strength", STRENGTHS)
def test_power(soak, strength):
    """Share of independent studies of 34 people found to track the person."""
    n_studies = max(1, round(20 * soak.scale))
    n_found = 0
    for k in range(n_studies):
        people = proof_study(range(N_PEOPLE), soak.seed + k, strength)
        n_found += tracks_person(people, np.random.default_rng(soak.seed + k))
    low, high = rate_interval(n_found, n_studies)
    soak.finish(
        {
            "independent studies": (n_studies, ""),
            "found": (n_found, ""),
            "their rate, exact 95 % interval": (f"{low:.2f} to {high:.2f}", ""),
            "d of the paper's test, first study": (paper_effect(range(N_PEOPLE), soak.seed, strength), ""),
        }
    )


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(("scenario", "strength"), [("null", 0.0), ("tingle", 3.0)])
def test_verdict_of_the_network(soak, scenario, strength, number):
    """The published network, on the published folds, on a study without and one with a strong effect."""
    config = family_config(TrainingConfig(epochs=EPOCHS, crops_per_trial=4, device="cpu"), "bilstm")

    def learn(tables: Sequence[TrialTable]) -> Learned:
        trained = train(tables, config, soak.seed)
        threshold = serving_threshold(trained.threshold)
        return Learned(lambda table: streaming_scores(trained, table), threshold)

    people = proof_study(range(N_PEOPLE), soak.seed + number, strength)
    words = judge_study(people, soak.rng, learn=learn, crossed=False).words
    target = f"{'' if strength else 'not '}{Words.PERSON}"
    soak.finish({"verdict": (str(words), target)})
