"""How far ratings trail the signals of a training set: estimated before any model is trained.

A rating comes later than the feeling: people notice, decide and press. Ratings of people left out are
predicted, by ridge regression on the sound and the state of the pulse at one moment, at every lag; the lag at
which that works best is how far ratings trail the signals. Values are centred within each trial, so that
neither people nor clips are told apart, and few columns are used, as hundreds of them could name every moment
of a clip and would fit any lag.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift, uniform_filter1d

from offline.metrics import ratio
from offline.statistics import bootstrap_multiplicities, percentile_interval
from offline.tables import TrialTable
from rtasmr.errors import DataError
from rtasmr.features.spec import PPG_NAMES, SOUND_NAMES
from rtasmr.grid import FRAME_RATE_HZ

LAGS_S = (-2.0, 6.0)
"""Range that is searched; below 0 a rating would come before its signals."""

COLUMN_DELAY_S = {
    **dict.fromkeys((*SOUND_NAMES, *PPG_NAMES), 0.0),
    "pulse_rate_relative": 5.25,
    "pulse_amplitude_relative": 3.25,
}
"""Columns that are used, and how old the middle of the stretch is that each tells of, in seconds."""

SMOOTHING_S = 1.0
RIDGE_SHARE = 0.03
"""Strength of the ridge, as a share of the number of frames (columns are scaled)."""

N_PARTS = 4
N_BOOTSTRAP = 400
LEAST_R, WIDEST_CI_S = 0.05, 4.0
"""A weaker relation, or a less certain lag, is none: its best lag would be chance."""


@dataclass(frozen=True, slots=True, eq=False)
class RatingLag:
    """The lag found, and how well ratings are predicted at every lag.

    Parameters
    ----------
    lag_s : float
        Where ``r`` is largest.
    ci95_s : tuple of float
        Of ``lag_s``, over participants.
    lags_s, r : ndarray of shape (n_lags,)
        Correlation of prediction and rating of people left out, both less their trial's mean.
    """

    lag_s: float
    ci95_s: tuple[float, float]
    lags_s: NDArray[np.float64]
    r: NDArray[np.float64]


def estimate_rating_lag(tables: Sequence[TrialTable], rng: np.random.Generator) -> RatingLag:
    """Return how far the ratings of ``tables`` trail their signals.

    Raises
    ------
    DataError
        If there are fewer than two participants with ratings that change within ASMR clips, nothing predicts
        them at any lag, or the best lag is an end of the range.
    """
    lags = np.arange(round(LAGS_S[0] * FRAME_RATE_HZ), round(LAGS_S[1] * FRAME_RATE_HZ) + 1)
    used = [
        table
        for table in tables
        if table.trial.is_asmr and np.ptp(table.rating) > 0 and table.n_frames > 2 * (lags[-1] - lags[0])
    ]
    participants = sorted({table.trial.participant for table in used})
    if len(participants) < 2:
        raise DataError(
            "rating lag: expected ratings that change within ASMR clips (16 s or longer) from at least 2 "
            f"participants, got {len(participants)}; give the lag in seconds, or 0"
        )
    trials = [_prepared(table, lags) for table in used]
    people = np.array([table.trial.participant for table in used])
    parts = np.array_split(rng.permutation(participants), min(N_PARTS, len(participants)))
    # Per participant and lag: sums of prediction x rating, prediction squared, rating squared.
    sums = {participant: np.zeros((3, len(lags))) for participant in participants}
    for part in parts:
        is_test = np.isin(people, part)
        weights = _ridge([trial for trial, test in zip(trials, is_test, strict=True) if not test])
        for (x, y), participant, test in zip(trials, people.tolist(), is_test, strict=True):
            if test:
                said = _centred(x @ weights)
                sums[participant] += np.stack([(said * y).sum(0), (said**2).sum(0), (y**2).sum(0)])
    per_person = np.stack([sums[participant] for participant in participants])
    r = _correlation(per_person.sum(axis=0))
    drawn = bootstrap_multiplicities(len(participants), N_BOOTSTRAP, rng)
    best = [_peak_s(lags, _correlation(np.tensordot(times, per_person, 1))) for times in drawn]
    low, high = percentile_interval(np.array(best))
    if not (r.max() >= LEAST_R and high - low <= WIDEST_CI_S):
        raise DataError(
            "rating lag: expected sound or pulse to predict ratings best at one lag, got "
            f"r = {r.max():.2f} at most and {low:.1f} to {high:.1f} s; give the lag in seconds, or 0"
        )
    if int(np.argmax(r)) in (0, len(r) - 1):
        raise DataError(
            f"rating lag: expected one within {LAGS_S[0]:g} to {LAGS_S[1]:g} s, got its end at "
            f"{_peak_s(lags, r):g} s: the lag lies beyond, or there is none; give the lag in seconds, or 0"
        )
    return RatingLag(_peak_s(lags, r), (low, high), lags / FRAME_RATE_HZ, r)


def _prepared(table: TrialTable, lags: NDArray[np.int_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns (n_rows, n_columns) and ratings at every lag (n_rows, n_lags), centred."""
    columns = []
    for i, name in enumerate(table.names):
        if name in COLUMN_DELAY_S:
            valid = table.valid[:, i]
            values = np.where(valid, table.values[:, i], np.nan).astype(np.float64)
            # Missing values become the mean, any number where all are: what does not vary tells nothing.
            values = np.where(valid, values, np.nanmean(values) if valid.any() else 0.0)
            smooth = uniform_filter1d(values, round(SMOOTHING_S * FRAME_RATE_HZ) | 1)
            columns.append(shift(smooth, -COLUMN_DELAY_S[name] * FRAME_RATE_HZ, order=1, mode="nearest"))
    if not columns:
        raise DataError(
            "rating lag: expected sound or pulse among the columns, got neither; give the lag in seconds"
        )
    rows = np.arange(-lags[0], table.n_frames - lags[-1])
    ratings = table.rating.astype(np.float64)[rows[:, None] + lags]
    x = _centred(np.stack(columns, axis=1)[rows])
    return x, _centred(ratings)


def _ridge(trials: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Return weights of shape (n_columns, n_lags)."""
    x = np.concatenate([x for x, _ in trials])
    y = np.concatenate([y for _, y in trials])
    sd = x.std(axis=0)
    z = x / np.where(sd > 0, sd, 1.0)
    weights = np.linalg.solve(z.T @ z + RIDGE_SHARE * len(z) * np.eye(z.shape[1]), z.T @ y)
    return np.asarray(weights / np.where(sd > 0, sd, 1.0)[:, None])


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean(axis=0))


def _correlation(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation at every lag, 0 where the prediction does not vary: it predicts nothing."""
    product, said, rated = sums
    return ratio(product, np.sqrt(said * rated), empty=0.0)


def _peak_s(lags: NDArray[np.int_], r: NDArray[np.float64]) -> float:
    """Return the lag of the largest correlation, by a parabola between the frames, in seconds."""
    best = int(np.argmax(r))
    if not 0 < best < len(r) - 1:
        return float(lags[best] / FRAME_RATE_HZ)
    left, middle, right = r[best - 1 : best + 2]
    curvature = left - 2 * middle + right
    offset = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    return float((lags[best] + offset) / FRAME_RATE_HZ)


def label_shift_frames(lag_s: float) -> int:
    """Return by how many frames labels are moved back for a lag; a negative one moves nothing."""
    return max(0, math.floor(lag_s * FRAME_RATE_HZ + 0.5))
