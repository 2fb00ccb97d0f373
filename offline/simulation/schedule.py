"""Who sees what when: participant numbers, block orders and clip onsets of the study."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rtasmr.grid import CLIP_DURATION_S, FIRST_CLIP_DURATION_S
from rtasmr.presentation_log import LOG_UNITS_PER_S, Clip
from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS

STUDY_NUMBERS: tuple[int, ...] = (1, *range(3, 36))
"""Participant numbers of the study; number 2 was excluded."""
COHORT_SIZE = len(STUDY_NUMBERS)
COHORT_STEP = 100
"""Between the numbers of a participant and of who has the same place in the next cohort."""
MAX_COHORT = 9
"""Participant numbers of the data set have three digits."""

SESSION_S = 720.0
BLOCK_STARTS_S = (60.0, 420.0)
"""After 60 s of rest, and after 120 s more between the blocks."""
LATE_START_S = 4.3
"""The first clip of a session starts late and ends on schedule."""
MAX_LATENESS_UNITS = 8
"""Onsets come up to 0.8 ms after their time."""

FIRST_DAY = date(2021, 10, 4)
STUDY_DAYS = 70


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """One participant's session.

    Parameters
    ----------
    participant : int
    condition : int
        1 to 4; odd: ASMR block first.
    day : date
    code : str
        Eight hexadecimal digits that make the log's name unique.
    clips : tuple of Clip
        Eight, in the order shown.
    """

    participant: int
    condition: int
    day: date
    code: str
    clips: tuple[Clip, ...]

    @property
    def log_name(self) -> str:
        """Name of the event log."""
        return f"{self.participant:03d}-{self.condition}-{self.day:%Y%m%d}-{self.code}.log"

    @property
    def ppg_name(self) -> str:
        """Name of the PPG export."""
        return f"{self.participant:03d}_csv.txt"


def plan_session(place: int, rng: np.random.Generator) -> SessionPlan:
    """Return the session of the participant at ``place``, counted from 0 through all cohorts.

    Conditions 1 to 4 take turns, so that the block orders are balanced.
    """
    condition = place % 4 + 1
    asmr, nature = rng.permutation(ASMR_VIDEOS), rng.permutation(NATURE_VIDEOS)
    blocks = (asmr, nature) if condition % 2 == 1 else (nature, asmr)
    clips: list[Clip] = []
    for block_start_s, videos in zip(BLOCK_STARTS_S, blocks, strict=True):
        for i, video in enumerate(videos):
            scheduled_s = block_start_s + i * CLIP_DURATION_S
            late_s = (LATE_START_S if not clips else 0.0) + _lateness_s(rng)
            duration_s = CLIP_DURATION_S if clips else FIRST_CLIP_DURATION_S
            clips.append(Clip(str(video), _on_log_clock(scheduled_s + late_s), duration_s, len(clips)))
    return SessionPlan(
        participant=participant_number(place),
        condition=condition,
        day=FIRST_DAY + timedelta(days=int(rng.integers(STUDY_DAYS))),
        code=f"{rng.integers(2**32):08x}",
        clips=tuple(clips),
    )


def cohort_places(cohort: int, participants: int) -> range:
    """Return the places of the first ``participants`` people of a cohort, counted from 0."""
    first = COHORT_SIZE * cohort
    return range(first, first + participants)


def participant_number(place: int) -> int:
    """Return the number of the participant at ``place``: those of the study, then 101, 103 and so on."""
    cohort, within = divmod(place, COHORT_SIZE)
    return COHORT_STEP * cohort + STUDY_NUMBERS[within]


def _lateness_s(rng: np.random.Generator) -> float:
    return float(rng.integers(1, MAX_LATENESS_UNITS + 1)) / LOG_UNITS_PER_S


def _on_log_clock(time_s: float) -> float:
    return round(time_s * LOG_UNITS_PER_S) / LOG_UNITS_PER_S
