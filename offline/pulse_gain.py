"""Whether the pulse adds anything, put so that sound and picture can not answer for it.

A model that uses the pulse must predict worse once each person gets another's: the squared error of its
probability rises. Whether there is anything to use shows in what is the person's own (`person_specific`):
the model's, that of a model of the pulse alone, and that of the pulse wave's amplitude, which needs no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from offline.metrics import Scores
from offline.person_specific import PersonScores
from offline.predictions import Predictions
from offline.reading import Reader
from offline.results import Measured, Results
from offline.scores import asmr_trials
from offline.statistics import N_BOOTSTRAP, bootstrap_multiplicities, percentile_interval
from rtasmr.errors import DataError

PREFIX = "caveat.pulse."
_UNDEFINED = "Undefined: no two people of one clip differ at any instant"
_CONCORDANCE = "of two people at one instant, who feels it; 0.5 is chance"
_CORRELATION = "of probability and report, less what all share and each trial's mean; 0 is chance"


class _Resampling:
    """Scores of the trials as they are, and of participants drawn with replacement."""

    def __init__(self, predictions: Predictions, n_bootstrap: int, rng: np.random.Generator) -> None:
        participants = np.array([trial.trial.participant for trial in predictions.trials])
        units, unit_of_trial = np.unique(participants, return_inverse=True)
        self._once = np.ones(len(participants), dtype=np.int64)
        self._drawn = bootstrap_multiplicities(len(units), n_bootstrap, rng)[:, unit_of_trial]

    def __call__(
        self, score: Callable[[NDArray[np.int64]], Scores], unit: str, note: str, undefined: str = _UNDEFINED
    ) -> Measured:
        """Return a score with its interval."""
        value = float(score(self._once))
        if np.isnan(value):
            return Measured(None, unit=unit, note=undefined)
        samples = score(self._drawn)
        return Measured(value, ci95=percentile_interval(samples[np.isfinite(samples)]), unit=unit, note=note)


def measure_pulse_gain(
    fusion: Predictions,
    rng: np.random.Generator,
    *,
    shuffled: Sequence[Predictions] = (),
    pulse_only: Predictions | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
) -> dict[str, Measured]:
    """Return what the pulse adds within ASMR clips, padding left out, with participant intervals.

    Parameters
    ----------
    fusion : Predictions
    rng : Generator
    shuffled : sequence of Predictions
        The same model on the same trials, each with the pulse of another participant in the same clip; the
        errors of several shuffles are averaged.
    pulse_only : Predictions or None
        A model trained on the pulse alone.
    """
    fusion = asmr_trials(fusion).without_padding()
    interval = _Resampling(fusion, n_bootstrap, rng)
    own = PersonScores.of([fusion])
    found = {
        "concordance": interval(own.concordance, "r", _CONCORDANCE),
        "correlation": interval(own.correlation, "r", _CORRELATION),
    }
    if shuffled:
        models = [_alike(fusion, model) for model in shuffled]
        other = PersonScores.of(models)
        told = f"another's pulse for each person (mean of {len(models)} shuffles)"

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
        found["alone.correlation"] = interval(alone.correlation, "r", note)
    return {f"{PREFIX}{name}": number for name, number in found.items()}


def measure_amplitude(
    amplitudes: Predictions, rng: np.random.Generator, n_bootstrap: int = N_BOOTSTRAP
) -> dict[str, Measured]:
    """Return how the pulse wave's amplitude follows each person's own tingles, no model between them.

    Parameters
    ----------
    amplitudes : Predictions
        See `pulse_amplitude.pulse_amplitudes`.
    """
    if not amplitudes.trials:
        absent = Measured(None, unit="r", note="no ASMR trial has a pulse from beginning to end")
        return {f"{PREFIX}amplitude.correlation": absent}
    n_people = len(amplitudes.participants)
    note = (
        f"of pulse amplitude over 5 s and report in {len(amplitudes.trials)} ASMR trials of {n_people} "
        "people, less what all share and each trial's mean; 0 is chance"
    )
    scores = PersonScores.of([amplitudes])
    interval = _Resampling(amplitudes, n_bootstrap, rng)
    return {f"{PREFIX}amplitude.correlation": interval(scores.correlation, "r", note)}


def _alike(fusion: Predictions, model: Predictions) -> Predictions:
    """Return the ASMR trials of a model, padding left out, in the order of ``fusion``."""
    wanted = [trial.trial for trial in fusion.trials]
    by_trial = {trial.trial: trial for trial in asmr_trials(model).without_padding().trials}
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


class PulseAnswer(StrEnum):
    """Answer to whether the pulse adds anything."""

    YES = "yes"
    NOT_USED = "carried, not used"
    NO = "no evidence"
    UNKNOWN = "not computable"


def pulse_answer(results: Results) -> tuple[PulseAnswer, str]:
    """Answer from the 95 % intervals, in words.

    *Yes* if the fusion model's squared error is smaller with a person's own pulse than with another's (or,
    where that was not run, if what it says of the person correlates with their report). *Carried, not used*
    if not, but the amplitude of the pulse wave or a model of the pulse alone does. *No evidence* else.
    """
    read = Reader(results)
    own, gain = f"{PREFIX}correlation", f"{PREFIX}shuffled.brier_gain"
    sources = {
        f"{PREFIX}amplitude.correlation": "the amplitude of the pulse wave",
        f"{PREFIX}alone.correlation": "a model of the pulse alone",
    }
    # An amplitude may rise or fall with a tingle; a model has learned which.
    follows = {
        number_id: read.ends(number_id)[0] > 0
        or (number_id.endswith("amplitude.correlation") and read.ends(number_id)[1] < 0)
        for number_id in sources
        if read.has(number_id)
    }
    if read.has(own):
        low, high = read.ends(gain if read.has(gain) else own)
        not_used = PulseAnswer.NOT_USED if any(follows.values()) else PulseAnswer.NO
        answer = PulseAnswer.YES if low > 0 else not_used
        parts = [_of_fusion(read, gain, own, low, high)]
    else:
        answer = PulseAnswer.UNKNOWN
        parts = [read.note(own) or "Needs the fusion model's predictions of ASMR trials"]
    parts += [
        f"{source[0].upper()}{source[1:]} {'follows' if follows[number_id] else 'does not follow'} what is "
        f"each person's own in the reports (r = {_with_interval(read, number_id)})"
        for number_id, source in sources.items()
        if number_id in follows
    ]
    concordance = f"{PREFIX}concordance"
    if read.has(concordance):
        low, high = (100 * end for end in read.ends(concordance))
        parts.append(
            "Of two people at the same instant of the same clip, one with a tingle and one without, the "
            "fusion model gives the higher probability to the one who feels it in "
            f"{100 * (read.value(concordance) or 0.0):.1f} % [{low:.1f}, {high:.1f}] of the cases; 50 % is "
            "chance"
        )
    return answer, ". ".join(parts) + "."


def _of_fusion(read: Reader, gain: str, own: str, low: float, high: float) -> str:
    against = "lies above 0" if low > 0 else "lies below 0" if high < 0 else "holds 0"
    if read.has(gain):
        verb = "rises" if (read.value(gain) or 0.0) > 0 else "does not rise"
        return (
            f"The squared error of the fusion model's probability {verb} when each person gets another's "
            f"pulse (by {_small(read, gain)}): the interval {against}; the probability moves by "
            f"{read(f'{PREFIX}shuffled.change', 4)} on average"
        )
    return (
        "The fusion model was not run on exchanged pulses. What it says differently of two people at one "
        f"instant correlates with their reports by r = {_with_interval(read, own)}: the interval {against}"
    )


def _small(read: Reader, number_id: str) -> str:
    """Write a number that may be many powers of ten below one."""
    low, high = read.ends(number_id)
    return f"{read.value(number_id) or 0.0:.2g} [{low:.2g}, {high:.2g}]"


def _with_interval(read: Reader, number_id: str, digits: int = 3) -> str:
    return f"{read(number_id, digits)} {read.interval(number_id, digits)}"
