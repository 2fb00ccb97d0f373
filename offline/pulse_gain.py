"""Whether the pulse adds anything, put so that sound and picture can not answer for it.

A model that uses the pulse must predict worse once each person gets another's: the squared error of its
probability rises. That it predicts better than without a pulse is another question: a second model, trained
alike on sound and picture alone, answers it. Whether there is anything to use shows in what is the person's
own (`person_specific`): the model's, that of a model of the pulse alone, and that of the pulse wave's
amplitude, which needs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Scores, macro_f1
from offline.notes import joined
from offline.person_specific import PersonScores
from offline.person_test import person_test
from offline.predictions import Predictions, TrialPrediction
from offline.resampling import FEWEST_PARTICIPANTS, ParticipantBootstrap
from offline.results import Measured
from offline.scores import asmr_trials
from offline.statistics import (
    N_BOOTSTRAP,
    percentile_interval,
    resample_participants,
    trial_counts,
)
from rtasmr.dataset_words import counted
from rtasmr.errors import DataError

PREFIX = "caveat.pulse."
_UNDEFINED = "Undefined: no two people of one clip differ at any instant"
_CONCORDANCE = "of two people at one instant, who feels it; 0.5 is chance"
_CORRELATION = "of probability and report, less what all share and each trial's mean; 0 is chance"


def measure_pulse_gain(
    fusion: Predictions,
    rng: np.random.Generator,
    *,
    shuffled: Sequence[Predictions] = (),
    pulse_only: Predictions | None = None,
    without_pulse: Predictions | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
) -> dict[str, Measured]:
    """Return what the pulse adds within ASMR clips, padding left out, with participant intervals.

    Trials without a valid pulse say nothing about it: they are left out, and counted in the notes.

    Parameters
    ----------
    fusion : Predictions
    rng : Generator
    shuffled : sequence of Predictions
        The same model on the same trials, each with the pulse of another participant in the same clip; the
        errors of several shuffles are averaged.
    pulse_only : Predictions or None
        A model trained on the pulse alone.
    without_pulse : Predictions or None
        A model trained as the fusion model was, on sound and picture alone.
    """
    whole, fusion = fusion, _judged(fusion)
    left_out = _left_out(asmr_trials(whole))
    people = Measured(
        float(len(fusion.participants)),
        unit="count",
        note=joined("people with a test trial of an ASMR clip", left_out),
    )
    if not fusion.trials:
        absent = Measured(None, unit="r", note="No ASMR trial has a pulse from beginning to end")
        return {f"{PREFIX}participants": people, f"{PREFIX}correlation": absent}
    interval = ParticipantBootstrap(fusion, rng, n_bootstrap, undefined=_UNDEFINED)
    own = PersonScores.of([fusion])
    found = {
        "participants": people,
        "concordance": interval(own.concordance, "r", joined(_CONCORDANCE, left_out)),
        "correlation": interval(own.correlation, "r", joined(_CORRELATION, left_out)),
    }
    if shuffled:
        models = [_alike(fusion, model) for model in shuffled]
        other = PersonScores.of(models)
        told = f"another's pulse for each person ({counted(len(models), 'shuffle')})"

        def gain(weights: NDArray[np.int64]) -> Scores:
            return np.asarray(other.brier(weights) - own.brier(weights))

        found["shuffled.concordance"] = interval(other.concordance, "r", f"{told}; {_CONCORDANCE}")
        found["shuffled.correlation"] = interval(other.correlation, "r", f"{told}; {_CORRELATION}")
        found["shuffled.brier_gain"] = interval(
            gain, "squared error", f"mean squared error with {told}, less that with their own"
        )
        found["shuffled.change"] = Measured(
            float(np.mean([mean_change(fusion, model) for model in models])),
            unit="probability",
            note="mean change of the probability by another's pulse",
        )
    if pulse_only is not None:
        alone = PersonScores.of([_alike(fusion, pulse_only)])
        note = f"a model of the pulse alone, {_CORRELATION}"
        found["alone.correlation"] = replace(
            interval(alone.correlation, "r", note), p=person_test(_alike(fusion, pulse_only).trials, rng).p
        )
    if without_pulse is not None:
        found |= _compare(_with_pulse(whole), _with_pulse(without_pulse), own, interval, n_bootstrap, rng)
    return {f"{PREFIX}{name}": number for name, number in found.items()}


def _compare(
    fusion: Predictions,
    without_pulse: Predictions,
    own: PersonScores,
    interval: ParticipantBootstrap,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> dict[str, Measured]:
    """Return how much better the fusion model predicts than one without the pulse.

    The same participants are drawn for both, so what makes a person easy or hard to predict cancels.
    """
    bare = PersonScores.of([_alike(_judged(fusion), without_pulse)])

    def gain(weights: NDArray[np.int64]) -> Scores:
        return np.asarray(bare.brier(weights) - own.brier(weights))

    order = {trial.trial: i for i, trial in enumerate(fusion.trials)}
    same = Predictions(
        without_pulse.model, tuple(sorted(without_pulse.trials, key=lambda trial: order[trial.trial]))
    )
    totals = resample_participants(fusion, n_bootstrap, rng)
    counts, bare_counts = trial_counts(fusion), trial_counts(same)
    told = "same participants drawn for both, one training run each"
    return {
        "without.brier_gain": interval(
            gain,
            "squared error",
            f"mean squared error of a model of sound and picture, less that with the pulse; {told}",
        ),
        "without.macro_f1_gain": Measured(
            100 * float(macro_f1(counts.total()) - macro_f1(bare_counts.total())),
            ci95=percentile_interval(100 * (macro_f1(totals(counts)) - macro_f1(totals(bare_counts)))),
            unit="percentage points",
            note="pooled macro F1, ASMR and nature clips, with the pulse less that of a model of sound and "
            f"picture; {told}",
        ),
    }


def measure_amplitude(
    amplitudes: Predictions, rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Return how the pulse wave's amplitude follows each person's own tingles, no model between them.

    Parameters
    ----------
    amplitudes : Predictions
        See `pulse_amplitude.pulse_amplitudes`.
    """
    left_out = _left_out(amplitudes)
    amplitudes = _with_pulse(amplitudes)
    if not amplitudes.trials:
        absent = Measured(None, unit="r", note="no ASMR trial has a pulse from beginning to end")
        return {f"{PREFIX}amplitude.correlation": absent}
    n_people = len(amplitudes.participants)
    if n_people < FEWEST_PARTICIPANTS:
        told = (
            f"needs {FEWEST_PARTICIPANTS} people with a pulse throughout an ASMR clip; there are {n_people}"
        )
        return {f"{PREFIX}amplitude.correlation": Measured(None, unit="r", note=joined(told, left_out))}
    note = (
        f"of pulse amplitude over 5 s and report in {counted(len(amplitudes.trials), 'ASMR trial')} of "
        f"{n_people} people, less what all share and each trial's mean; 0 is chance"
    )
    scores = PersonScores.of([amplitudes])
    interval = ParticipantBootstrap(amplitudes, rng, n_bootstrap, undefined=_UNDEFINED)
    found = interval(scores.correlation, "r", joined(note, left_out))
    return {f"{PREFIX}amplitude.correlation": replace(found, p=_either_way(amplitudes.trials, rng))}


