"""Which trials of a training choose epoch, calibration and threshold, and which the model learns from.

Nobody is on both sides, and where there are clips enough no clip is: a score on clips that the model has
learned would reward it for knowing them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from offline.tables import TrialTable
from rtasmr.errors import DataError
from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS

MIN_CLIPS = 3
"""ASMR clips from which one is held back; of two, one alone would be left to learn from."""


@dataclass(frozen=True, eq=False)
class InnerSplit:
    """Trials to learn from, and trials of other people that choose.

    ``held_clips`` are the clips of the latter that the former do not show; empty where there are too few.
    ``held_people`` are all trials of the people held back, those of clips that are learned from too.
    """

    fitting: tuple[TrialTable, ...]
    validation: tuple[TrialTable, ...]
    held_clips: frozenset[str]
    held_people: tuple[TrialTable, ...]

    @property
    def is_clip_disjoint(self) -> bool:
        """Whether no clip is on both sides."""
        return bool(self.held_clips)


def draw_inner_split(
    tables: Sequence[TrialTable],
    share: float,
    rng: np.random.Generator,
    held_before: Collection[str] = (),
) -> InnerSplit:
    """Hold participants back, and one ASMR clip and one nature clip where there are enough.

    Of the splits tried, in random order, the first is taken in which both sides have frames with and without
    tingle within ASMR clips; if there is none, the first in which those to learn from do.

    Parameters
    ----------
    tables : sequence of TrialTable
    share : float
        Of the participants held back; at least one is.
    rng : Generator
    held_before : collection of str
        Clips that other trainings held back: those that none did come first.

    Raises
    ------
    DataError
        If there are fewer than two participants, or no split leaves tingles to learn from.
    """
    participants = sorted({table.trial.participant for table in tables})
    if len(participants) < 2:
        raise DataError(
            "expected at least 2 participants (one is held back to choose the best epoch), "
            f"got {participants}; add some"
        )
    n_held_back = min(max(1, round(share * len(participants))), len(participants) - 1)
    second: InnerSplit | None = None
    for split in _splits(tables, participants, n_held_back, rng, held_before):
        if not _has_both(split.fitting):
            continue
        if _has_both(split.validation):
            return split
        second = second or split
    if second is None:
        asmr = [table for table in tables if table.trial.is_asmr]
        n_tingle = sum(int(table.label.sum()) for table in asmr)
        raise DataError(
            f"expected training frames of ASMR clips with and without tingle, got {n_tingle} with tingle of "
            f"{sum(table.n_frames for table in asmr)}; add participants who reported "
            f"{'none at times' if n_tingle else 'tingles'}"
        )
    return second


def _splits(
    tables: Sequence[TrialTable],
    participants: Sequence[int],
    n_held_back: int,
    rng: np.random.Generator,
    held_before: Collection[str],
) -> Iterator[InnerSplit]:
    order = rng.permutation(participants)
    clips = [clip for clip in ASMR_VIDEOS if any(t.trial.video == clip for t in tables)]
    others = [clip for clip in NATURE_VIDEOS if any(t.trial.video == clip for t in tables)]
    held_clips: list[set[str]] = [set()]
    if len(clips) >= MIN_CLIPS:
        drawn = [str(clip) for clip in rng.permutation(clips)]
        held_clips = [{clip} for clip in sorted(drawn, key=list(held_before).count)]
        if len(others) > 1:
            held_clips = [held | {str(rng.choice(others))} for held in held_clips]
    for shift in range(len(order)):
        people = {int(number) for number in np.roll(order, -shift)[:n_held_back]}
        for held in held_clips:
            yield InnerSplit(
                tuple(t for t in tables if t.trial.participant not in people and t.trial.video not in held),
                tuple(
                    t for t in tables if t.trial.participant in people and (not held or t.trial.video in held)
                ),
                frozenset(held),
                tuple(t for t in tables if t.trial.participant in people),
            )


def _has_both(tables: Sequence[TrialTable]) -> bool:
    labels = [table.label for table in tables if table.trial.is_asmr]
    return any(label.any() for label in labels) and not all(label.all() for label in labels)
