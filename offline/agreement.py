"""Leave-one-out agreement between raters of one stimulus, and the mean rating over time.

References
----------
.. [1] Das et al. 2026, 'Stimulus Efficacy and Behavioral Agreement' and Figure 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.behaviour import RatedTrial
from offline.correlation import fisher_z
from offline.notes import joined, named
from offline.results import Measured
from offline.statistics import bootstrap_multiplicities, percentile_interval
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS, VIDEOS

N_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well each rater of a clip follows the mean of all others.

    Parameters
    ----------
    r : ndarray of shape (n_raters,)
        Pearson correlations; NaN for a rater who never changed.
    mean_r : float
        ``tanh`` of the mean Fisher z over the raters who have one.
    ci95 : tuple of float or None
        Of ``mean_r``, by resampling the raters. None, as is ``p``, where only two of them ever changed: the
        correlation of each with the other is the same number, so there is nothing to resample.
    p : float or None
        One-sided, (count + 1) / (n + 1) of the resampled means at or below 0.
    p_published : float or None
        The same as count / n, as published: 0 is possible.
    """

    r: NDArray[np.float64]
    mean_r: float
    ci95: tuple[float, float] | None
    p: float | None
    p_published: float | None


@dataclass(frozen=True, slots=True)
class RatingCurve:
    """One panel of figure 3: the mean rating of those who rated the clip above 0 at least once.

    Parameters
    ----------
    video : str
    time_s : ndarray of shape (n_frames,)
        Seconds since the clip's start.
    mean, sem : ndarray of shape (n_frames,)
        Mean level and its standard error (population SD over the root of ``n_raters``, as published).
    n_raters, n_shown : int
        Those averaged, and all who were shown the clip.
    """

    video: str
    time_s: NDArray[np.float64]
    mean: NDArray[np.float64]
    sem: NDArray[np.float64]
    n_raters: int
    n_shown: int


