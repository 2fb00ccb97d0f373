"""What a runtime that is killed while it records leaves behind."""

from __future__ import annotations

import os

import numpy as np
import pytest
from killed_recordings import GROUP, kill_group, playing_person

pytestmark = [
    pytest.mark.soak,
    pytest.mark.lsl,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's"),
]

BELIEVED_S = 1.0
"""A recording that lost more has another defect than being killed on a busy machine."""


def test_recorder_kills(soak, tiny_home, tmp_path):
    """Fifty runtimes killed at random moments; every recording loads, and repairs."""
    n_groups, rng = max(1, round(50 * soak.scale / GROUP)), soak.rng
    lost_s: list[float] = []
    with playing_person() as person:
        for _ in range(n_groups):
            lost_s += kill_group(tiny_home, tmp_path, person, rng, BELIEVED_S)
    soak.finish(
        {
            "kills, after which the recording loads and repairs": (len(lost_s), "all"),
            "pulse lost, s, median": (float(np.median(lost_s)), ""),
            "pulse lost, s, worst": (max(lost_s), "<= 0.25"),
        }
    )
