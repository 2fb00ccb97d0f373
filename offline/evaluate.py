"""What a live model is worth: every score beside rules that need no model, and a verdict that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.asking import Asker, Judge, same_order
from offline.curves import clip_agreement, serving_curves
from offline.differences import corrected, differences
from offline.lag import LagCurve, lag_curve
from offline.leaks import check_causal, check_same, check_tables
from offline.modality_gain import EXCHANGED, gains_of, modality_gains
from offline.predictions import Predictions
from offline.results import Measured
from offline.rules import ELAPSED, trivial_rules
from offline.score_rows import OVER_ELAPSED, WITHIN, ScoreRow, score_row
from offline.scores import asmr_trials
from offline.statistics import N_BOOTSTRAP
from offline.streaming import streaming_probabilities
from offline.subjects import Subject, open_subjects
from offline.tables import TrialTable, load_tables
from offline.verdict import Verdict, judge
from rtasmr import modelstore
from rtasmr.card import CardVerdict, read_model_card, write_card
from rtasmr.config import Provider
from rtasmr.errors import DataError
from rtasmr.progress import Report

REPEATED_STRIDE = 25
"""Every how many ticks of each saved trial the model is asked again, to see that it would say the same."""


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How thoroughly to evaluate.

    Parameters
    ----------
    seed : int
        Of everything random.
    stride : int
        Every how many ticks a model is asked for curves and changed inputs; its own scores take every tick.
    n_bootstrap : int
    """

    seed: int = 42
    stride: int = 10
    n_bootstrap: int = N_BOOTSTRAP


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One model with its scores.

    Parameters
    ----------
    name, score : str
        Model, and ``streaming score`` or ``clip score``.
    predictions : Predictions
    row : ScoreRow
    rules : dict of str to ScoreRow
        What needs no model, on the same ticks.
    more : dict of str to Measured
        Curves, modalities and agreement with the clip score.
    lag : LagCurve or None
    verdict : Verdict
    basis : str
        What the verdict rests on, in words.
    notes : tuple of str
        What limits it.
    less : dict of str to dict of str to Measured
        Its scores less those of each rule, and of each other model that was asked about the same trials;
        p-values after Holm, over all of them.
    """

    name: str
    score: str
    predictions: Predictions
    row: ScoreRow
    rules: dict[str, ScoreRow]
    more: dict[str, Measured]
    lag: LagCurve | None
    verdict: Verdict
    basis: str
    notes: tuple[str, ...] = ()
    less: dict[str, dict[str, Measured]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """All models of one source.

    Parameters
    ----------
    models : tuple of Evaluated
    config : mapping
        What makes the run: everything that changes a number.
    """

    models: tuple[Evaluated, ...]
    config: Mapping[str, Any] = field(default_factory=dict)


def evaluate(
    source: Path,
    features: Path | None,
    settings: EvaluationSettings,
    *,
    other_people: bool = False,
    provider: Provider = "auto",
    progress: Report | None = None,
) -> tuple[Evaluation, list[Subject]]:
    """Score every model of ``source`` beside the trivial rules and judge it.

    Parameters
    ----------
    source : Path
        Predictions (ours or the published file), a model folder, or the results of ``offline train`` or
        ``offline reproduce``.
    features : Path or None
        Feature tables; without them nothing is asked again: no curves, no changed inputs.
    settings : EvaluationSettings
    other_people : bool
        See `offline.subjects.open_subjects`.
    provider : {"auto", "cuda", "cpu"}
    progress : callable or None

    Raises
    ------
    RtasmrError
        There is nothing to evaluate, or a leak makes every score worthless.
    """
    tables: list[TrialTable] = [] if features is None else load_tables(features)
    if tables:
        check_tables(tables)
    subjects = open_subjects(source, tables, other_people=other_people, provider=provider)
    models = []
    for number, subject in enumerate(subjects):

        def told(what: str, share: float, name: str = subject.name, number: int = number) -> None:
            if progress is not None:
                progress(f"{name}: {what}", (number + share) / len(subjects))

        models.append(_evaluate(subject, settings, told))
    config = {
        "command": "offline evaluate",
        "source": source.name,
        "features": "" if features is None else features.name,
        "seed": settings.seed,
        "stride": settings.stride,
        "n_bootstrap": settings.n_bootstrap,
        "other_people": other_people,
        **{key: value for key, value in subjects[0].origin.items() if isinstance(value, (str, int, float))},
    }
    compared = tuple(replace(model, less=_less(model, models, settings)) for model in models)
    return Evaluation(compared, config), subjects


def _evaluate(subject: Subject, settings: EvaluationSettings, told: Report) -> Evaluated:
    rng = np.random.default_rng(settings.seed)
    row_rng, curve_rng, gain_rng, lag_rng, leak_rng = rng.spawn(5)
    told("leaks and predictions", 0.0)
    predictions = _predictions(subject, leak_rng)
    _require_asmr(predictions)
    n = settings.n_bootstrap
    told("scores beside rules", 0.1)
    row = score_row(predictions, row_rng, lookahead_s=subject.lookahead_s, n_bootstrap=n)
    ruled_by = trivial_rules(predictions)
    rules = {
        name: score_row(_where_answered(ruled, predictions), rule_rng, n_bootstrap=n)
        for (name, ruled), rule_rng in zip(ruled_by.items(), row_rng.spawn(len(ruled_by)), strict=True)
    }
    more: dict[str, Measured] = {}
    if subject.asker is not None:
        told("look-ahead and window", 0.2)
        more |= serving_curves(subject.asker, curve_rng, stride=settings.stride, n_bootstrap=n)
        told("whole clip", 0.5)
        more |= clip_agreement(subject.asker, predictions)
        told("modalities", 0.6)
        more |= modality_gains(subject.asker, gain_rng, stride=settings.stride, n_bootstrap=n)
    elif subject.exchanged:
        own = asmr_trials(predictions).without_padding()
        others = [same_order(asmr_trials(one).without_padding(), own) for one in subject.exchanged]
        more |= gains_of(own, {EXCHANGED: others}, gain_rng, n)
    lag, doubts = _lag(predictions, lag_rng, n)
    verdict = judge(row.scores, row.person, more.get(f"{EXCHANGED}.brier_gain"))
    return Evaluated(
        subject.name,
        subject.score,
        predictions,
        row,
        rules,
        more,
        lag,
        verdict,
        _basis(subject, predictions),
        (*subject.notes, *doubts),
    )


def _predictions(subject: Subject, rng: np.random.Generator) -> Predictions:
    """Return what is scored, after a look at whether the model really says it without knowing the future."""
    asker = subject.asker
    if asker is None:
        assert subject.predictions is not None  # a subject has the one or the other
        return subject.predictions
    _check_asker(asker, rng)
    if subject.predictions is None:
        return asker.ask()
    again = {trial.trial: trial for trial in asker.ask(stride=REPEATED_STRIDE).trials}
    for trial in subject.predictions.trials:
        check_same(trial, again[trial.trial])
    return asker.silenced(subject.predictions)


def _check_asker(asker: Asker, rng: np.random.Generator) -> None:
    """Look at the model of every fold, on one of its trials."""
    for fold, table in {fold: table for (fold, _), table in asker.items()}.items():
        asked = asker.judge(fold)

        def answer(one: TrialTable, asked: Judge = asked) -> NDArray[np.float32]:
            return streaming_probabilities(asked.model, one, asked.serving, stride=10)

        check_causal(answer, table, asked.serving.lookahead_frames, rng)


def _require_asmr(predictions: Predictions) -> None:
    truth = [trial.truth for trial in asmr_trials(predictions.without_padding()).trials]
    if not truth:
        raise DataError(
            f"{predictions.model}: expected trials of ASMR clips, got none; evaluate those, as nobody "
            "reports a tingle elsewhere"
        )
    felt = np.concatenate(truth)
    if felt.all() or not felt.any():
        which = "all" if felt.all() else "none"
        raise DataError(
            f"{predictions.model}: expected moments with and without tingle on ASMR clips, got {which} with; "
            "nothing can be told apart: add participants"
        )


def _where_answered(ruled: Predictions, model: Predictions) -> Predictions:
    """Return a rule's predictions at the ticks that the model has a probability for."""
    trials = (
        replace(rule, p=np.where(np.isfinite(said.p), rule.p, np.float32(np.nan)))
        for rule, said in zip(ruled.trials, model.trials, strict=True)
    )
    return replace(ruled, trials=tuple(trials))


