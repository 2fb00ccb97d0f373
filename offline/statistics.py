"""Uncertainty and tests over trials and folds; all randomness comes from the caller's generator.

Everything rests on per-trial confusion counts, so 2000 resamples are one matrix product and 5000
permutations are sums of table look-ups, exact to the step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

from offline.metrics import Counts, Metric, Scores, accuracy
from offline.predictions import Predictions
from rtasmr.errors import DataError

N_BOOTSTRAP = 2000
N_PERMUTATIONS = 5000
VIDEO_LEVEL_SHARE = 0.15
"""Share of a sequence's steps that makes the whole clip count as ASMR."""

_MAX_EXACT_FOLDS = 6  # 6 ** 6 = 46 656 resamples; 7 folds would need 823 543
_TIE = 1e-12  # means of fold scores closer than this are equal


def trial_counts(predictions: Predictions) -> Counts:
    """Return the confusion counts of each trial, shape (n_trials,)."""
    return Counts.stack([(trial.truth, trial.predicted) for trial in predictions.trials])


def fold_values(predictions: Predictions, metric: Metric) -> Scores:
    """Return the metric of each fold, its trials pooled; shape (n_folds,)."""
    counts = trial_counts(predictions)
    folds = np.array([trial.fold for trial in predictions.trials])
    return np.array([float(metric(counts.take(folds == fold).total())) for fold in predictions.folds])


def mean_and_sd(values: Scores) -> tuple[float, float | None]:
    """Return mean and population standard deviation (ddof 0, as published) over folds; one has no SD."""
    return float(np.mean(values)), float(np.std(values)) if values.size > 1 else None


