"""Correlations across people: Fisher's transformation, guarded where it has no value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST_R = 1.0 - 1e-6
"""A correlation of 1 would be infinite after Fisher's transformation; it counts as this (z = 7.25)."""


def fisher_z(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Fisher's z, ``arctanh(r)``, of correlations; beyond `LARGEST_R` they count as that."""
    return np.arctanh(np.clip(r, -LARGEST_R, LARGEST_R))


def n_guarded(r: NDArray[np.float64]) -> int:
    """Return how many correlations `fisher_z` had to move."""
    return int(np.count_nonzero(np.abs(r) > LARGEST_R))
