"""Whether predictions follow the reported course of tingles, and what padding and other raters explain.

Ids start with ``caveat.``; see also `offline.caveats`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline.caveats import by_video, pooled_steps
from offline.metrics import accuracy, auc, brier, macro_f1
from offline.predictions import Predictions, TrialPrediction
from offline.rank_scores import RankScores
from offline.resampling import ParticipantBootstrap
from offline.results import Measured
from offline.scores import asmr_trials, fold_scores
from offline.statistics import N_BOOTSTRAP, fold_values, mean_and_sd, trial_counts
from rtasmr.dataset_words import counted
from rtasmr.grid import FRAME_RATE_HZ

ONSET_TOLERANCE_S = 5.0
"""A predicted onset this near a reported one counts as the same."""


def stimulus_mean(predictions: Predictions) -> Predictions:
    """Predict each trial by the share of the *other* participants who report a tingle at that instant.

    It has seen ratings of the test clip, which a model has not: a reference, not a rival. Padded steps of
    the others do not count.
    """
    return replace(
        predictions,
        model="stimulus_mean",
        trials=tuple(
            replace(trial, p=_mean_of_others(trial, same_clip.trials))
            for same_clip in by_video(predictions).values()
            for trial in same_clip.trials
        ),
    )


def _mean_of_others(trial: TrialPrediction, same_clip: tuple[TrialPrediction, ...]) -> NDArray[np.float32]:
    felt = np.zeros(trial.p.size)
    n_others = np.zeros(trial.p.size)
    for other in same_clip:
        if other.trial == trial.trial:
            continue
        n_steps = min(trial.p.size, other.n_real)
        felt[:n_steps] += other.truth[:n_steps]
        n_others[:n_steps] += 1
    return (felt / np.maximum(n_others, 1)).astype(np.float32)


def onsets(states: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the steps at which a sequence turns true, its first step never among them."""
    return np.flatnonzero(states[1:] & ~states[:-1]) + 1


def onset_scores(predictions: Predictions) -> dict[str, Measured]:
    """Return reported onsets, how many of them a predicted onset meets, and predicted ones that meet none."""
    tolerance = round(ONSET_TOLERANCE_S * FRAME_RATE_HZ)
    n_reported = n_met = n_spurious = 0
    for trial in asmr_trials(predictions.without_padding()).trials:
        near = np.abs(np.subtract.outer(onsets(trial.truth), onsets(trial.predicted))) <= tolerance
        n_reported += near.shape[0]
        n_met += int(near.any(axis=1).sum())
        n_spurious += int((~near.any(axis=0)).sum())
    told = f"within {ONSET_TOLERANCE_S:g} s; onsets at the first step do not count"
    return {
        "onsets.reported": Measured(n_reported, unit="count", note="ASMR clips, after the first step"),
        "onsets.met": Measured(n_met, unit="count", note=told),
        "onsets.spurious": Measured(n_spurious, unit="count", note=f"predicted, none reported {told}"),
    }


def stimulus_mean_scores(
    predictions: Predictions, rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Return what the mean of the other raters of the same clip scores, padding left out within ASMR.

    Intervals resample participants; what the others reported stays.
    """
    if any(len(same_clip.trials) < 2 for same_clip in by_video(predictions).values()):
        return {"stimulus_mean.accuracy": Measured(None, unit="%", note="undefined: a clip with one rater")}
    reference = stimulus_mean(predictions)
    within = asmr_trials(reference).without_padding()
    truth, p = pooled_steps(within)
    interval = ParticipantBootstrap(within, rng, n_bootstrap, undefined="undefined: the truth does not vary")
    scores = {
        "accuracy": Measured(100 * float(accuracy(trial_counts(within).total())), unit="%"),
        "brier": Measured(brier(truth, p), unit="p"),
        "auc": _or_reason(auc(truth, p)),
        "auc_within_trial_mean": interval(RankScores.of(within.trials).within_trial, "AUC"),
    }
    told = "the other raters of the same clip: has seen its ratings, which no model had"
    found = {
        f"stimulus_mean.within_asmr.{name}": replace(number, note=number.note or told)
        for name, number in scores.items()
    }
    for metric in (accuracy, macro_f1):
        mean, sd = mean_and_sd(100 * fold_values(reference, metric))
        found[f"stimulus_mean.{metric.__name__}"] = Measured(mean, sd, unit="%", note=told)
    return found


def padding_scores(predictions: Predictions) -> dict[str, Measured]:
    """Return how much padding there is, and the paper's scores without it."""
    n_padded = sum(trial.p.size - trial.n_real for trial in predictions.trials)
    n_trials = sum(trial.n_real < trial.p.size for trial in predictions.trials)
    found = {
        "padding.steps": Measured(
            n_padded, unit="count", note=f"zero padding in {counted(n_trials, 'trial')}"
        )
    }
    n_blind = sum(trial.n_blind for trial in predictions.trials)
    if n_blind:
        n_trials = sum(trial.n_blind > 0 for trial in predictions.trials)
        found["padding.blind_steps"] = Measured(
            n_blind,
            unit="count",
            note=f"without picture, sound and pulse in {counted(n_trials, 'trial')}; scored like all others",
        )
    found |= {
        f"without_padding.{name}": replace(number, note="mean and SD over folds, padding left out")
        for name, number in fold_scores(predictions.without_padding()).items()
    }
    return found


def participant_facts(predictions: Predictions, participant: int) -> dict[str, Measured]:
    """Return how the ASMR trial of one participant (figure 6) looks; empty without such a trial."""
    for trial in asmr_trials(predictions).trials:
        if trial.trial.participant == participant:
            real = trial.without_padding()
            told = f"participant {participant}, {trial.trial.video}, padding left out"
            return {
                "figure6.reported": Measured(100 * float(real.truth.mean()), unit="%", note=told),
                "figure6.called": Measured(100 * float(real.predicted.mean()), unit="%", note=told),
                "figure6.onsets": Measured(len(onsets(real.truth)), unit="count", note=told),
                "figure6.padded_steps": Measured(trial.p.size - trial.n_real, unit="count"),
            }
    return {}


def _or_reason(value: float) -> Measured:
    if np.isnan(value):
        return Measured(None, unit="AUC", note="undefined: the truth does not vary")
    return Measured(value, unit="AUC")


def time_course(
    predictions: Predictions, figure_6_participant: int, rng: np.random.Generator
) -> dict[str, Measured]:
    """Return all of the above by id."""
    found = (
        padding_scores(predictions)
        | onset_scores(predictions)
        | stimulus_mean_scores(predictions, rng)
        | participant_facts(predictions, figure_6_participant)
    )
    return {f"caveat.{name}": number for name, number in found.items()}