def _either_way(trials: Sequence[TrialPrediction], rng: np.random.Generator) -> float | None:
    """Return the two-sided p-value of exchanging people: an amplitude may rise or fall with a tingle."""
    turned = [replace(trial, p=-trial.p) for trial in trials]
    p_values = [test.p for test in (person_test(trials, rng), person_test(turned, rng)) if test.p is not None]
    return min(1.0, 2 * min(p_values)) if p_values else None


def _with_pulse(predictions: Predictions) -> Predictions:
    return predictions.where(lambda trial: trial.has_pulse)


def _judged(predictions: Predictions) -> Predictions:
    """Return the ASMR trials that have a pulse, padding left out."""
    return _with_pulse(asmr_trials(predictions)).without_padding()


def _left_out(predictions: Predictions) -> str:
    """Return how many trials have no valid pulse, as part of a note; empty where all have one."""
    n = sum(not trial.has_pulse for trial in predictions.trials)
    return f"{counted(n, 'trial')} without a valid pulse left out" if n else ""


def _alike(fusion: Predictions, model: Predictions) -> Predictions:
    """Return the ASMR trials of a model that have a pulse, padding left out, in the order of ``fusion``."""
    wanted = [trial.trial for trial in fusion.trials]
    by_trial = {trial.trial: trial for trial in _judged(model).trials}
    if set(by_trial) != set(wanted):
        raise DataError(
            f"model {model.model!r}: expected predictions of the same {len(wanted)} ASMR trials as "
            f"{fusion.model!r}, got {len(by_trial)}; predict the same trials"
        )
    return Predictions(model.model, tuple(by_trial[trial] for trial in wanted))


def mean_change(first: Predictions, second: Predictions) -> float:
    """Return the mean absolute difference of the probabilities of the same trials, over all steps."""
    pairs = zip(first.trials, second.trials, strict=True)
    return float(np.mean(np.concatenate([np.abs(a.p - b.p) for a, b in pairs])))
