"""What the published scores do not say: the same predictions beside simple rules, and within ASMR clips.

Every function here leaves out padded steps unless it says otherwise; it takes the predictions of any
model, published or ours.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline.metrics import (
    Counts,
    Scores,
    accuracy,
    auc,
    balanced_accuracy,
    brier,
    expected_calibration_error,
    matthews_correlation,
    n_changes,
    variance_explained,
)
from offline.predictions import Predictions, TrialPrediction
from offline.rank_scores import RankScores
from offline.resampling import ParticipantBootstrap
from offline.results import Measured
from offline.scores import asmr_trials, fold_scores
from offline.statistics import (
    N_BOOTSTRAP,
    percentile_interval,
    resample_participants,
    trial_counts,
    video_level,
)
from rtasmr.dataset_words import counted
from rtasmr.grid import FRAME_RATE_HZ


def clip_rule(trial: TrialPrediction) -> NDArray[np.float32]:
    """Call every step of an ASMR clip tingle and no step of a nature clip."""
    return np.full(trial.p.shape, trial.is_asmr, dtype=np.float32)


def clip_rule_knowing_padding(trial: TrialPrediction) -> NDArray[np.float32]:
    """Follow ``clip_rule`` and call padded steps no tingle."""
    return clip_rule(trial) * (np.arange(trial.p.size) < trial.n_real)


def never_rule(trial: TrialPrediction) -> NDArray[np.float32]:
    """Call no step tingle."""
    return np.zeros(trial.p.shape, dtype=np.float32)


def pooled_steps(predictions: Predictions) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return truth and probability of all steps of all trials, each of shape (n_steps,)."""
    return (
        np.concatenate([trial.truth for trial in predictions.trials]),
        np.concatenate([trial.p for trial in predictions.trials]),
    )


def by_video(predictions: Predictions) -> dict[str, Predictions]:
    """Return the trials of each clip, clips in order."""
    videos = sorted({trial.trial.video for trial in predictions.trials})
    return {
        video: replace(
            predictions, trials=tuple(trial for trial in predictions.trials if trial.trial.video == video)
        )
        for video in videos
    }


def by_judge(predictions: Predictions) -> list[Predictions]:
    """Return the trials of each clip and fold: people of whom one model spoke at the same instants."""
    return [
        replace(clip, trials=tuple(trial for trial in clip.trials if trial.fold == fold))
        for clip in by_video(predictions).values()
        for fold in clip.folds
    ]


def between_subject_auc(predictions: Predictions) -> float:
    """Return the AUC between participants who see the same instant of one clip.

    The mean over those instants at which some feel a tingle and some do not; 0.5 means that the model
    cannot tell who does. NaN where there is no such instant.

    Parameters
    ----------
    predictions : Predictions
        Trials of one clip.
    """
    n_steps = max(trial.p.size for trial in predictions.trials)
    values = []
    for step in range(n_steps):
        present = [trial for trial in predictions.trials if step < trial.p.size]
        truth = np.array([trial.truth[step] for trial in present])
        values.append(auc(truth, np.array([trial.p[step] for trial in present])))
    return _mean(_defined(values))


def variance_by_instant(predictions: Predictions, *, by_length: bool = False) -> float:
    """Return the share of the probability's variance that clip and time alone explain.

    With ``by_length``, trials of different length are different groups too: the length tells how far
    the end of a trial, padding included, reaches back through a model that reads both ways.
    """
    return variance_explained(pooled_steps(predictions)[1], _instants(predictions, by_length))


def rating_variance_by_instant(predictions: Predictions) -> float:
    """Return the share of the variance of the reported state, tingle or not, that clip and time explain."""
    return variance_explained(pooled_steps(predictions)[0].astype(np.float64), _instants(predictions, False))


def _instants(predictions: Predictions, by_length: bool) -> NDArray[np.int64]:
    """Number the instants of all clips, and of trials of different length apart; one number per step."""
    instants = [
        (trial.trial.video, trial.p.size if by_length else 0, step)
        for trial in predictions.trials
        for step in range(trial.p.size)
    ]
    number = {instant: i for i, instant in enumerate(dict.fromkeys(instants))}
    return np.array([number[instant] for instant in instants])


