"""Simulated people: what they feel at every moment and which keys they press about it.

Everything here is the same in both scenarios; only the pulse (`offline.simulation.pulse`) differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.simulation.processes import slow_noise, smoothed
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.presentation_log import LOG_UNITS_PER_S, MAX_LEVEL

ASMR_APPEAL = {"vid1": -0.75, "vid2": 0.55, "vid3": -0.42, "vid4": -0.80}
"""How much more a clip tingles than its drive says, in rating levels; sets the responder rates."""
DRIVE_GAIN = {"vid1": 1.6, "vid2": 2.0, "vid3": 1.45, "vid4": 1.5}
"""Rating levels between the weakest and the strongest moment of a clip; sets the agreement."""

NON_RESPONDER_RATE = 0.03
NON_RESPONDER_DROP = 6.0
PERSON_SD = 0.55
TRIAL_SD = 0.95
SLOW_SD = 0.75
SLOW_TIME_S = 15.0
PLEASANT_LEVEL, PLEASANT_SD, PLEASANT_GAIN = 1.5, 0.45, 0.5

HYSTERESIS = 0.2
"""Levels by which a feeling must pass a rating's border before a key is pressed."""
REPEATED_PRESS_SHARE = 0.25
REPEATED_PRESS_UNITS = 1200
"""People and keyboards repeat a key; the second stroke comes 120 ms later."""
BOUNDARY_SHARE = 0.12
"""Share of clips with a stroke on an exact boundary: warm-up end, clip end, or a tick."""


@dataclass(frozen=True, slots=True)
class Person:
    """What stays with a person over all clips.

    Parameters
    ----------
    sensitivity : float
        Rating levels above the average person.
    is_responder : bool
        Whether the person feels tingles at all.
    rise_s : float
        Time constant with which a feeling follows the stimulus, in seconds.
    reaction_s : float
        From feeling to key, in seconds.
    patience_s : float
        Shortest time between two changes of the rating, in seconds.
    """

    sensitivity: float
    is_responder: bool
    rise_s: float
    reaction_s: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class Stroke:
    """One key stroke: log units (0.1 ms) since the clip's start and key code 1 to 4."""

    offset: int
    code: int


def draw_person(rng: np.random.Generator) -> Person:
    """Return a random person."""
    return Person(
        sensitivity=PERSON_SD * rng.standard_normal(),
        is_responder=bool(rng.random() >= NON_RESPONDER_RATE),
        rise_s=rng.uniform(1.0, 4.0),
        reaction_s=rng.uniform(0.7, 1.8),
        patience_s=rng.uniform(2.0, 5.0),
    )


def tingle_intensity(
    person: Person, video: str, drive: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return how strong the tingle is during an ASMR clip, 0 (none) to 3 (very), at 10 Hz.

    The sum of the clip's appeal, its drive smoothed by the person's ``rise_s``, the person's sensitivity, a
    deviation of this trial and a slow component of the person's own.

    Parameters
    ----------
    drive : ndarray of shape (n_ticks,)

    Returns
    -------
    ndarray of shape (n_ticks,)
    """
    offset = ASMR_APPEAL[video] + person.sensitivity + TRIAL_SD * rng.standard_normal()
    if not person.is_responder:
        offset -= NON_RESPONDER_DROP
    felt = DRIVE_GAIN[video] * smoothed(drive, person.rise_s)
    return np.clip(offset + felt + slow_noise(len(drive), SLOW_SD, SLOW_TIME_S, rng), 0.0, MAX_LEVEL)


def pleasantness(person: Person, drive: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how pleasant a nature clip is, 0 to 3, at 10 Hz; shape (n_ticks,)."""
    offset = PLEASANT_LEVEL + 0.5 * person.sensitivity + PLEASANT_SD * rng.standard_normal()
    felt = PLEASANT_GAIN * (smoothed(drive, person.rise_s) - 0.5)
    # Pleasure sets in within the first seconds, from nothing.
    onset = 1.0 - np.exp(-np.arange(len(drive)) / FRAME_RATE_HZ / 1.5)
    feeling = onset * (offset + felt) + slow_noise(len(drive), 0.3, SLOW_TIME_S, rng)
    return np.clip(feeling, 0.0, MAX_LEVEL)


def key_strokes(
    person: Person,
    feeling: NDArray[np.float64],
    duration_units: int,
    rng: np.random.Generator,
    lag_s: float = 0.0,
) -> list[Stroke]:
    """Return the strokes with which a person reports a feeling, in order of time.

    A stroke follows a feeling that left its rating (rounded, with hysteresis) by ``reaction_s``; after one
    the person waits ``patience_s``. A quarter of the strokes is doubled, and now and then one lies exactly
    on a boundary of the analysis, where a sloppy reader errs.

    Parameters
    ----------
    feeling : ndarray of shape (n_ticks,)
        0 to 3, from the clip's start.
    duration_units : int
        Length of the clip in log units; later strokes are left out.
    lag_s : float
        Added to the person's ``reaction_s``.
    """
    strokes: list[Stroke] = []
    units_per_tick = LOG_UNITS_PER_S // FRAME_RATE_HZ
    level = 0
    earliest = 0.0
    for tick, value in enumerate(feeling):
        reported_s = tick / FRAME_RATE_HZ + person.reaction_s + lag_s
        if reported_s < earliest or abs(value - level) <= 0.5 + HYSTERESIS:
            continue
        level = int(np.clip(np.rint(value), 0, MAX_LEVEL))
        earliest = reported_s + person.patience_s
        offset = round(reported_s * LOG_UNITS_PER_S) + int(rng.integers(units_per_tick))
        strokes.append(Stroke(offset, level + 1))
        if rng.random() < REPEATED_PRESS_SHARE:
            strokes.append(Stroke(offset + REPEATED_PRESS_UNITS, level + 1))
    if rng.random() < BOUNDARY_SHARE:
        strokes.extend(_boundary_strokes(strokes, duration_units, rng))
    return sorted((s for s in strokes if s.offset <= duration_units), key=lambda stroke: stroke.offset)


def _boundary_strokes(strokes: list[Stroke], duration_units: int, rng: np.random.Generator) -> list[Stroke]:
    """Return a stroke at the end of the warm-up, at the clip's end, or two at once on a tick."""
    level = strokes[-1].code if strokes else 1
    other = 1 + level % (MAX_LEVEL + 1)
    kind = rng.integers(3)
    if kind == 0:
        return [Stroke(5 * LOG_UNITS_PER_S, other)]
    if kind == 1:
        return [Stroke(duration_units, other)]
    at = int(rng.integers(100, 500)) * (LOG_UNITS_PER_S // FRAME_RATE_HZ)
    return [Stroke(at, other), Stroke(at, level)]
