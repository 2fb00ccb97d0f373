"""Whole clips of one length, as the published models see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offline.splits import trial_of_another
from offline.tables import TrialTable
from rtasmr.errors import DataError
from rtasmr.types import Modality, TrialId


@dataclass(frozen=True, eq=False)
class PaddedClip:
    """One trial, cut or padded to the length of all.

    Parameters
    ----------
    trial : TrialId
    values : ndarray of shape (n_steps, n_columns), float32
        NaN where invalid, 0 in the padding.
    target : ndarray of shape (n_steps,), bool
        Published label; False in the padding.
    rating : ndarray of shape (n_steps,), int8
        0 to 3; 0 in the padding.
    n_real : int
        Steps before the padding.
    has_pulse : bool
        Whether the pulse is valid at all of these, whatever columns there are here.
    n_blind : int
        How many of these have no valid picture, sound or pulse, whatever columns there are here.
    """

    trial: TrialId
    values: NDArray[np.float32]
    target: NDArray[np.bool_]
    rating: NDArray[np.int8]
    n_real: int
    has_pulse: bool = True
    n_blind: int = 0


def pad_clip(table: TrialTable, columns: NDArray[np.intp], n_steps: int) -> PaddedClip:
    """Return some columns of a trial at the published frames, ``n_steps`` of them.

    Parameters
    ----------
    table : TrialTable
    columns : ndarray of shape (n_columns,)
    n_steps : int
    """
    n_real = min(table.n_frames, n_steps)
    values = np.zeros((n_steps, len(columns)), dtype=np.float32)
    values[:n_real] = np.where(table.valid[:n_real, columns], table.values[:n_real, columns], np.nan)
    target = np.zeros(n_steps, dtype=np.bool_)
    target[:n_real] = table.label[:n_real]
    rating = np.zeros(n_steps, dtype=np.int8)
    rating[:n_real] = table.rating[:n_real]
    has_pulse = bool(table.valid[:n_real, table.spec.columns(Modality.PPG)].all())
    n_blind = int(np.count_nonzero(~table.valid[:n_real].any(axis=1)))
    return PaddedClip(table.trial, values, target, rating, n_real, has_pulse, n_blind)


def class_weights(n_tingle: int, n_steps: int) -> tuple[float, float]:
    """Return the weights N / (2 N_c) of training steps with and without tingle.

    Parameters
    ----------
    n_tingle, n_steps : int
        Steps with tingle and all steps; as published, padding counts among those without.

    Raises
    ------
    DataError
        One class does not occur.
    """
    if n_tingle in (0, n_steps):
        raise DataError(
            f"expected training steps with and without tingle, got {n_tingle} with tingle of {n_steps}; "
            "add participants who reported " + ("tingles" if n_tingle == 0 else "times without tingle")
        )
    return n_steps / (2 * n_tingle), n_steps / (2 * (n_steps - n_tingle))


def exchange_columns(clips: Sequence[PaddedClip], columns: NDArray[np.intp], shift: int) -> list[PaddedClip]:
    """Return clips in which each participant has some columns of another one with the same stimulus.

    The giver stands ``shift`` places further among those with the stimulus and a pulse, from the last on to
    the first. Steps that the giver does not have become invalid; the taker's padding stays. Who has no valid
    pulse neither gives nor takes.

    Parameters
    ----------
    clips : sequence of PaddedClip
    columns : ndarray of shape (n_exchanged,)
        Columns that belong to the participant, such as the pulse.
    shift : int
        From 1 to one less than the number of participants with a pulse, or some keep their own.
    """
    givers = {clip.trial: clip for clip in clips if clip.has_pulse}
    exchanged = []
    for clip in clips:
        if not clip.has_pulse:
            exchanged.append(clip)
            continue
        giver = givers[trial_of_another(givers, clip.trial, shift)]
        n_given = min(clip.n_real, giver.n_real)
        values = clip.values.copy()
        values[: clip.n_real, columns] = np.nan
        values[:n_given, columns] = giver.values[:n_given, columns]
        exchanged.append(replace(clip, values=values))
    return exchanged
