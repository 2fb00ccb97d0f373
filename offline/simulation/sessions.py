"""One participant's simulated session before it is written: what is shown, felt and pressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.simulation.pulse import N_TICKS
from offline.simulation.response import Stroke, draw_person, key_strokes, pleasantness, tingle_intensity
from offline.simulation.schedule import SessionPlan, plan_session
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.presentation_log import LOG_UNITS_PER_S
from rtasmr.types import ASMR_VIDEOS


@dataclass(frozen=True, slots=True)
class Session:
    """A participant's session.

    Parameters
    ----------
    plan : SessionPlan
    feelings : mapping of str to ndarray of shape (n_ticks,)
        By video, 0 to 3 at 10 Hz: tingles during ASMR clips, pleasantness during nature clips.
    strokes : tuple of tuple of Stroke
        One per clip of the plan, in its order.
    """

    plan: SessionPlan
    feelings: Mapping[str, NDArray[np.float64]]
    strokes: tuple[tuple[Stroke, ...], ...]

    @property
    def intensity(self) -> NDArray[np.float64]:
        """Tingles over the whole session at 10 Hz, shape (7200,): none between clips or in nature."""
        intensity = np.zeros(N_TICKS)
        for clip in self.plan.clips:
            if clip.video in ASMR_VIDEOS:
                first = round(clip.start_s * FRAME_RATE_HZ)
                feeling = self.feelings[clip.video]
                intensity[first : first + len(feeling)] = feeling
        return intensity


def part_rng(seed: int, purpose: str, number: int = 0) -> np.random.Generator:
    """Return the generator of one part, so that no part's numbers depend on another's."""
    return np.random.default_rng([seed, number, *purpose.encode("ascii")])


def draw_session(
    place: int,
    drives: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
    rating_lag_s: float = 0.0,
) -> Session:
    """Return the session of the participant at ``place`` of the study, counted from 0.

    Parameters
    ----------
    place : int
    drives : mapping of str to ndarray
        As `offline.simulation.drive.stimulus_drives` gives them.
    rng : Generator
    rating_lag_s : float
        How much later than their reaction time people press the keys, in seconds.
    """
    plan = plan_session(place, rng)
    person = draw_person(rng)
    feelings: dict[str, NDArray[np.float64]] = {}
    strokes = []
    for clip in plan.clips:
        drive = drives[clip.video][: round(clip.duration_s * FRAME_RATE_HZ)]
        if clip.video in ASMR_VIDEOS:
            feeling = tingle_intensity(person, clip.video, drive, rng)
        else:
            feeling = pleasantness(person, drive, rng)
        feelings[clip.video] = feeling
        duration_units = round(clip.duration_s * LOG_UNITS_PER_S)
        strokes.append(tuple(key_strokes(person, feeling, duration_units, rng, rating_lag_s)))
    return Session(plan, feelings, tuple(strokes))
