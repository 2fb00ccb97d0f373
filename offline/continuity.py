"""Sensor continuity: how much of the raw pulse wave is a pulse wave.

The paper names its means, the first derivative of the raw waveform, and what it looks for, disconnects,
clipping and flat lines; it gives no thresholds. Those here are ours. They are set on the raw channel, as the
amplifier's filter turns a flat line into a ringing one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FLAT_S = 0.1
"""A first derivative of exactly 0 for this long is no living finger: converter noise alone ends it."""

CLIPPED_S = 0.01
"""Time at the recording's highest or lowest value that makes it clipped.

The rounded top of a pulse wave of 1 mV stays within one step of the converter for about 2 ms.
"""

JUMP_SHARE = 0.5
"""Step between neighbouring samples, as a share of the recording's 5-95 % range, that no pulse makes.

At 2 kHz the steepest pulse wave moves by about 2 % of its height from sample to sample.
"""


class Fault(StrEnum):
    """Why a sample does not count."""

    MISSING = "missing"
    FLAT = "flat"
    CLIPPED = "clipped"
    JUMP = "jump"


@dataclass(frozen=True, slots=True)
class Continuity:
    """Samples of some stretches and how many of them are lost, by fault.

    A sample with several faults counts under the first of `Fault`.
    """

    n_samples: int
    lost: Mapping[Fault, int]

    @property
    def percent(self) -> float:
        """Samples without fault, in percent; NaN without samples."""
        if self.n_samples == 0:
            return float("nan")
        return 100.0 * (1.0 - sum(self.lost.values()) / self.n_samples)


def find_faults(raw: NDArray[np.floating], sfreq: float) -> dict[Fault, NDArray[np.bool_]]:
    """Return which samples of a whole recording have which fault; each has at most one.

    A flat line marks all its samples, clipping likewise, a jump the sample after it.

    Parameters
    ----------
    raw : ndarray of shape (n_samples,)
        Unfiltered waveform, NaN where the file holds no number.
    sfreq : float
        Rate in Hz.

    Returns
    -------
    dict of Fault to ndarray of shape (n_samples,), bool
    """
    missing = ~np.isfinite(raw)
    found = {Fault.MISSING: missing}
    if missing.all():
        return found | {fault: np.zeros(len(raw), dtype=bool) for fault in list(Fault)[1:]}
    finite = raw[~missing]
    at_end = (raw == finite.min()) | (raw == finite.max())
    step = np.abs(np.diff(raw, prepend=raw[:1]))
    low, high = np.percentile(finite, [5, 95])
    found[Fault.FLAT] = standing(raw, round(FLAT_S * sfreq))
    found[Fault.CLIPPED] = standing(raw, round(CLIPPED_S * sfreq)) & at_end
    found[Fault.JUMP] = step > JUMP_SHARE * (high - low)  # NaN compares false
    taken = np.zeros(len(raw), dtype=bool)
    for fault, mask in found.items():
        found[fault] = mask & ~taken
        taken |= mask
    return found


def standing(values: NDArray[np.floating], n_least: int) -> NDArray[np.bool_]:
    """Return which samples belong to ``n_least`` or more equal ones in a row; NaN equals nothing."""
    edges = np.flatnonzero(np.diff(values) != 0) + 1  # NaN differs
    lengths = np.diff(edges, prepend=0, append=len(values))
    return np.repeat(lengths >= n_least, lengths)


def count_faults(
    faults: Mapping[Fault, NDArray[np.bool_]], stretches: Iterable[tuple[int, int]]
) -> Continuity:
    """Count faults within stretches of a recording.

    Parameters
    ----------
    faults : mapping of Fault to ndarray of shape (n_samples,), bool
    stretches : iterable of (int, int)
        First sample and the one after the last; what lies outside the recording is missing.
    """
    n_samples = 0
    lost = dict.fromkeys(Fault, 0)
    for first, stop in stretches:
        n_samples += stop - first
        inside = slice(max(first, 0), max(stop, 0))
        for fault, mask in faults.items():
            lost[fault] += int(np.count_nonzero(mask[inside]))
        lost[Fault.MISSING] += (stop - first) - len(faults[Fault.MISSING][inside])
    return Continuity(n_samples, lost)


def total(parts: Iterable[Continuity]) -> Continuity:
    """Return several recordings' continuity as one."""
    parts = tuple(parts)
    lost = {fault: sum(part.lost.get(fault, 0) for part in parts) for fault in Fault}
    return Continuity(sum(part.n_samples for part in parts), lost)
