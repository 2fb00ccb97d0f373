"""The paper's tables as functions of saved predictions, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from offline.metrics import Counts, Metric, Scores, accuracy, macro_f1, macro_precision, macro_recall
from offline.notes import joined
from offline.predictions import Predictions
from offline.results import Measured
from offline.splits import N_FOLDS
from offline.statistics import (
    N_BOOTSTRAP,
    N_PERMUTATIONS,
    bootstrap_multiplicities,
    fold_values,
    label_permutation,
    mean_and_sd,
    percentile_interval,
    resample_participants,
    sequence_permutation,
    trial_counts,
    video_level,
)
from rtasmr.errors import DataError

FRAME_METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "macro_precision": macro_precision,
    "macro_recall": macro_recall,
}
"""Frame-level scores of the paper over ASMR and nature trials together."""

NATURE_SPECIFICITY = "nature_specificity"


def fold_scores(predictions: Predictions) -> dict[str, Measured]:
    """Return mean and SD over folds of the paper's five frame-level scores, in percent.

    Keys: ``accuracy``, ``macro_f1``, ``macro_precision``, ``macro_recall``, ``nature_specificity``. The
    published protocol counts padded steps; drop them before the call to leave them out.
    """
    _require_both_kinds(predictions)
    scores = {name: _percent_over_folds(predictions, metric) for name, metric in FRAME_METRICS.items()}
    # Truth on nature clips is always negative, so accuracy there is the specificity.
    scores[NATURE_SPECIFICITY] = _percent_over_folds(nature_trials(predictions), accuracy)
    return scores


def frame_level(
    predictions: Predictions,
    rng: np.random.Generator,
    *,
    n_bootstrap: int = N_BOOTSTRAP,
    n_permutations: int = N_PERMUTATIONS,
) -> dict[str, Measured]:
    """Return Table 1: fold mean and SD, participant interval, permutation p and Cohen's d.

    As published, interval, p and d belong to the score of all folds pooled, the mean and SD to the
    folds. ``p`` is (count + 1) / (n + 1).
    """
    over_folds = fold_scores(predictions)
    boot_rng, permutation_rng = rng.spawn(2)
    totals = resample_participants(predictions, n_bootstrap, boot_rng)
    counts = trial_counts(predictions)
    is_nature = np.array([not trial.is_asmr for trial in predictions.trials])
    # Resampled totals over the nature trials alone: the same draws, other trials weighing nothing.
    nature_counts = Counts.from_array(counts.to_array() * is_nature[:, None])
    tests, nature_test = sequence_permutation(predictions, FRAME_METRICS, n_permutations, permutation_rng)
    samples = {name: metric(totals(counts)) for name, metric in FRAME_METRICS.items()}
    samples[NATURE_SPECIFICITY] = accuracy(totals(nature_counts))
    tests[NATURE_SPECIFICITY] = nature_test
    return {
        name: Measured(
            score.value,
            score.sd,
            _percent_interval(samples[name]),
            tests[name].p,
            None if np.isnan(tests[name].cohen_d) else tests[name].cohen_d,
            "%",
            joined(f"all folds pooled: {100 * tests[name].observed:.2f}", score.note),
        )
        for name, score in over_folds.items()
    }


def pooled_scores(predictions: Predictions) -> dict[str, Measured]:
    """Return the paper's five frame-level scores of all folds together, in percent.

    A score of pooled counts is no mean of the folds' scores, and can lie far from it.
    """
    told = "all folds pooled: interval, p and Cohen's d of Table 1 belong to this score"
    scores = {name: metric(trial_counts(predictions).total()) for name, metric in FRAME_METRICS.items()}
    scores[NATURE_SPECIFICITY] = accuracy(trial_counts(nature_trials(predictions)).total())
    return {name: Measured(100 * float(score), unit="%", note=told) for name, score in scores.items()}


def clip_level(
    predictions: Predictions,
    rng: np.random.Generator,
    *,
    n_bootstrap: int = N_BOOTSTRAP,
    n_permutations: int = N_PERMUTATIONS,
) -> dict[str, Measured]:
    """Return the video-level result: ``accuracy``, ``macro_f1`` (percent) and ``sequences``.

    As published, the interval resamples single trials, not participants.
    """
    counts = video_level(predictions)
    folds = np.array([trial.fold for trial in predictions.trials])
    boot_rng, permutation_rng = rng.spawn(2)
    weights = bootstrap_multiplicities(len(predictions.trials), n_bootstrap, boot_rng)
    resampled = Counts.from_array(weights @ counts.to_array())
    test = label_permutation(counts, n_permutations, permutation_rng)

    def over_folds(metric: Metric) -> tuple[float, float | None]:
        values = [float(metric(counts.take(folds == fold).total())) for fold in predictions.folds]
        return _percent(np.array(values))

    note = joined(
        "truth is the kind of clip, not what the participant reported", _of_fewer_folds(predictions)
    )
    return {
        "accuracy": Measured(
            *over_folds(accuracy), ci95=_percent_interval(accuracy(resampled)), p=test.p, unit="%", note=note
        ),
        "macro_f1": Measured(*over_folds(macro_f1), unit="%", note=note),
        "sequences": Measured(float(len(predictions.trials)), unit="count"),
    }


def nature_trials(predictions: Predictions) -> Predictions:
    """Return the trials with a nature clip."""
    return predictions.where(lambda trial: not trial.is_asmr)


def asmr_trials(predictions: Predictions) -> Predictions:
    """Return the trials with an ASMR clip."""
    return predictions.where(lambda trial: trial.is_asmr)


def _percent_over_folds(predictions: Predictions, metric: Metric) -> Measured:
    mean, sd = _percent(fold_values(predictions, metric))
    return Measured(mean, sd, unit="%", note=_of_fewer_folds(predictions))


def _percent(values: Scores) -> tuple[float, float | None]:
    mean, sd = mean_and_sd(values)
    return 100 * mean, None if sd is None else 100 * sd


def _of_fewer_folds(predictions: Predictions) -> str:
    """Return which folds there are, where that is not all of them."""
    if len(predictions.folds) == N_FOLDS:
        return ""
    return f"folds {', '.join(map(str, predictions.folds))} only, as the others could not be tested"


def _percent_interval(samples: Scores) -> tuple[float, float]:
    # A draw of people without a trial of the kind that is scored has no score.
    low, high = percentile_interval(samples[np.isfinite(samples)])
    return 100 * low, 100 * high


def _require_both_kinds(predictions: Predictions) -> None:
    for fold in predictions.folds:
        kinds = {trial.is_asmr for trial in predictions.trials if trial.fold == fold}
        if kinds != {True, False}:
            raise DataError(
                f"model {predictions.model!r}, fold {fold}: expected ASMR and nature trials, got one kind "
                "only; predict both clips of the fold"
            )
    if not predictions.folds:
        raise DataError(f"model {predictions.model!r}: expected test trials, got none")
