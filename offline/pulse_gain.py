"""Whether the pulse adds anything, put so that sound and picture can not answer for it.

Everybody hears and sees the same at the same instant of a clip. So of two people at one instant, one with a
tingle and one without, only what is their own, the pulse, can tell a model which is which. *Concordance* is
the share of such pairs in which the model gives the higher probability to the one who feels it: 0.5 for any
model without a pulse. A model that uses the pulse must lose concordance once each person gets another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from offline.caveats import by_video
from offline.metrics import Counts, Scores, balanced_accuracy
from offline.predictions import Predictions
from offline.reading import Reader
from offline.results import Measured, Results
from offline.scores import asmr_trials
from offline.statistics import N_BOOTSTRAP, bootstrap_multiplicities, percentile_interval, trial_counts
from rtasmr.errors import DataError

CHANCE = 0.5
PREFIX = "caveat.pulse."
_UNDEFINED = "Undefined: no two people of one clip differ at any instant"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of trials of one clip over all instants at which the first feels a tingle and the second none.

    Parameters
    ----------
    won : ndarray of shape (n_trials, n_trials)
        Instants at which the first has the higher probability; equal ones count half.
    n : ndarray of shape (n_trials, n_trials)
        Instants.
    """

    won: NDArray[np.float64]
    n: NDArray[np.float64]

    def concordance(self, weights: NDArray[np.int64]) -> Scores:
        """Return the share of pairs won, pairs weighed by the product of their trials' weights.

        Parameters
        ----------
        weights : ndarray of shape (..., n_trials)

        Returns
        -------
        ndarray of shape (...)
            NaN where no pair has weight.
        """
        won = np.einsum("...i,ij,...j->...", weights, self.won, weights)
        n = np.einsum("...i,ij,...j->...", weights, self.n, weights)
        out = np.full(np.shape(n), np.nan)
        np.divide(won, n, out=out, where=n > 0)
        return out


def pairs_of(predictions: Predictions) -> Pairs:
    """Count the pairs of all clips; trials in the order of ``predictions``."""
    n_trials = len(predictions.trials)
    index = {trial.trial: i for i, trial in enumerate(predictions.trials)}
    won, n = np.zeros((n_trials, n_trials)), np.zeros((n_trials, n_trials))
    for same_clip in by_video(predictions).values():
        for first in same_clip.trials:
            for second in same_clip.trials:
                steps = slice(0, min(first.p.size, second.p.size))
                differ = first.truth[steps] & ~second.truth[steps]
                ahead = np.sign(first.p[steps][differ] - second.p[steps][differ])
                place = index[first.trial], index[second.trial]
                n[place] = differ.sum()
                won[place] = (0.5 * (ahead + 1.0)).sum()
    return Pairs(won, n)


@dataclass(frozen=True, slots=True)
class _Scored:
    """What the bootstrap needs of one model: pairs and confusion counts per trial."""

    pairs: Pairs
    counts: NDArray[np.int64]  # (n_trials, 4)

    @classmethod
    def of(cls, models: Sequence[Predictions]) -> _Scored:
        """Join models that predict the same trials; scores are shares, so sums do for averages."""
        pairs = [pairs_of(model) for model in models]
        won = np.sum([one.won for one in pairs], axis=0)
        n = np.sum([one.n for one in pairs], axis=0)
        counts = np.stack([trial_counts(model).to_array() for model in models]).sum(axis=0)
        return cls(Pairs(won, n), np.asarray(counts))

    def concordance(self, weights: NDArray[np.int64]) -> Scores:
        return self.pairs.concordance(weights)

    def balanced(self, weights: NDArray[np.int64]) -> Scores:
        return np.asarray(100 * balanced_accuracy(Counts.from_array(weights @ self.counts)))