def _less(
    model: Evaluated, models: Sequence[Evaluated], settings: EvaluationSettings
) -> dict[str, dict[str, Measured]]:
    own = model.predictions.without_padding()
    beside = trivial_rules(own)
    trials = {trial.trial for trial in own.trials}
    beside |= {
        other.name: other.predictions
        for other in models
        if other is not model
        and other.score == model.score
        and {trial.trial for trial in other.predictions.trials} == trials
    }
    # The same draws of participants for all of them.
    less = {
        name: differences(own, one, np.random.default_rng(settings.seed), settings.n_bootstrap)
        for name, one in beside.items()
    }
    # The verdict rests on this difference: one number has one interval.
    less[ELAPSED] |= {WITHIN: model.row.scores[OVER_ELAPSED]}
    return corrected(less)


def _lag(
    predictions: Predictions, rng: np.random.Generator, n_bootstrap: int
) -> tuple[LagCurve | None, tuple[str, ...]]:
    """Return the lag of the ratings, or a note on why there is none."""
    try:
        return lag_curve(predictions, rng, n_bootstrap=n_bootstrap), ()
    except DataError as error:
        return None, (f"no lag of the ratings: {error}",)


def _basis(subject: Subject, predictions: Predictions) -> str:
    n_people, n_folds = len(predictions.participants), len(predictions.folds)
    where = f" in {n_folds} folds" if n_folds > 1 else ""
    kind = ", simulated data" if subject.origin.get("simulated") else ""
    return f"{subject.score}s of {n_people} participants{where}{kind}"


def write_verdicts(evaluation: Evaluation, subjects: list[Subject]) -> list[Path]:
    """Write the verdicts into the cards of the models and of their installed copies; return the folders."""
    written = []
    for model, subject in zip(evaluation.models, subjects, strict=True):
        for folder in subject.folders:
            verdict = CardVerdict(str(model.verdict.words), model.verdict.evidence, model.basis)
            write_card(replace(read_model_card(folder), verdict=verdict), folder)
            copy = modelstore.hand_on_verdict(folder)
            written += [folder] if copy is None else [folder, copy]
    return written
