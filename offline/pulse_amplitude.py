"""The amplitude of the pulse wave over time, as a score of how much a person feels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.predictions import Predictions, TrialPrediction
from offline.splits import fold_of_video
from offline.tables import iter_tables
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.types import Modality

WINDOW_S = 5.0
"""As long as the paper's windows of the pulse rate: five beats or so."""


def rms(values: NDArray[np.floating], n_steps: int) -> NDArray[np.float64]:
    """Return the root mean square of ``n_steps`` values around each, fewer at the ends.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
    n_steps : int
    """
    ones = np.ones(n_steps)
    squares = np.convolve(values.astype(np.float64) ** 2, ones)
    counts = np.convolve(np.ones(values.size), ones)
    middle = slice(n_steps // 2, n_steps // 2 + values.size)
    return np.asarray(np.sqrt(squares[middle] / counts[middle]))


def pulse_amplitudes(tables: Path) -> Predictions:
    """Return the pulse amplitude of every ASMR trial in the place of a probability.

    Trials whose pulse is not valid throughout have none (NaN) and are marked so.

    Parameters
    ----------
    tables : Path
        Folder of feature tables of a set in which the pulse is scaled per clip, as published.
    """
    trials = []
    for table in iter_tables(tables):
        (column,) = table.spec.columns(Modality.PPG)
        if not table.trial.is_asmr:
            continue
        has_pulse = bool(table.valid[:, column].all())
        score = np.full(table.n_frames, np.nan, np.float32)
        if has_pulse:
            score = rms(table.values[:, column], round(WINDOW_S * FRAME_RATE_HZ)).astype(np.float32)
        fold = fold_of_video(table.trial.video)
        trials.append(
            TrialPrediction(table.trial, fold, score, table.rating, table.n_frames, has_pulse=has_pulse)
        )
    return Predictions("pulse amplitude", tuple(trials))
