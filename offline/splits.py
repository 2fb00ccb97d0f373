"""The published four folds: which participants and which clips are tested together."""

from __future__ import annotations

from collections.abc import Iterable

from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS, VIDEOS, TrialId

N_FOLDS = 4


def fold_videos(fold: int) -> tuple[str, str]:
    """Return the ASMR clip and the nature clip that fold ``fold`` (1 to 4) tests."""
    return ASMR_VIDEOS[fold - 1], NATURE_VIDEOS[fold - 1]


def fold_of_video(video: str) -> int:
    """Return the fold (1 to 4) that tests a clip: vid1 and vid5 belong to fold 1."""
    return VIDEOS.index(video) % N_FOLDS + 1


def fold_participants(participants: Iterable[int]) -> dict[int, int]:
    """Return the fold (1 to 4) that tests each participant.

    Participants are sorted as text ("1", "10", "11", ..., "9") and cut into four runs of
    ``n // 4``; the last fold takes the rest.
    """
    ordered = sorted({str(participant) for participant in participants})
    size = max(1, len(ordered) // N_FOLDS)
    return {int(text): min(rank // size, N_FOLDS - 1) + 1 for rank, text in enumerate(ordered)}


def trial_of_another(trials: Iterable[TrialId], trial: TrialId, shift: int) -> TrialId:
    """Return another participant's trial with the same clip, such as that whose pulse is shown instead.

    It stands ``shift`` places further among those of ``trials`` with the clip, from the last on to the first.
    """
    same = [other for other in trials if other.video == trial.video]
    return same[(same.index(trial) + shift) % len(same)]
