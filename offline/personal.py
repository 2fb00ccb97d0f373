"""A short personal calibration: one number per person, from their first minutes of ratings.

People differ in how readily they report a tingle. A shift of the log odds, fitted on a few of their own
rated clips against what others report of the same clips, sets the level and leaves the model as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from offline.tables import TrialTable
from rtasmr.errors import ConfigError
from rtasmr.grid import FIRST_CLIP_DURATION_S, FRAME_RATE_HZ, n_published_frames

PERSONAL = "+personal"
"""Behind a model's name: its predictions after a personal calibration."""

PRIOR_SD = 1.0
"""Of the shift, in log odds: most people lie within a factor of three or so of the average."""

SECONDS_PER_OBSERVATION = 10.0
"""Frames follow each other: about this much of a rating is worth one independent observation."""

_LEAST_P = 1e-6
"""Keeps log odds finite."""


def fit_shift(
    p: NDArray[np.floating], labels: NDArray[np.bool_], frame_s: float = 1 / FRAME_RATE_HZ
) -> float:
    """Return the most probable shift of the log odds, given a normal prior around 0.

    Parameters
    ----------
    p : ndarray of shape (n_frames,)
        What the model said.
    labels : ndarray of shape (n_frames,)
        What the person reported.
    frame_s : float
        Seconds from one frame to the next.
    """
    log_odds = logit(np.clip(p.astype(np.float64), _LEAST_P, 1 - _LEAST_P))
    weight = frame_s / SECONDS_PER_OBSERVATION

    def slope(shift: float) -> float:
        return weight * float((labels - expit(log_odds + shift)).sum()) - shift / PRIOR_SD**2

    # The log posterior is concave, and the labels can pull no further than this: one root lies between.
    furthest = weight * labels.size * PRIOR_SD**2
    return float(brentq(slope, -furthest, furthest))


def shifted(p: NDArray[np.float32], shift: float) -> NDArray[np.float32]:
    """Return probabilities with their log odds moved by ``shift``."""
    log_odds = logit(np.clip(p.astype(np.float64), _LEAST_P, 1 - _LEAST_P)) + shift
    return np.asarray(expit(log_odds), dtype=np.float32)


def applied_shift(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Return by how much log odds were moved: the median over frames with a probability, 0 without any."""
    told = np.isfinite(before) & np.isfinite(after)
    if not told.any():
        return 0.0
    was, now = (logit(np.clip(p[told].astype(np.float64), _LEAST_P, 1 - _LEAST_P)) for p in (before, after))
    return float(np.median(now - was))


def calibration_frames(
    own: Sequence[TrialTable], minutes: float
) -> Mapping[int, Sequence[tuple[TrialTable, int]]]:
    """Return, per participant, the clips that their first minutes of ratings consist of.

    ASMR clips only, as others hold no tingle by definition. Tables do not tell in which order clips were
    shown, but for the first of a session, which is shorter: it comes first, the others by name.

    Returns
    -------
    mapping of int to sequence of (TrialTable, int)
        Clips, and how many of their frames count.

    Raises
    ------
    ConfigError
        If ``minutes`` is not positive.
    """
    if not minutes > 0:
        raise ConfigError(f"--personal: expected more than 0 minutes of ratings, got {minutes:g}")
    first = n_published_frames(FIRST_CLIP_DURATION_S)
    chosen: dict[int, list[tuple[TrialTable, int]]] = {}
    left: dict[int, int] = {}
    for table in sorted(own, key=lambda t: (t.n_frames != first, t.trial)):
        person = table.trial.participant
        n_left = left.setdefault(person, round(60 * minutes * FRAME_RATE_HZ))
        n_used = min(n_left, table.n_frames)
        if table.trial.is_asmr and n_used > 0:
            chosen.setdefault(person, []).append((table, n_used))
            left[person] = n_left - n_used
    return chosen
