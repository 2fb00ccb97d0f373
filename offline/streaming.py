"""What the runtime would have said of a trial, tick by tick, by any model of feature windows.

The windows are those of `offline.serving`, the status of a tick follows the runtime's own rule, and a tick
to which the runtime gives no probability has none here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offline.serving import served_windows
from offline.tables import TrialTable
from rtasmr.card import ModelCard
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.predictor import TingleModel, tick_status
from rtasmr.types import Modality, Status

Change = Callable[[NDArray[np.float32], NDArray[np.bool_]], tuple[NDArray[np.float32], NDArray[np.bool_]]]
"""Takes values and validity from tick 0 on and returns changed ones, of the same shapes."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model is asked.

    Parameters
    ----------
    window_frames, lookahead_frames : int
        Longest window, and frames newer than the judged one.
    first_tick : int
        Where windows begin: 0, or the end of the warm-up for a model of whole clips.
    requires : frozenset of Modality
        Modalities without which there is no probability.
    """

    window_frames: int
    lookahead_frames: int
    first_tick: int = 0
    requires: frozenset[Modality] = frozenset()

    @classmethod
    def of(cls, card: ModelCard) -> Serving:
        """Return what the runtime does with a model."""
        return cls(
            card.window_frames,
            card.lookahead_frames,
            0 if card.causal else WARMUP_TICKS,
            frozenset(card.requires),
        )

    @property
    def lookahead_s(self) -> float:
        """How long after a tick its probability can be known, features included, in seconds."""
        return (self.lookahead_frames + 1) / FRAME_RATE_HZ


def streaming_probabilities(
    model: TingleModel, table: TrialTable, serving: Serving, *, stride: int = 1
) -> NDArray[np.float32]:
    """Return the probability of every published frame, shape (n_frames,), NaN where there is none.

    Parameters
    ----------
    model : TingleModel
    table : TrialTable
    serving : Serving
    stride : int
        Every how many ticks one is asked about; those between have no probability.
    """
    values, valid = table.sequence
    p = np.full(len(values), np.nan, dtype=np.float32)
    asked = answered_ticks(table, serving.requires)
    asked &= (np.arange(len(values)) - WARMUP_TICKS) % stride == 0
    for window in served_windows(len(values), serving.window_frames, serving.lookahead_frames):
        ticks = window.first_read + np.flatnonzero(asked[window.first_read : window.last_read + 1])
        if ticks.size:
            start = max(serving.first_tick, window.start)
            said = _probability(model.predict(values[start : window.stop], valid[start : window.stop]))
            p[ticks] = said[ticks - start]
    return p[WARMUP_TICKS:]


def answered_ticks(table: TrialTable, requires: frozenset[Modality]) -> NDArray[np.bool_]:
    """Return the ticks to which the runtime gives a probability, shape (50 + n_frames,).

    A modality is there when any of its columns is valid: those of the wave are invalid together, while what
    is read from it over many seconds may be missing for itself.
    """
    _, valid = table.sequence
    there = {m: np.asarray(valid[:, table.spec.columns(m)].any(axis=1)) for m in Modality}
    missing = {
        modality: Status.GAP if len(table.spec.columns(modality)) else Status.ABSENT for modality in Modality
    }
    ok = np.zeros(len(valid), dtype=np.bool_)
    for tick in range(WARMUP_TICKS, len(valid)):
        status = {
            modality: Status.OK if there[modality][tick] else missing[modality] for modality in Modality
        }
        ok[tick] = tick_status(tick, status, requires) is Status.OK
    return ok


def changed(table: TrialTable, change: Change) -> TrialTable:
    """Return a trial whose features, warm-up included, went through ``change``."""
    values, valid = table.sequence
    values, valid = change(values.copy(), valid.copy())
    return replace(
        table,
        preroll_values=values[:WARMUP_TICKS],
        preroll_valid=valid[:WARMUP_TICKS],
        values=values[WARMUP_TICKS:],
        valid=valid[WARMUP_TICKS:],
    )


def clip_probabilities(model: TingleModel, table: TrialTable, serving: Serving) -> NDArray[np.float32]:
    """Return the probability of every published frame with the whole clip at once, shape (n_frames,)."""
    values, valid = table.sequence
    said = _probability(model.predict(values[serving.first_tick :], valid[serving.first_tick :]))
    return said[WARMUP_TICKS - serving.first_tick :]


def _probability(answer: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of an answer; a model that knows its uncertainty says that beside them."""
    return answer if answer.ndim == 1 else answer[:, 0]


def serving_threshold(threshold: float) -> float:
    """Return the largest float32 below a card's threshold.

    The runtime calls a tingle from the threshold on, saved predictions above theirs; for float32
    probabilities the two are the same with this number.
    """
    nearest = np.float32(threshold)
    if float(nearest) < threshold:
        return float(nearest)
    return float(np.nextafter(nearest, np.float32(-math.inf)))
