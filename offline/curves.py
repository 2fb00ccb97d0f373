"""How a model's scores change with the way it is served: look-ahead, window, the whole clip at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from offline.asking import Asker
from offline.metrics import Counts, balanced_accuracy
from offline.person_specific import PersonScores
from offline.predictions import Predictions
from offline.rank_scores import RankScores
from offline.resampling import ParticipantBootstrap
from offline.results import Measured
from offline.score_rows import only_answered
from offline.statistics import N_BOOTSTRAP, trial_counts
from offline.streaming import Serving
from rtasmr.grid import FRAME_RATE_HZ

LOOKAHEADS_S = (0.0, 0.5, 1.0, 2.0, 5.0)
WINDOWS_S = (10.0, 20.0, 55.0)


def serving_curves(
    asker: Asker, rng: np.random.Generator, *, stride: int, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Return scores within ASMR clips against look-ahead and against window, everything else as served.

    The same ticks are judged and the same participants drawn at every point. Ids: ``lookahead.0.5.auc``,
    ``window.20.brier`` and so on.
    """
    points = {f"lookahead.{seconds:g}": _with_lookahead(seconds) for seconds in LOOKAHEADS_S}
    points |= {f"window.{seconds:g}": _with_window(seconds) for seconds in WINDOWS_S}
    seed = int(rng.integers(2**63))
    found: dict[str, Measured] = {}
    for name, serve in points.items():
        if any(one.lookahead_frames >= one.window_frames for one in map(serve, asker.servings)):
            note = "not served: the window ends before the look-ahead"
            found[f"{name}.auc"] = Measured(None, unit="AUC", note=note)
            continue
        said = asker.ask(serve=serve, stride=stride, asmr_only=True)
        found |= {
            f"{name}.{key}": number
            for key, number in _scores(said, np.random.default_rng(seed), n_bootstrap).items()
        }
    return found


def clip_agreement(asker: Asker, streamed: Predictions) -> dict[str, Measured]:
    """Return how streaming scores agree with what the same model says of the whole clip at once.

    Parameters
    ----------
    asker : Asker
    streamed : Predictions
        What it says as served, of all its trials.
    """
    whole = {trial.trial: trial for trial in asker.ask(whole_clip=True).trials}
    one, other, same = [], [], []
    for trial in streamed.trials:
        answered, clip = np.isfinite(trial.p), whole[trial.trial]
        one.append(trial.p[answered])
        other.append(clip.p[answered])
        same.append((trial.predicted == clip.predicted)[answered])
    said, said_of_clip = np.concatenate(one), np.concatenate(other)
    told = f"streaming against whole clip, the same model and features, {said.size} ticks"
    r = Measured(None, unit="r", note="undefined: the probability does not vary")
    if said.std() > 0 and said_of_clip.std() > 0:
        r = Measured(float(np.corrcoef(said, said_of_clip)[0, 1]), unit="r", note=told)
    difference = float(np.abs(said - said_of_clip).mean())
    return {
        "clip.r": r,
        "clip.same_call": Measured(100 * float(np.concatenate(same).mean()), unit="%", note=told),
        "clip.mean_difference": Measured(difference, unit="probability", note=told),
    }


def _with_lookahead(seconds: float) -> Callable[[Serving], Serving]:
    return lambda own: replace(own, lookahead_frames=round(seconds * FRAME_RATE_HZ))


def _with_window(seconds: float) -> Callable[[Serving], Serving]:
    return lambda own: replace(own, window_frames=round(seconds * FRAME_RATE_HZ))


def _scores(said: Predictions, rng: np.random.Generator, n_bootstrap: int) -> dict[str, Measured]:
    answered = only_answered(said)
    counts = trial_counts(answered).to_array()
    interval = ParticipantBootstrap(answered, rng, n_bootstrap)
    return {
        "auc": interval(RankScores.of(answered.trials).pooled, "AUC"),
        "balanced_accuracy": interval(
            lambda weights: 100 * balanced_accuracy(Counts.from_array(weights @ counts)), "%"
        ),
        "brier": interval(PersonScores.of([answered]).brier, "squared error"),
    }