def non_responders(predictions: Predictions) -> Predictions:
    """Return the ASMR trials without a single step rated tingle."""
    return predictions.where(lambda trial: trial.is_asmr and not trial.truth.any())


def flips_per_minute(predictions: Predictions) -> float:
    """Return how often the predicted state changes, per minute."""
    n_flips = sum(n_changes(trial.predicted) for trial in predictions.trials)
    minutes = sum(trial.p.size for trial in predictions.trials) / FRAME_RATE_HZ / 60.0
    return n_flips / minutes


def rule_scores(predictions: Predictions) -> dict[str, Measured]:
    """Score the three rules as the paper scores its model: padding counted, mean and SD over folds."""
    rules = {
        "clip_rule": clip_rule,
        "clip_rule_knowing_padding": clip_rule_knowing_padding,
        "never": never_rule,
    }
    told = {
        "clip_rule": "rule 'ASMR clip = tingle', padding counted as published",
        "clip_rule_knowing_padding": "the same rule, told which steps are padding",
        "never": "rule 'never a tingle', padding counted as published",
    }
    return {
        f"{name}.{score}": replace(number, note=told[name])
        for name, rule in rules.items()
        for score, number in fold_scores(predictions.with_rule(name, rule)).items()
    }


def gain_over_rules(
    predictions: Predictions, rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Return how far the model's pooled accuracy exceeds the clip rules, with participant intervals.

    The same participants are drawn for model and rule; padding counts as published.
    """
    totals = resample_participants(predictions, n_bootstrap, rng)
    model = trial_counts(predictions)
    found = {}
    for name, rule in (("clip_rule", clip_rule), ("clip_rule_knowing_padding", clip_rule_knowing_padding)):
        ruled = trial_counts(predictions.with_rule(name, rule))
        found[f"gain_over_{name}.accuracy"] = Measured(
            100 * float(accuracy(model.total()) - accuracy(ruled.total())),
            ci95=percentile_interval(100 * (accuracy(totals(model)) - accuracy(totals(ruled)))),
            unit="percentage points",
            note="all folds pooled; the interval resamples participants",
        )
    return found


def within_asmr(
    predictions: Predictions, rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Score the ASMR trials alone, padding left out, all steps pooled; intervals over participants."""
    trials = asmr_trials(predictions).without_padding()
    counts = trial_counts(trials).total()
    interval = ParticipantBootstrap(
        trials, rng, n_bootstrap, undefined="undefined: the truth or the probability does not vary"
    )
    of_trial = trial_counts(trials).to_array()

    def balanced(weights: NDArray[np.int64]) -> Scores:
        return 100 * balanced_accuracy(Counts.from_array(weights @ of_trial))

    truth, p = pooled_steps(trials)
    base_rate = float(truth.mean())
    base_brier = base_rate * (1 - base_rate)
    called = float((counts.tp + counts.fp) / counts.n)
    ranks, elapsed = (
        RankScores.of(one.trials)
        for one in (trials, trials.with_rule("elapsed time", lambda trial: trial.time_s))
    )
    varying = ranks.by_trial[np.isfinite(ranks.by_trial)]
    found = {
        "frames": Measured(float(counts.n), unit="frames", note="ASMR clips, padding left out"),
        "participants": Measured(float(len(trials.participants)), unit="count"),
        "accuracy": Measured(100 * float(accuracy(counts)), unit="%"),
        "always.accuracy": Measured(100 * base_rate, unit="%", note="calling every frame tingle"),
        "never.accuracy": Measured(100 * (1 - base_rate), unit="%", note="calling no frame tingle"),
        "called_tingle": Measured(100 * called, unit="%", note="share of frames the model calls tingle"),
        "balanced_accuracy": interval(balanced, "%", "50 is chance"),
        "mcc": Measured(float(matthews_correlation(counts)), unit="r", note="Matthews correlation"),
        "auc": _or_reason(auc(truth, p), "AUC", "all trials pooled"),
        "auc_within_trial_mean": interval(
            ranks.within_trial, "AUC", f"{counted(varying.size, 'trial')} whose truth varies"
        ),
        "auc_within_trial_median": _or_reason(_median(varying), "AUC"),
        "auc_elapsed_time": interval(
            elapsed.within_trial, "AUC", "elapsed time alone, the same trials and draws of participants"
        ),
        "ece": Measured(expected_calibration_error(truth, p), unit="p", note="10 bins"),
        "brier": Measured(brier(truth, p), unit="p", note=f"constant base rate {base_brier:.3f}"),
        "variance_by_clip_and_time": _or_reason(
            100 * variance_by_instant(trials), "%", "of the variance of the probability"
        ),
        "variance_by_clip_time_and_length": _or_reason(
            100 * variance_by_instant(trials, by_length=True), "%", "the rest is the person"
        ),
        "flips_per_minute": Measured(flips_per_minute(trials), unit="1/min"),
    }
    for video, one in by_video(trials).items():
        found[f"{video}.accuracy"] = Measured(100 * float(accuracy(trial_counts(one).total())), unit="%")
        found[f"{video}.auc"] = _or_reason(auc(*pooled_steps(one)), "AUC")
        found[f"{video}.auc_between_subjects"] = _or_reason(
            between_subject_auc(one), "AUC", "same clip, same instant; 0.5 = cannot tell who feels it"
        )
    return {f"within_asmr.{name}": number for name, number in found.items()}


def non_responder_scores(predictions: Predictions) -> dict[str, Measured]:
    """Return what the model says of ASMR trials in which the participant reported no tingle."""
    asmr = asmr_trials(predictions.without_padding())
    silent = non_responders(asmr)
    n_asmr = len(asmr.trials)
    found = {
        "trials": Measured(
            float(len(silent.trials)), unit="count", note=f"of {counted(n_asmr, 'ASMR trial')}"
        )
    }
    if silent.trials:
        as_asmr = video_level(silent).total()
        found["called_tingle"] = Measured(
            _called_tingle(silent), unit="%", note="share of their frames, padding left out"
        )
        padded = non_responders(asmr_trials(predictions))
        if any(trial.n_real < trial.p.size for trial in padded.trials):
            found["called_tingle.with_padding"] = Measured(
                _called_tingle(padded), unit="%", note="the same, padding counted as published"
            )
        found["video_level_specificity"] = Measured(
            100 * float(as_asmr.fn / as_asmr.n),
            unit="%",
            note=f"{int(as_asmr.fn)} of {int(as_asmr.n)} recognised as without tingle",
        )
    if asmr.trials:
        reported = np.array([trial.truth.any() for trial in asmr.trials])
        n_right = int(np.count_nonzero((video_level(asmr).tp > 0) == reported))
        found["response_accuracy"] = Measured(
            100 * n_right / n_asmr,
            unit="%",
            note=f"video-level call against any report: {n_right} of {counted(n_asmr, 'ASMR trial')}",
        )
    return {f"non_responders.{name}": number for name, number in found.items()}


def _called_tingle(predictions: Predictions) -> float:
    return 100 * float(np.concatenate([trial.predicted for trial in predictions.trials]).mean())


def _defined(values: list[float]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    defined: NDArray[np.float64] = array[~np.isnan(array)]
    return defined


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _or_reason(value: float, unit: str, note: str = "") -> Measured:
    if np.isnan(value):
        return Measured(None, unit=unit, note="undefined: the truth or the probability does not vary")
    return Measured(value, unit=unit, note=note)


def caveats(predictions: Predictions, rng: np.random.Generator) -> dict[str, Measured]:
    """Return all of the above by id, each id starting with ``caveat.``."""
    found = [
        rule_scores(predictions),
        gain_over_rules(predictions, rng),
        within_asmr(predictions, rng.spawn(1)[0]),
        non_responder_scores(predictions),
    ]
    return {
        f"caveat.{name}": number
        for name, number in itertools.chain.from_iterable(part.items() for part in found)
    }
