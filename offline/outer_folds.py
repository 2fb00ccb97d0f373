"""The published folds of feature tables: who and what is tested, and who and what is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offline.splits import N_FOLDS, fold_participants, fold_videos
from offline.tables import TrialTable
from rtasmr.errors import DataError


@dataclass(frozen=True, eq=False)
class OuterFold:
    """One outer fold: ``own`` are the test people's trials of the clips that the others learn from."""

    number: int
    training: tuple[TrialTable, ...]
    test: tuple[TrialTable, ...]
    own: tuple[TrialTable, ...]


def outer_folds(tables: Sequence[TrialTable]) -> list[OuterFold]:
    """Return the published folds of ``tables``.

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
    folds = []
    for number in range(1, N_FOLDS + 1):
        tested_clips = fold_videos(number)
        own = [t for t in tables if fold_of[t.trial.participant] == number]
        others = [t for t in tables if fold_of[t.trial.participant] != number]
        fold = OuterFold(
            number,
            training=tuple(t for t in others if t.trial.video not in tested_clips),
            test=tuple(t for t in own if t.trial.video in tested_clips),
            own=tuple(t for t in own if t.trial.video not in tested_clips),
        )
        if not any(t.trial.is_asmr for t in fold.test) or not any(t.trial.is_asmr for t in fold.training):
            clips = ", ".join(sorted({table.trial.video for table in tables}))
            raise DataError(
                f"nested validation: expected ASMR trials to test and to train on in fold {number}, got none "
                f"on one side (clips: {clips}); add clips, or leave it out with --folds 0"
            )
        folds.append(fold)
    return folds