def percentile_interval(samples: Scores, level: float = 0.95) -> tuple[float, float]:
    """Return the central interval that holds ``level`` of the samples (linear percentiles)."""
    low, high = np.percentile(samples, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def bootstrap_multiplicities(n_units: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how often each unit is drawn, shape (n_resamples, n_units); each row sums to n_units."""
    return rng.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=n_resamples)


def resample_participants(
    predictions: Predictions, n_resamples: int, rng: np.random.Generator
) -> Callable[[Counts], Counts]:
    """Draw participants with replacement; return what turns per-trial counts into resampled totals.

    The function returned takes counts of shape (n_trials,) of *these* trials and gives counts of shape
    (n_resamples,). Using it for two models pairs them.
    """
    participants = np.array([trial.trial.participant for trial in predictions.trials])
    units, unit_of_trial = np.unique(participants, return_inverse=True)
    weights = bootstrap_multiplicities(len(units), n_resamples, rng)[:, unit_of_trial]

    def totals(counts: Counts) -> Counts:
        return Counts.from_array(weights @ counts.to_array())

    return totals


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """Result of a permutation test.

    ``p_published`` is count / n (0 is possible), ``p`` is (count + 1) / (n + 1), which is never 0.
    ``cohen_d`` is the distance of the observed score to the null's mean in null standard deviations;
    NaN where the null does not vary.
    """

    observed: float
    p: float
    p_published: float
    cohen_d: float


def _judge_null(observed: float, null: Scores) -> PermutationTest:
    # A score that equals the observed one must count, whatever the order of its sums.
    n_at_least = int(np.count_nonzero(null >= observed - _TIE))
    sd = float(np.std(null))
    d = (observed - float(np.mean(null))) / sd if sd > 0 else float("nan")
    return PermutationTest(observed, (n_at_least + 1) / (null.size + 1), n_at_least / null.size, d)


def sequence_permutation(
    predictions: Predictions,
    metrics: Mapping[str, Metric],
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[dict[str, PermutationTest], PermutationTest]:
    """Test scores against whole truth sequences shuffled over the trials.

    Parameters
    ----------
    predictions : Predictions
        Sequences of one length (the published protocol pads them).
    metrics : mapping of str to Metric
        Scores of all trials pooled.

    Returns
    -------
    tests : dict of str to PermutationTest
        One per metric. Accuracy, macro F1, precision and recall keep both margins under this shuffle and
        are one linear function of the hits: the same test under four names.
    nature : PermutationTest
        Accuracy on the nature trials, whose shuffled truths may come from ASMR trials, as published.
    """
    lengths = {trial.p.size for trial in predictions.trials}
    if len(lengths) != 1:
        raise DataError(
            f"model {predictions.model!r}: expected sequences of one length to shuffle, got lengths "
            f"{sorted(lengths)}; test the padded sequences"
        )
    truth = np.stack([trial.truth for trial in predictions.trials]).astype(np.int64)
    predicted = np.stack([trial.predicted for trial in predictions.trials]).astype(np.int64)
    hits = predicted @ truth.T  # (n_trials, n_trials): true positives of prediction i against truth j
    n_called, n_true = predicted.sum(axis=1), truth.sum(axis=1)
    rows = np.arange(len(predictions.trials))
    order = np.stack([rows, *(rng.permutation(len(rows)) for _ in range(n_permutations))])
    tp = hits[rows, order]  # (1 + n_permutations, n_trials); row 0 is the observed order
    fp, fn = n_called - tp, n_true[order] - tp
    counts = Counts(tp, fp, fn, lengths.pop() - tp - fp - fn)

    def test(metric: Metric, keep: NDArray[np.bool_]) -> PermutationTest:
        values = metric(Counts.from_array(counts.to_array()[:, keep].sum(axis=1)))
        return _judge_null(float(values[0]), values[1:])

    nature = np.array([not trial.is_asmr for trial in predictions.trials])
    everything = np.ones(len(rows), dtype=bool)
    return {name: test(metric, everything) for name, metric in metrics.items()}, test(accuracy, nature)


def video_level(predictions: Predictions, share: float = VIDEO_LEVEL_SHARE) -> Counts:
    """Classify whole clips by the share of steps called tingle; counts of shape (n_trials,).

    A clip is called ASMR when at least ``int(n_steps * share)`` of its steps are (82 of 550; the paper's
    text says 82.5). As published, the truth is the kind of clip, not what the participant reported.
    """
    called = [np.count_nonzero(trial.predicted) >= int(trial.p.size * share) for trial in predictions.trials]
    return Counts.stack(
        [
            (np.array([trial.is_asmr]), np.array([call]))
            for trial, call in zip(predictions.trials, called, strict=True)
        ]
    )


def label_permutation(counts: Counts, n_permutations: int, rng: np.random.Generator) -> PermutationTest:
    """Test the accuracy of single decisions, counts of shape (n_trials,), against shuffled truths.

    With both margins fixed the hits of a shuffle are hypergeometric, so they are drawn as such.
    """
    total = counts.total()
    n_true, n_called = int(total.tp + total.fn), int(total.tp + total.fp)
    tp = rng.hypergeometric(n_true, int(total.n) - n_true, n_called, size=n_permutations)
    shuffled = Counts(tp, n_called - tp, n_true - tp, total.n - n_called - n_true + tp)
    return _judge_null(float(accuracy(total)), accuracy(shuffled))


def _paired_differences(first: Sequence[float], second: Sequence[float]) -> Scores:
    if len(first) != len(second) or not 2 <= len(first) <= _MAX_EXACT_FOLDS:
        raise DataError(
            f"expected the same 2 to {_MAX_EXACT_FOLDS} folds of both models, so that all resamples can be "
            f"listed; got {len(first)} and {len(second)} fold scores"
        )
    return np.subtract(first, second, dtype=np.float64)


def paired_bootstrap_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the exact p-value of the published paired bootstrap over fold scores.

    The differences are shifted to mean 0 and resampled with replacement; p is the share of all
    ``n ** n`` resamples (256 for four folds, 27 for three) whose mean reaches the observed mean. It is a
    multiple of one in so many, and 0 where all folds gain nearly the same.
    """
    differences = _paired_differences(first, second)
    shifted = differences - differences.mean()
    means = np.array([np.mean(draw) for draw in itertools.product(shifted, repeat=len(shifted))])
    return float(np.mean(means >= differences.mean() - _TIE))


def sign_flip_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the exact one-sided p-value over all sign patterns of the paired differences."""
    differences = _paired_differences(first, second)
    means = np.array(
        [np.mean(signs * differences) for signs in itertools.product((1.0, -1.0), repeat=len(differences))]
    )
    return float(np.mean(means >= differences.mean() - _TIE))


def paired_t_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the one-sided p-value of the paired t-test that ``first`` scores higher.

    None where all differences are equal, as those of two models that say the same: there is no t.
    """
    if np.ptp(_paired_differences(first, second)) < _TIE:
        return None
    return float(ttest_rel(first, second, alternative="greater").pvalue)
