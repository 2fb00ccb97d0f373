"""Ways in which a score can know what it must not; each check raises `DataError` and nothing is scored.

=====================  ==========================================================
participant, clip      a test trial's participant or clip is among those trained on
future samples         what is said of a tick changes with frames after its look-ahead, a feature set
                       knows the whole clip, or saved predictions are not what the runtime would say
label in a feature     a column follows each person's own ratings as nothing measured does
=====================  ==========================================================
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.metrics import ratio
from offline.person_specific import own_part
from offline.predictions import TrialPrediction
from offline.streaming import changed
from offline.tables import TrialTable
from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.types import TrialId

MAX_COLUMN_R = 0.8
"""From here on a column follows the ratings too well: r of both, less what all share and trial means.

What differs between people who see and hear the same is their pulse, which follows a coarse and late rating
loosely: no published effect comes near. A copy of the label under noise of 0.75 of its own deviation has just
this correlation.
"""
MIN_LABELLED_TRIALS = 6
"""Trials whose report varies, below which slow signals may agree this well by chance."""

MAX_DIFFERENCE = 1e-5
"""Two ways to the same probability may differ by this much: rounding of float32 networks."""

_CLIP_WIDE = 1e-4
"""Mean and deviation of a column this near 0 and 1 in every clip were made so by the whole clip."""

_REPORTS: tuple[Callable[[NDArray[np.int8]], NDArray[Any]], ...] = (np.asarray, lambda rating: rating > 0)
"""What of a rating a column may know: its level, whether there is a tingle."""

_LATE_TICKS = (0, 10, 20, 30, 50)
"""How late a column may follow the ratings that it knows."""

Answer = Callable[[TrialTable], NDArray[np.float32]]
"""Takes a trial, returns the probability of each published frame."""


def check_split(
    tested: Iterable[TrialId], participants: Collection[int], videos: Collection[str], where: str
) -> None:
    """Refuse test trials of people or clips that trained the model.

    Parameters
    ----------
    tested : iterable of TrialId
    participants, videos : collection
        Those of the training, whoever chose the epoch among them.
    where : str
        Model or fold, for the message.
    """
    tested = tuple(tested)
    people = sorted({trial.participant for trial in tested} & set(participants))
    if people:
        named = ", ".join(f"{number:03d}" for number in people[:5])
        raise DataError(
            f"{where}: expected test participants that it did not learn from, got {len(people)} that it did "
            f"({named}); test others, or train with folds"
        )
    clips = sorted({trial.video for trial in tested} & set(videos))
    if clips:
        raise DataError(
            f"{where}: expected test clips that it did not learn from, got {', '.join(clips)}; test others, "
            "or train with folds"
        )


def check_causal(answer: Answer, table: TrialTable, lookahead_ticks: int, rng: np.random.Generator) -> None:
    """Refuse what reads frames after a tick's look-ahead.

    The frames after a cut are replaced by other frames of the same trial, and what is said of earlier ticks
    must stay.

    Parameters
    ----------
    answer : callable
    table : TrialTable
    lookahead_ticks : int
    rng : Generator
        Draws the cut and the frames.
    """
    n_total = WARMUP_TICKS + table.n_frames
    cut = int(rng.integers(n_total // 2, n_total - 1))

    def replace_future(
        values: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        drawn = rng.integers(cut, size=n_total - cut)
        values[cut:], valid[cut:] = values[drawn], valid[drawn]
        return values, valid

    judged = slice(0, max(0, cut - WARMUP_TICKS - lookahead_ticks))
    before, after = answer(table)[judged], answer(changed(table, replace_future))[judged]
    differs = ~((np.abs(before - after) <= MAX_DIFFERENCE) | (np.isnan(before) & np.isnan(after)))
    if differs.any():
        tick = WARMUP_TICKS + int(np.argmax(differs))
        raise DataError(
            f"trial {table.trial}: expected predictions from at most {lookahead_ticks / FRAME_RATE_HZ:g} s "
            f"ahead, got one of tick {tick} that changes with tick {cut} and later: it reads the future"
        )


def check_same(saved: TrialPrediction, asked: TrialPrediction) -> None:
    """Refuse saved streaming predictions that the model, asked as the runtime asks it, does not repeat.

    Ratings and threshold must be those of the tables and of the model's card, too.

    Parameters
    ----------
    saved : TrialPrediction
    asked : TrialPrediction
        NaN at ticks that were not asked about: nothing is compared there.
    """
    said, now = saved.without_padding(), asked.without_padding()
    if said.p.shape != now.p.shape:
        raise DataError(
            f"trial {said.trial}: expected {now.p.size} predictions, one per tick, got {said.p.size} saved; "
            "predict again"
        )
    if not np.array_equal(said.rating, now.rating):
        raise DataError(
            f"trial {said.trial}: expected the ratings of its feature table, got others saved; predict again"
        )
    if abs(said.threshold - now.threshold) > MAX_DIFFERENCE:
        raise DataError(
            f"trial {said.trial}: expected the threshold of the model's card, {now.threshold:.6g}, got "
            f"{said.threshold:.6g} saved; predict again"
        )
    # Where the runtime would be silent nothing is compared: what is saved there is not scored.
    n_unlike = int(np.count_nonzero(np.isnan(said.p) & np.isfinite(now.p)))
    difference = np.abs(said.p.astype(np.float64) - now.p)
    largest = float(np.max(difference, where=np.isfinite(difference), initial=0.0))
    if n_unlike or largest > MAX_DIFFERENCE:
        raise DataError(
            f"trial {said.trial}: expected the saved predictions to be what the runtime would say, got ones "
            f"that differ by up to {largest:.2g} and {n_unlike} missing; they know more than a stream does, "
            "or are another model's: predict again"
        )


def check_tables(tables: Sequence[TrialTable]) -> None:
    """Refuse feature tables that no stream can give, or of which a column tells the label.

    Columns are compared with the ratings themselves, their levels and whether there is any, so that nature
    clips help to find a leak. A column that is valid less than half of a clip is not compared there.
    """
    _check_clip_wide(tables)
    _check_labels(tables)


def _check_clip_wide(tables: Sequence[TrialTable]) -> None:
    spec = tables[0].spec
    if not spec.causal:
        raise DataError(
            f"feature set '{spec.set_name}': expected features that a stream can give, got some that know "
            "the whole clip; extract the set 'live', or score the predictions as clip scores without tables"
        )
    suspects = np.ones(spec.n_features, dtype=np.bool_)
    for table in tables:
        present = table.valid.any(axis=0)
        values = np.where(table.valid, table.values, np.nan)[:, present].astype(np.float64)
        mean, sd = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        suspects[present] &= (np.abs(mean) < _CLIP_WIDE) & (np.abs(sd - 1) < _CLIP_WIDE)
        suspects[~present] = False
    if suspects.any():
        raise DataError(
            f"column '{spec.names[int(np.argmax(suspects))]}': expected features that a stream can give, got "
            "mean 0 and deviation 1 in every clip: it was scaled by the whole clip; extract the set 'live'"
        )


def _check_labels(tables: Sequence[TrialTable]) -> None:
    if sum(0 < np.count_nonzero(table.rating) < table.n_frames for table in tables) < MIN_LABELLED_TRIALS:
        return
    r = column_agreement(tables)
    worst = int(np.argmax(np.abs(r)))
    if abs(r[worst]) >= MAX_COLUMN_R:
        raise DataError(
            f"column '{tables[0].spec.names[worst]}': expected a feature, got what follows each person's own "
            f"ratings with r = {r[worst]:.3f}: it knows the label; leave it out"
        )


def column_agreement(tables: Sequence[TrialTable]) -> NDArray[np.float64]:
    """Return how each column follows what is each person's own in the ratings, shape (n_features,).

    The largest of the correlations with the level of the rating and with whether there is a tingle, at the
    same tick and up to 5 s before. 0 for a column that is the same for all who see a clip, or that is valid
    for all of them in less than half of each clip.
    """
    n_features = tables[0].spec.n_features
    sums = np.zeros((len(_LATE_TICKS), len(_REPORTS), n_features, 3))
    by_video: defaultdict[str, list[TrialTable]] = defaultdict(list)
    for table in tables:
        by_video[table.trial.video].append(table)
    for same in by_video.values():
        n = min(table.n_frames for table in same)
        reported = [np.stack([report(table.rating[:n]) for table in same]) for report in _REPORTS]
        usable = np.logical_and.reduce([table.valid[:n] for table in same])
        for column in np.flatnonzero(2 * usable.sum(axis=0) >= n):
            values = np.stack([table.values[:n, column] for table in same]).astype(np.float64)
            for late, n_late in enumerate(_LATE_TICKS):
                ticks = np.flatnonzero(usable[n_late:, column])
                if 2 * n_late > n or not ticks.size:
                    continue
                told = own_part(values[:, n_late + ticks])
                if not told.any():
                    continue
                for kind, report in enumerate(reported):
                    felt = own_part(report[:, ticks].astype(np.float64))
                    sums[late, kind, column] += (told * felt).sum(), (told**2).sum(), (felt**2).sum()
    r = ratio(sums[..., 0], np.sqrt(sums[..., 1] * sums[..., 2]), empty=0.0).reshape(-1, n_features)
    return np.asarray(r[np.abs(r).argmax(axis=0), np.arange(n_features)])