def measure_pulse_gain(
    fusion: Predictions,
    rng: np.random.Generator,
    *,
    shuffled: Sequence[Predictions] = (),
    no_pulse: Predictions | None = None,
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
        scores of several shuffles are averaged.
    no_pulse : Predictions or None
        A model trained on sound and picture alone.
    pulse_only : Predictions or None
        A model trained on the pulse alone.
    """
    fusion = asmr_trials(fusion).without_padding()
    participants = np.array([trial.trial.participant for trial in fusion.trials])
    units, unit_of_trial = np.unique(participants, return_inverse=True)
    resampled = bootstrap_multiplicities(len(units), n_bootstrap, rng)[:, unit_of_trial]
    as_seen = np.ones(len(fusion.trials), dtype=np.int64)
    whole = _scored(fusion, [fusion])

    def measured(score: Scores, samples: Scores, unit: str, note: str) -> Measured:
        if np.isnan(score):
            return Measured(None, unit=unit, note=_UNDEFINED)
        defined = samples[np.isfinite(samples)]
        return Measured(float(score), ci95=percentile_interval(defined), unit=unit, note=note)

    def concordance(scored: _Scored, note: str) -> Measured:
        return measured(
            scored.concordance(as_seen), scored.concordance(resampled), "r", f"{note}; 0.5 is chance"
        )

    def gain(other: _Scored, note: str) -> dict[str, Measured]:
        return {
            "concordance": measured(
                np.subtract(whole.concordance(as_seen), other.concordance(as_seen)),
                np.subtract(whole.concordance(resampled), other.concordance(resampled)),
                "r",
                note,
            ),
            "balanced_accuracy": measured(
                np.subtract(whole.balanced(as_seen), other.balanced(as_seen)),
                np.subtract(whole.balanced(resampled), other.balanced(resampled)),
                "percentage points",
                note,
            ),
        }

    found = {"concordance": concordance(whole, "same clip, same instant: who feels it")}
    if shuffled:
        other = _scored(fusion, shuffled)
        note = f"the person's own pulse against another's, mean of {len(shuffled)} shuffles"
        found["shuffled.concordance"] = concordance(other, note)
        found |= {f"gain_over_shuffled.{name}": number for name, number in gain(other, note).items()}
        moved = np.mean([mean_change(fusion, one) for one in _alike(fusion, shuffled)])
        found["shuffled.change"] = Measured(float(moved), unit="p", note="mean change of the probability")
    if no_pulse is not None:
        note = "against a model trained on sound and picture alone"
        other = _scored(fusion, [no_pulse])
        found |= {f"gain_over_no_pulse.{name}": number for name, number in gain(other, note).items()}
    if pulse_only is not None:
        found["alone.concordance"] = concordance(
            _scored(fusion, [pulse_only]), "a model trained on the pulse alone"
        )
    return {f"{PREFIX}{name}": number for name, number in found.items()}


def _scored(fusion: Predictions, models: Sequence[Predictions]) -> _Scored:
    return _Scored.of(_alike(fusion, models))


def _alike(fusion: Predictions, models: Sequence[Predictions]) -> list[Predictions]:
    """Return the ASMR trials of each model, padding left out, in the order of ``fusion``."""
    wanted = [trial.trial for trial in fusion.trials]
    found = []
    for model in models:
        by_trial = {trial.trial: trial for trial in asmr_trials(model).without_padding().trials}
        if set(by_trial) != set(wanted):
            raise DataError(
                f"model {model.model!r}: expected predictions of the same {len(wanted)} ASMR trials as "
                f"{fusion.model!r}, got {len(by_trial)}; predict the same trials"
            )
        found.append(Predictions(model.model, tuple(by_trial[trial] for trial in wanted)))
    return found


def mean_change(first: Predictions, second: Predictions) -> float:
    """Return the mean absolute difference of the probabilities of the same trials, over all steps."""
    return float(
        np.mean(
            np.concatenate(
                [np.abs(a.p - b.p) for a, b in zip(first.trials, second.trials, strict=True)],
            )
        )
    )


class PulseAnswer(StrEnum):
    """Answer to whether the pulse adds anything."""

    YES = "yes"
    NOT_USED = "carried, not used"
    NO = "no evidence"
    UNKNOWN = "not computable"


def pulse_answer(results: Results) -> tuple[PulseAnswer, str]:
    """Answer from the 95 % intervals, in words.

    *Yes* if the fusion model gains concordance over itself with shuffled pulses (or, where that was not run,
    over chance); *carried, not used* if it does not, but a model of the pulse alone beats chance.
    """
    read = Reader(results)
    own = f"{PREFIX}concordance"
    if not read.has(own):
        return PulseAnswer.UNKNOWN, read.note(own) or "Needs the fusion model's predictions of ASMR trials"
    told = (
        "of two people at the same instant of the same clip, one with a tingle and one without, the fusion "
        f"model gives the higher probability to the one who feels it in {_percent(read, own)} of the cases"
    )
    gain = f"{PREFIX}gain_over_shuffled.concordance"
    shuffled = f"{PREFIX}shuffled.concordance"
    if read.has(gain):
        low, high = read.ends(gain)
        told += (
            f", and in {_percent(read, shuffled)} once each person gets another's pulse: a gain of "
            f"{_points(read, gain)}, an interval that {_against(low, high, 0.0)}"
        )
    else:
        low, high = (end - CHANCE for end in read.ends(own))
        told += (
            f"; 50 % is chance, only the pulse could tell them apart, and the interval "
            f"{_against(low, high, 0.0, '50 %')}. The model was not run on shuffled pulses"
        )
    alone = f"{PREFIX}alone.concordance"
    alone_tells = read.has(alone) and read.ends(alone)[0] > CHANCE
    if read.has(alone):
        verb = "tells them apart" if alone_tells else "does not tell them apart"
        told += f". A model of the pulse alone {verb} ({_percent(read, alone)})"
    answer = PulseAnswer.YES if low > 0 else PulseAnswer.NOT_USED if alone_tells else PulseAnswer.NO
    return answer, f"{told[0].upper()}{told[1:]}."


def _percent(read: Reader, number_id: str) -> str:
    low, high = read.ends(number_id)
    return f"{100 * (read.value(number_id) or 0.0):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _points(read: Reader, number_id: str) -> str:
    low, high = read.ends(number_id)
    return f"{100 * (read.value(number_id) or 0.0):+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def _against(low: float, high: float, value: float, named: str = "0") -> str:
    """Say where an interval lies; ``named`` is how ``value`` is written."""
    if low > value:
        return f"lies above {named}"
    return f"lies below {named}" if high < value else f"holds {named}"
