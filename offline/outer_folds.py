"""Outer folds of feature tables: who and what is tested, and who and what is learned from.

People and clips are divided into the published quarters. The published folds test each quarter of the people
on one quarter of the clips. Crossed with each other the quarters give 16 folds, which test everybody on every
clip: four times as many trials, and every person on four ASMR clips instead of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offline.splits import N_FOLDS, fold_participants, fold_videos
from offline.tables import TrialTable
from rtasmr.errors import DataError

N_CROSSED = N_FOLDS**2


@dataclass(frozen=True, eq=False)
class OuterFold:
    """One outer fold: ``own`` are the test people's trials of the clips that the others learn from."""

    number: int
    training: tuple[TrialTable, ...]
    test: tuple[TrialTable, ...]
    own: tuple[TrialTable, ...]


def outer_folds(tables: Sequence[TrialTable], *, crossed: bool = False) -> list[OuterFold]:
    """Return the folds of ``tables``, numbered from 1.

    Parameters
    ----------
    tables : sequence of TrialTable
    crossed : bool
        Every quarter of the people with every quarter of the clips, 16 folds, instead of the published four.

    Raises
    ------
    DataError
        If there are too few participants or clips for every fold to test and to train.
    """
    fold_of = fold_participants({table.trial.participant for table in tables})
    missing = sorted(set(range(1, N_FOLDS + 1)) - set(fold_of.values()))
    if missing:
        raise DataError(
            f"nested validation: expected at least {N_FOLDS} participants, one per fold, got {len(fold_of)}; "
            "add some, or leave it out with --folds 0"
        )
    quarters = range(1, N_FOLDS + 1)
    tested = [(people, clips) for people in quarters for clips in quarters if crossed or people == clips]
    folds = []
    for number, (quarter, clips) in enumerate(tested, start=1):
        tested_clips = fold_videos(clips)
        own = [t for t in tables if fold_of[t.trial.participant] == quarter]
        others = [t for t in tables if fold_of[t.trial.participant] != quarter]
        fold = OuterFold(
            number,
            training=tuple(t for t in others if t.trial.video not in tested_clips),
            test=tuple(t for t in own if t.trial.video in tested_clips),
            own=tuple(t for t in own if t.trial.video not in tested_clips),
        )
        if not any(t.trial.is_asmr for t in fold.test) or not any(t.trial.is_asmr for t in fold.training):
            shown = ", ".join(sorted({table.trial.video for table in tables}))
            raise DataError(
                f"nested validation: expected ASMR trials to test and to train on in fold {number}, got none "
                f"on one side (clips: {shown}); add clips, or leave it out with --folds 0"
            )
        folds.append(fold)
    return folds
