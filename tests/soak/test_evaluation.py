"""How often the evaluation claims what is not there, and from which strength on it finds what is."""

from __future__ import annotations

import numpy as np
import pytest

from offline.proof import exchange_pulses, proof_study, rate_interval, renumbered, tracks_person

pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * 3600)]

N_PEOPLE = 34
STRENGTHS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
N_DIVISIONS = 10
"""Ways in which the people of one study are divided into folds; they share people, so count for less."""


def test_false_claims(soak):
    """34 people of whom each has the pulse of somebody drawn at random, drawn and divided into folds anew.

    The interval is over these draws of one simulated study, not over studies.
    """
    n_studies = max(20, round(300 * soak.scale))
    people = proof_study(range(N_PEOPLE), soak.seed, 1.0)
    rng, n_false = soak.rng, 0
    for _ in range(n_studies):
        n_false += tracks_person(exchange_pulses(renumbered(people, rng), rng), rng)
    low, high = rate_interval(n_false, n_studies)
    soak.finish(
        {
            "null studies": (n_studies, ""),
            "false claims to track the person": (n_false, ""),
            "their rate, exact 95 % interval": (f"{low:.4f} to {high:.4f}", "upper end <= 0.05"),
        }
    )


def test_power(soak):
    """Share of studies of 34 people found to track the person, against the strength of the effect."""
    n_studies = max(1, round(5 * soak.scale))
    rng = soak.rng
    figures = {"studies per strength": (n_studies, ""), "divisions of each": (N_DIVISIONS, "")}
    for strength in STRENGTHS:
        found = []
        for k in range(n_studies):
            people = proof_study(range(N_PEOPLE), soak.seed + k, strength)
            found += [tracks_person(renumbered(people, rng), rng) for _ in range(N_DIVISIONS)]
        figures[f"found at strength {strength:g}"] = (float(np.mean(found)), "")
    soak.finish(figures)
