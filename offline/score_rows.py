"""One row of the evaluation: everything that one set of predictions is scored by.

Scores are of ASMR clips unless they say otherwise: on nature clips nobody reports a tingle by definition, so
whoever knows the kind of clip scores there for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offline.calibration_error import CALIBRATION_BINS, CalibrationError
from offline.caveats import flips_per_minute, pooled_steps
from offline.events import EventScores, response_counts
from offline.metrics import (
    CalibrationBins,
    Counts,
    Scores,
    auc,
    balanced_accuracy,
    calibration_bins,
    matthews_correlation,
    sensitivity,
    specificity,
)
from offline.person_specific import PersonScores
from offline.person_test import PersonTest, person_test
from offline.predictions import Predictions
from offline.rank_scores import PrecisionScore, RankScores, mean_of_defined
from offline.resampling import ParticipantBootstrap
from offline.results import Measured
from offline.scores import asmr_trials
from offline.statistics import N_BOOTSTRAP, trial_counts
from offline.time_course import ONSET_TOLERANCE_S
from rtasmr.errors import DataError

BALANCED, MCC, AUC, AUPRC = "balanced_accuracy", "mcc", "auc", "auprc"
WITHIN, OVER_ELAPSED, BETWEEN, OWN = "auc_within_trial", "auc_over_elapsed", "auc_between", "own_r"
KIND, BRIER, PARTICIPANTS = "auc_of_kind", "brier", "participants"
ECE, CHANCE_ECE = "ece", "ece_when_calibrated"


@dataclass(frozen=True, slots=True, eq=False)
class ScoreRow:
    """The scores of one set of predictions.

    Parameters
    ----------
    scores : dict of str to Measured
    person : PersonTest
    reliability : CalibrationBins
    """

    scores: dict[str, Measured]
    person: PersonTest
    reliability: CalibrationBins


def only_answered(predictions: Predictions) -> Predictions:
    """Return the steps that have a probability; trials without any are left out.

    Steps then no longer lie on the grid: for scores that pool steps.
    """
    trials = []
    for trial in predictions.trials:
        answered = np.isfinite(trial.p)
        if answered.any():
            n = int(answered.sum())
            trials.append(replace(trial, p=trial.p[answered], rating=trial.rating[answered], n_real=n))
    return replace(predictions, trials=tuple(trials))


def answered_by_all(models: Sequence[Predictions]) -> list[Predictions]:
    """Return predictions of the same trials cut to the steps that all of them have a probability for.

    Parameters
    ----------
    models : sequence of Predictions
        With their trials in the same order. As in `only_answered`, steps no longer lie on the grid.
    """
    masked = []
    for trials in zip(*(model.trials for model in models), strict=True):
        answered = np.logical_and.reduce([np.isfinite(trial.p) for trial in trials])
        masked.append([replace(t, p=np.where(answered, t.p, np.float32(np.nan))) for t in trials])
    return [
        only_answered(replace(model, trials=tuple(column)))
        for model, column in zip(models, zip(*masked, strict=True), strict=True)
    ]


def score_row(
    predictions: Predictions,
    rng: np.random.Generator,
    *,
    lookahead_s: float | None = 0.0,
    n_bootstrap: int = N_BOOTSTRAP,
) -> ScoreRow:
    """Score predictions, padding left out, with 95 % intervals over participants.

    Parameters
    ----------
    predictions : Predictions
        NaN where the runtime would have given no probability.
    rng : Generator
    lookahead_s : float or None
        How long after a moment its probability is known; part of the onset latency. None where it is not
        known and left out.
    n_bootstrap : int

    Raises
    ------
    DataError
        No ASMR trial has a probability.
    """
    real = predictions.without_padding()
    asmr = asmr_trials(real)
    pooled = only_answered(asmr)
    if not pooled.trials:
        raise DataError(
            f"{predictions.model}: expected ASMR trials with probabilities, got none; evaluate others"
        )
    row_rng, person_rng, kind_rng = rng.spawn(3)
    n_steps = sum(trial.p.size for trial in asmr.trials)
    n_answered = sum(trial.p.size for trial in pooled.trials)
    scores = {
        PARTICIPANTS: Measured(float(len(pooled.participants)), unit="count", note="people on ASMR clips"),
        "answered": Measured(100 * n_answered / n_steps, unit="%", note="share of ASMR ticks"),
    }
    scores |= _pooled_scores(pooled, row_rng, n_bootstrap)
    scores |= _event_scores(asmr, row_rng, lookahead_s, n_bootstrap)
    complete = replace(asmr, trials=tuple(t for t in asmr.trials if np.isfinite(t.p).all()))
    person = PersonTest(None, 0, 1.0)
    if complete.trials:
        own = PersonScores.of([complete])
        interval = ParticipantBootstrap(complete, row_rng, n_bootstrap)
        person = person_test(complete.trials, person_rng)
        scores[BETWEEN] = interval(own.concordance, "AUC", "two people at one instant of one clip")
        scores[OWN] = replace(
            interval(own.correlation, "r", "probability and report, less what all share and trial means"),
            p=person.p,
        )
    scores[KIND] = _kind(only_answered(real), kind_rng, n_bootstrap)
    truth, p = pooled_steps(pooled)
    return ScoreRow(scores, person, calibration_bins(truth, p, CALIBRATION_BINS))


def _pooled_scores(
    predictions: Predictions, rng: np.random.Generator, n_bootstrap: int
) -> dict[str, Measured]:
    trials = predictions.trials
    interval = ParticipantBootstrap(predictions, rng, n_bootstrap)
    counts = trial_counts(predictions).to_array()
    ranks, squares = RankScores.of(trials), PersonScores.of([predictions])
    calibration = CalibrationError(trials)
    elapsed = np.array([auc(trial.truth, np.arange(trial.p.size, dtype=np.float64)) for trial in trials])
    calls = np.array([[trial.predicted.sum(), trial.p.size] for trial in trials])
    n_varying = int(np.isfinite(ranks.by_trial).sum())
    base_rate = float(pooled_steps(predictions)[0].mean())

    def called(weights: NDArray[np.int64]) -> Scores:
        sums = weights @ calls
        return np.asarray(100 * sums[..., 0] / sums[..., 1])

    def over_elapsed(weights: NDArray[np.int64]) -> Scores:
        return mean_of_defined(ranks.by_trial - elapsed, weights)

    return {
        BALANCED: interval(
            lambda w: 100 * balanced_accuracy(Counts.from_array(w @ counts)), "%", "50 is chance"
        ),
        MCC: interval(lambda w: matthews_correlation(Counts.from_array(w @ counts)), "r"),
        AUC: interval(ranks.pooled, "AUC", "all moments pooled"),
        AUPRC: interval(PrecisionScore(trials), "AUPRC", f"{base_rate:.3f} is chance: the base rate"),
        WITHIN: interval(ranks.within_trial, "AUC", f"over time, {n_varying} trials whose truth varies"),
        OVER_ELAPSED: interval.tested(over_elapsed, "AUC", "within trials, more than elapsed time has"),
        "called": interval(called, "%", "share of ticks called tingle"),
        BRIER: interval(squares.brier, "squared error"),
        ECE: interval(calibration, "p", f"{CALIBRATION_BINS} bins"),
        CHANCE_ECE: calibration.when_calibrated(rng.spawn(1)[0], n_bootstrap),
    }


def _event_scores(
    predictions: Predictions, rng: np.random.Generator, lookahead_s: float | None, n_bootstrap: int
) -> dict[str, Measured]:
    trials = predictions.trials
    interval = ParticipantBootstrap(predictions, rng, n_bootstrap)
    events, responses = EventScores.of(trials), response_counts(trials).to_array()
    n_reported, n_predicted, n_matched = events.counts.sum(axis=0)
    n_silent = int(np.count_nonzero([not trial.truth.any() for trial in trials]))
    told = f"within {ONSET_TOLERANCE_S:g} s, one to one; onsets at the first tick do not count"
    delays = np.concatenate(events.delays_s) + (lookahead_s or 0.0)
    ahead = "look-ahead not known and left out" if lookahead_s is None else "look-ahead included"
    latency = Measured(None, unit="s", note="undefined: no predicted onset meets a reported one")
    if delays.size:
        latency = Measured(float(np.median(delays)), unit="s", note=f"median of {delays.size}, {ahead}")
    return {
        "onset_recall": interval(events.recall, "share", f"{n_matched} of {n_reported} reported, {told}"),
        "onset_precision": interval(events.precision, "share", f"{n_matched} of {n_predicted} predicted"),
        "onset_latency": latency,
        "flips_per_minute": Measured(flips_per_minute(predictions), unit="1/min"),
        "response_sensitivity": interval(
            lambda w: 100 * sensitivity(Counts.from_array(w @ responses)),
            "%",
            f"{len(trials) - n_silent} trials with tingles",
        ),
        "response_specificity": interval(
            lambda w: 100 * specificity(Counts.from_array(w @ responses)),
            "%",
            f"{n_silent} trials without any",
        ),
    }


def _kind(predictions: Predictions, rng: np.random.Generator, n_bootstrap: int) -> Measured:
    """Return how well the mean probability of a trial tells the kind of its clip."""
    trials = predictions.trials
    kinds = np.array([trial.is_asmr for trial in trials])
    if kinds.all() or not kinds.any():
        return Measured(None, unit="AUC", note="undefined: clips of one kind only")
    level = np.array([float(trial.p.mean()) for trial in trials])
    higher = np.where(level[:, None] == level, 0.5, level[:, None] > level)
    pairs = np.outer(kinds, ~kinds).astype(float)
    ranks = RankScores(higher * pairs, pairs)
    interval = ParticipantBootstrap(predictions, rng, n_bootstrap)
    return interval(ranks.pooled, "AUC", "mean probability of a trial: ASMR against nature clips")
