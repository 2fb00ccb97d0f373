"""Asking the models of a cross-validation about their test trials again, changed or served otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offline import personal
from offline.predictions import Predictions, TrialPrediction
from offline.splits import trial_of_another
from offline.streaming import (
    Serving,
    answered_ticks,
    changed,
    clip_probabilities,
    serving_threshold,
    streaming_probabilities,
)
from offline.tables import TrialTable
from rtasmr.errors import DataError
from rtasmr.grid import WARMUP_TICKS
from rtasmr.predictor import TingleModel
from rtasmr.types import Modality, TrialId


@dataclass(frozen=True, eq=False)
class Judge:
    """A model with how it is served and the threshold of its calls."""

    model: TingleModel
    serving: Serving
    threshold: float


class Asker:
    """The models of the folds with the feature tables of the trials that each of them tests.

    Parameters
    ----------
    name : str
        Of the model, for the predictions.
    judges : mapping of int to Judge
        By fold.
    tested : mapping of int to sequence of TrialTable
        By fold, the trials that its model never saw.
    shifts : mapping of int to float, optional
        By participant, the personal shift of the log odds; 0 for who is not named.
    """

    def __init__(
        self,
        name: str,
        judges: Mapping[int, Judge],
        tested: Mapping[int, Iterable[TrialTable]],
        shifts: Mapping[int, float] | None = None,
    ) -> None:
        self._name = name
        self._judges = judges
        self._shifts = shifts or {}
        self._tables = {
            (fold, table.trial): table
            for fold in sorted(tested)
            for table in sorted(tested[fold], key=lambda one: one.trial)
        }

    @property
    def servings(self) -> tuple[Serving, ...]:
        """How the model of each fold is served: where folds chose other families, look-aheads differ."""
        return tuple(judge.serving for judge in self._judges.values())

    def items(self) -> Iterator[tuple[tuple[int, TrialId], TrialTable]]:
        """Yield fold and trial with its table."""
        yield from self._tables.items()

    def judge(self, fold: int) -> Judge:
        """Return the model of a fold."""
        return self._judges[fold]

    def silenced(self, predictions: Predictions) -> Predictions:
        """Return predictions of these trials with none where the runtime gives none."""
        trials = []
        for trial in predictions.trials:
            table = self._tables[trial.fold, trial.trial]
            ok = answered_ticks(table, self._judges[trial.fold].serving.requires)[WARMUP_TICKS:]
            p = np.where(ok, trial.p[: trial.n_real], np.float32(np.nan))
            trials.append(replace(trial, p=p, rating=trial.rating[: trial.n_real]))
        return replace(predictions, trials=tuple(trials))

    def modalities(self) -> tuple[Modality, ...]:
        """Return the modalities that the features hold."""
        spec = next(iter(self._tables.values())).spec
        return tuple(modality for modality in Modality if len(spec.columns(modality)))

    def ask(
        self,
        *,
        serve: Callable[[Serving], Serving] | None = None,
        change: Callable[[int, TrialTable], TrialTable] | None = None,
        stride: int = 1,
        whole_clip: bool = False,
        asmr_only: bool = False,
    ) -> Predictions:
        """Return what the models say, NaN where there is no probability.

        Parameters
        ----------
        serve : callable of Serving, optional
            Takes how a fold's model is served, returns how it is served now.
        change : callable of (int, TrialTable), optional
            Takes fold and trial, returns the trial with changed features.
        stride : int
            Every how many ticks one is asked about.
        whole_clip : bool
            Ask about the whole clip at once: clip scores, not streaming scores.
        asmr_only : bool
        """
        trials = []
        for (fold, trial), table in self._tables.items():
            if asmr_only and not trial.is_asmr:
                continue
            judge = self._judges[fold]
            asked = table if change is None else change(fold, table)
            how = judge.serving if serve is None else serve(judge.serving)
            if whole_clip:
                p = clip_probabilities(judge.model, asked, how)
            else:
                p = streaming_probabilities(judge.model, asked, how, stride=stride)
            if shift := self._shifts.get(trial.participant, 0.0):
                p = personal.shifted(p, shift)
            trials.append(
                TrialPrediction(
                    trial, fold, p, table.rating, table.n_frames, serving_threshold(judge.threshold)
                )
            )
        return Predictions(self._name, tuple(trials))

    def n_givers(self) -> int:
        """Return the smallest number of other people who saw a tested ASMR clip in the same fold."""
        counts: dict[tuple[int, str], int] = {}
        for fold, trial in self._tables:
            if trial.is_asmr:
                counts[fold, trial.video] = counts.get((fold, trial.video), 0) + 1
        return min(counts.values(), default=1) - 1

    def giver(self, fold: int, trial: TrialId, shift: int) -> TrialTable:
        """Return the trial of the participant ``shift`` places further with the same clip and fold."""
        tested = (other for tested_in, other in self._tables if tested_in == fold)
        return self._tables[fold, trial_of_another(tested, trial, shift)]


def without(table: TrialTable, modality: Modality) -> TrialTable:
    """Return a trial in which a modality is missing throughout."""
    columns = table.spec.columns(modality)

    def drop(
        values: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        values[:, columns], valid[:, columns] = np.nan, False
        return values, valid

    return changed(table, drop)


def shifted(table: TrialTable, modality: Modality, n_ticks: int) -> TrialTable:
    """Return a trial in which a modality comes ``n_ticks`` late, what left at its end coming first."""
    columns = table.spec.columns(modality)

    def roll(
        values: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        for part in (values, valid):
            part[:, columns] = np.roll(part[:, columns], n_ticks, axis=0)
        return values, valid

    return changed(table, roll)


def exchanged(table: TrialTable, giver: TrialTable, modality: Modality) -> TrialTable:
    """Return a trial with a modality of another person; what the giver lacks at the end is missing."""
    columns = table.spec.columns(modality)
    given_values, given_valid = giver.sequence

    def give(
        values: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        n = min(len(values), len(given_values))
        values[:, columns], valid[:, columns] = np.nan, False
        values[:n, columns], valid[:n, columns] = given_values[:n, columns], given_valid[:n, columns]
        return values, valid

    return changed(table, give)


def same_order(predictions: Predictions, like: Predictions) -> Predictions:
    """Return the trials in the order of ``like``.

    Raises
    ------
    DataError
        They are not the same trials.
    """
    by_trial = {trial.trial: trial for trial in predictions.trials}
    if by_trial.keys() != {trial.trial for trial in like.trials}:
        raise DataError(
            f"model {predictions.model!r}: expected predictions of the same {len(like.trials)} trials, got "
            f"{len(by_trial)}; predict the same trials"
        )
    return replace(predictions, trials=tuple(by_trial[trial.trial] for trial in like.trials))