def leave_one_out_r(ratings: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the Pearson correlation of each rater with the sum of all others.

    Parameters
    ----------
    ratings : ndarray of shape (n_raters, n_frames), integer

    Returns
    -------
    ndarray of shape (n_raters,)
        NaN where the rater or the sum of the others is constant.
    """
    own = ratings.astype(np.int64)
    return _row_r(own, own.sum(axis=0) - own)


def _row_r(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the Pearson correlation of each row with its counterpart, NaN where one is constant.

    Whole numbers: what is constant is so exactly.
    """
    varies = (np.ptp(first, axis=1) > 0) & (np.ptp(second, axis=1) > 0)
    first_c = first - first.mean(axis=1, keepdims=True)
    second_c = second - second.mean(axis=1, keepdims=True)
    scale = np.sqrt((first_c**2).sum(axis=1) * (second_c**2).sum(axis=1))
    r = np.full(len(first), np.nan)
    np.divide((first_c * second_c).sum(axis=1), scale, out=r, where=varies)
    return np.asarray(np.clip(r, -1.0, 1.0))


def other_clips_r(trials: Iterable[RatedTrial], video: str) -> float | None:
    """Return how well the raters of a clip follow the others' mean of the *other* clips of its kind.

    What every clip has in common, such as ratings that rise with time, agrees here as well; only the rest
    of the agreement follows from what the clip shows. ``tanh`` of the mean Fisher z over raters and clips,
    None where there is none.
    """
    kind = ASMR_VIDEOS if video in ASMR_VIDEOS else NATURE_VIDEOS
    by_video: dict[str, dict[int, RatedTrial]] = {name: {} for name in kind}
    for rated in trials:
        if rated.trial.video in by_video:
            by_video[rated.trial.video][rated.trial.participant] = rated
    found = []
    for other in kind:
        both = sorted(by_video[video].keys() & by_video[other].keys())
        if other == video or len(both) < 2:
            continue
        ratings = cut_to_shortest([by_video[name][number] for name in (video, other) for number in both])
        own, theirs = np.split(ratings.astype(np.int64), 2)
        found.append(_row_r(own, theirs.sum(axis=0) - theirs))
    r = np.concatenate([np.empty(0), *found])
    z = fisher_z(r[np.isfinite(r)])
    return float(np.tanh(z.mean())) if len(z) > 0 else None


def agreement(
    ratings: NDArray[np.integer], rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Agreement | None:
    """Return the agreement of the raters of one clip, None with fewer than two who have an r.

    The raters' correlations are resampled as published, although they are not independent: each rater is
    part of the mean that the others are held against, so the interval is somewhat too narrow.

    Parameters
    ----------
    ratings : ndarray of shape (n_raters, n_frames), integer
    rng : Generator
        The same seed gives the same numbers.
    """
    r = leave_one_out_r(ratings)
    z = fisher_z(r[np.isfinite(r)])
    if len(z) < 2:
        return None
    if np.count_nonzero(np.ptp(ratings, axis=1)) == 2:
        return Agreement(r, float(np.tanh(z.mean())), None, None, None)
    means = bootstrap_multiplicities(len(z), n_resamples, rng) @ z / len(z)
    low, high = np.tanh(percentile_interval(means))
    n_at_most_0 = int(np.count_nonzero(means <= 0))
    return Agreement(
        r,
        float(np.tanh(z.mean())),
        (float(low), float(high)),
        (n_at_most_0 + 1) / (n_resamples + 1),
        n_at_most_0 / n_resamples,
    )


def cut_to_shortest(trials: Iterable[RatedTrial]) -> NDArray[np.int8]:
    """Return the ratings of one clip, shape (n_raters, n_frames), as long as the shortest of them.

    507 frames as soon as one participant saw the clip first, as published.
    """
    ratings = [rated.rating for rated in trials]
    n_frames = min(map(len, ratings))
    return np.stack([rating[:n_frames] for rating in ratings])


def measure_agreement(trials: Iterable[RatedTrial], rng: np.random.Generator) -> dict[str, Measured]:
    """Return mean r with interval and p of every clip that two or more participants rated."""
    trials = tuple(trials)
    measured: dict[str, Measured] = {}
    # A generator for each clip: what one clip draws changes no other.
    for video, clip_rng in zip(VIDEOS, rng.spawn(len(VIDEOS)), strict=True):
        rated = [trial for trial in trials if trial.trial.video == video]
        measured |= _measure_clip(video, rated, clip_rng)
        measured[f"caveat.isa.{video}.other_clips_r"] = _measure_other_clips(trials, video)
    return measured


def _measure_clip(video: str, trials: list[RatedTrial], rng: np.random.Generator) -> dict[str, Measured]:
    ids = (f"isa.{video}.mean_r", f"isa.{video}.p")
    if len(trials) < 2:
        reason = f"agreement needs two raters; {len(trials)} rated {video}"
        return {ids[0]: Measured(None, unit="r", note=reason), ids[1]: Measured(None, unit="p", note=reason)}
    ratings = cut_to_shortest(trials)
    found = agreement(ratings, rng)
    if found is None:
        reason = f"fewer than two of {len(trials)} raters ever changed their rating of {video}"
        return {ids[0]: Measured(None, unit="r", note=reason), ids[1]: Measured(None, unit="p", note=reason)}
    constant = [trials[i].trial.participant for i in np.flatnonzero(np.isnan(found.r))]
    note = f"{np.isfinite(found.r).sum()} of {len(trials)} raters, {ratings.shape[1]} frames"
    if found.p is None:
        p_note = "two raters who changed their rating have one correlation between them: no interval and no p"
        note = joined(note, p_note)
    else:
        p_note = f"share of resamples at or below 0, as published: {found.p_published:g}"
    return {
        ids[0]: Measured(
            found.mean_r,
            ci95=found.ci95,
            p=found.p,
            unit="r",
            note=joined(note, named("left out for a constant rating", constant)),
        ),
        ids[1]: Measured(found.p, unit="p", note=p_note),
    }


def _measure_other_clips(trials: tuple[RatedTrial, ...], video: str) -> Measured:
    r = other_clips_r(trials, video)
    if r is None:
        return Measured(None, unit="r", note=f"no two raters of {video} and of another clip of its kind")
    told = (
        "each rater against the others' mean of the other clips of its kind: agreement without the stimulus"
    )
    return Measured(r, unit="r", note=told)


def rating_curve(trials: Iterable[RatedTrial], video: str) -> RatingCurve | None:
    """Return the mean rating of a clip over time, None where nobody rated it above 0."""
    shown = [rated for rated in trials if rated.trial.video == video]
    active = [rated for rated in shown if rated.responds]
    if not active:
        return None
    ratings = cut_to_shortest(active)
    return RatingCurve(
        video,
        (WARMUP_TICKS + np.arange(ratings.shape[1])) / FRAME_RATE_HZ,
        ratings.mean(axis=0),
        ratings.std(axis=0) / np.sqrt(len(ratings)),
        len(active),
        len(shown),
    )
