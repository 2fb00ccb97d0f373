"""How probabilities and ratings vary: with the clip, the instant, the person and each other.

Padding is left out unless a note says otherwise. Ids start with ``caveat.variation.``; see also
`offline.caveats`.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from offline.caveats import by_video, pooled_steps, rating_variance_by_instant, variance_by_instant
from offline.metrics import auc, calibration_bins, n_changes, variance_explained
from offline.predictions import Predictions
from offline.results import Measured
from offline.scores import asmr_trials
from rtasmr.dataset_words import counted
from rtasmr.grid import FRAME_RATE_HZ

N_BINS = 10
"""Bins of the probability, as in the calibration error."""


def between_people(predictions: Predictions) -> NDArray[np.float64] | None:
    """Return the probabilities that people have at the same instants of one clip.

    Only trials of the most frequent length: how long a trial is tells a model that reads both ways how far
    its end is, and who saw the clip first is padded in the published data.

    Parameters
    ----------
    predictions : Predictions
        Trials of one clip, padding left out.

    Returns
    -------
    ndarray of shape (n_people, n_steps), or None
        None where no two trials are equally long.
    """
    # Of lengths that are equally frequent, the longest.
    length, n_people = max(
        Counter(trial.p.size for trial in predictions.trials).items(), key=lambda item: (item[1], item[0])
    )
    if n_people < 2:
        return None
    return np.stack([t.p for t in predictions.trials if t.p.size == length]).astype(np.float64)


def first_calls_s(predictions: Predictions) -> NDArray[np.float64]:
    """Return how long after its first step each trial is first called tingle, those never called left out."""
    first = [np.flatnonzero(trial.predicted)[:1] for trial in predictions.trials]
    return np.concatenate([*first, np.empty(0)]) / FRAME_RATE_HZ


def rating_variance_by_trial(predictions: Predictions) -> float:
    """Return the share of the variance of the reported state that the means of the trials explain."""
    sizes = [trial.truth.size for trial in predictions.trials]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return variance_explained(pooled_steps(predictions)[0].astype(np.float64), groups)


def variation(predictions: Predictions) -> dict[str, Measured]:
    """Return all of the above by id, and how often a tingle was reported at each probability."""
    found = _all_clips(predictions)
    asmr = asmr_trials(predictions).without_padding()
    found |= {
        "ratings.variance_by_clip_and_time": _or_reason(
            100 * rating_variance_by_instant(asmr), "%", "of the variance of the reported state"
        ),
        "ratings.variance_by_trial": _or_reason(
            100 * rating_variance_by_trial(asmr), "%", "of the same, by the mean of each trial"
        ),
        "flips_per_trial": Measured(
            float(np.mean([n_changes(trial.predicted) for trial in asmr.trials])), unit="changes"
        ),
        "ratings.flips_per_trial": Measured(
            float(np.mean([n_changes(trial.truth) for trial in asmr.trials])), unit="changes"
        ),
        "first_call": _first_call(asmr),
    }
    for video, one in by_video(asmr).items():
        found |= {f"{video}.{name}": number for name, number in _of_clip(one).items()}
    found |= _by_probability(asmr)
    return {f"caveat.variation.{name}": number for name, number in found.items()}


def _all_clips(predictions: Predictions) -> dict[str, Measured]:
    real = predictions.without_padding()
    without = auc(*pooled_steps(real))
    told = "padding counted as published" + ("" if np.isnan(without) else f"; without it {without:.3f}")
    return {
        "all_clips.auc": _or_reason(auc(*pooled_steps(predictions)), "AUC", told),
        "all_clips.variance_by_clip_and_time": _or_reason(
            100 * variance_by_instant(real), "%", "of the variance of the probability, nature clips included"
        ),
    }


def _first_call(asmr: Predictions) -> Measured:
    first = first_calls_s(asmr)
    never = len(asmr.trials) - len(first)
    if not len(first):
        return Measured(None, unit="s", note="undefined: no trial is called tingle anywhere")
    told = "median, after the first step that is scored"
    if never:
        told += f"; {counted(never, 'trial')} never called left out"
    return Measured(float(np.median(first)), unit="s", note=told)


def _of_clip(one: Predictions) -> dict[str, Measured]:
    found = {
        "always.accuracy": Measured(
            100 * float(pooled_steps(one)[0].mean()), unit="%", note="calling every frame tingle"
        )
    }
    p = between_people(one)
    if p is None:
        reason = "undefined: no two people saw it equally long"
        return found | {
            name: Measured(None, unit="probability", note=reason)
            for name in ("sd_between_people", "range_between_people")
        }
    told = f"{len(p)} people who saw it equally long, at the same instant"
    return found | {
        "sd_between_people": Measured(float(p.std(axis=0).mean()), unit="probability", note=f"mean, {told}"),
        "range_between_people": Measured(
            float(np.ptp(p, axis=0).max()), unit="probability", note=f"largest, {told}"
        ),
    }


def _by_probability(asmr: Predictions) -> dict[str, Measured]:
    bins = calibration_bins(*pooled_steps(asmr), N_BINS)
    width = 100 // N_BINS
    return {
        f"tingle_where_p_is_{width * i}_to_{width * (i + 1)}": Measured(
            None if n == 0 else 100 * float(share),
            unit="%",
            note="no frame has such a probability" if n == 0 else f"of {counted(int(n), 'frame')}",
        )
        for i, (n, share) in enumerate(zip(bins.n, bins.frequency, strict=True))
    }


def _or_reason(value: float, unit: str, note: str) -> Measured:
    if np.isnan(value):
        return Measured(None, unit=unit, note="undefined: the truth or the probability does not vary")
    return Measured(value, unit=unit, note=note)
