"""How a number of ours compares with the paper's: every verdict on a number is made here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from offline.compared import rests_on_pictures, rests_on_training
from offline.labels import (
    has_folds_left_out,
    has_other_encoder,
    has_other_epochs,
    has_random_encoder,
)
from offline.notes import joined
from offline.results import (
    ALPHA,
    AS_WRITTEN,
    DIFFERS_NOTE,
    JUDGED,
    NOT_SIGNIFICANT_NOTE,
    Measured,
    Number,
    PaperNumber,
    Results,
    Verdict,
    paper_numbers,
)
from rtasmr.errors import DataError

_MONTE_CARLO_D = 0.25
"""Cohen's d moves this much between seeds: the published script never seeded it."""

_MONTE_CARLO_CI: Mapping[str, float] = {"%": 1.0, "r": 0.02}
"""Ends of 2000-resample intervals move this much between seeds, by unit."""

NEAR = 0.05
"""Numbers without an uncertainty are compatible within this share of the paper's: 0.1 of its t of -2.085."""

_OF_FOLDS = ("table1.", "table2.", "xgboost.")
"""Scores of trained models: one training is one draw, so an SD over folds is their uncertainty."""

_TESTED_BY: Mapping[str, str] = {"cardio.p": "cardio.t"}
"""The statistic that a p-value belongs to, where the paper prints both."""


def unjudged(number_id: str, config: Mapping[str, Any]) -> Verdict | None:
    """Return why a number is not held against the paper's, None where it is.

    Simulated data say nothing about people, random weights nothing about pictures. Models that saw them with
    another encoder, were trained for a shorter or longer time or tested on fewer folds say nothing about the
    published ones.
    """
    if config.get("simulated"):
        return Verdict.SIMULATED
    if has_random_encoder(config) and rests_on_pictures(number_id):
        return Verdict.RANDOM_ENCODER
    if has_other_encoder(config) and rests_on_pictures(number_id):
        return Verdict.OTHER_ENCODER
    if has_other_epochs(config) and rests_on_training(number_id):
        return Verdict.OTHER_TRAINING
    if has_folds_left_out(config) and rests_on_training(number_id):
        return Verdict.FOLD_LEFT_OUT
    return None


def judge(
    paper: PaperNumber, measured: Measured, all_measured: Mapping[str, Measured] | None = None
) -> tuple[Verdict, tuple[str, ...]]:
    """Compare a number with the paper's; return the verdict and the parts that differ.

    *Reproduced*: value and SD agree in every printed digit, or within ``paper.tolerance``. Interval ends and
    Cohen's d come from unseeded resampling in the paper: they may lie 1.0 percentage points (0.02 for
    a correlation) and 0.25 apart. *Differs within its uncertainty*: one value lies in the other's 95 %
    interval, or within an SD over folds; where there is neither, 5 % apart; a p-value on the same side of
    0.05. *Agrees, but not significant here*: either of these, but the paper's test is significant and ours
    is not. *Differs*: else.

    Parameters
    ----------
    paper : PaperNumber
    measured : Measured
    all_measured : mapping of str to Measured, optional
        The other numbers of the run: a p-value agrees as far as what it tests does.
    """
    if paper.unit == "figure":
        return (Verdict.DRAWN if measured.note else Verdict.NOT_COMPUTED), ()
    if measured.value is None:
        return Verdict.NOT_COMPUTED, ()
    if paper.paper is None:
        return Verdict.NO_PAPER_FIGURE, ()
    differing = _differing(paper, measured)
    if differing and not _compatible(paper, measured, all_measured or {}):
        return Verdict.DIFFERS, differing
    if _loses_significance(paper, measured):
        return Verdict.NOT_SIGNIFICANT, differing
    return (Verdict.COMPATIBLE if differing else Verdict.REPRODUCED), differing


def _differing(paper: PaperNumber, measured: Measured) -> tuple[str, ...]:
    printed = 0.5 * 10.0**-paper.decimals * (1 + 1e-6)
    parts = {
        "value": _agrees(paper.paper, measured.value, paper.tolerance or printed),
        "SD": _agrees(paper.sd, measured.sd, paper.tolerance or printed),
        "p": _agrees(paper.p, measured.p, printed),
        "Cohen's d": _agrees(paper.cohen_d, measured.cohen_d, _MONTE_CARLO_D),
    }
    if paper.ci95 is not None and measured.ci95 is not None:
        allowed = _MONTE_CARLO_CI[paper.unit]
        parts["95% CI"] = all(
            _agrees(theirs, ours, allowed) for theirs, ours in zip(paper.ci95, measured.ci95, strict=True)
        )
    return tuple(name for name, agrees in parts.items() if not agrees)


def _compatible(paper: PaperNumber, measured: Measured, all_measured: Mapping[str, Measured]) -> bool:
    """Whether a number that differs from the paper's may still be the same finding."""
    value = measured.value
    if value is None:
        return False
    if paper.unit == "p":
        statistic = _TESTED_BY.get(paper.id, "")
        if statistic in all_measured:
            return judge(paper_numbers()[statistic], all_measured[statistic])[0] is not Verdict.DIFFERS
        return not _loses_significance(paper, measured)
    if not isinstance(paper.paper, (int, float)):
        return False
    for ends, point in ((measured.ci95, paper.paper), (paper.ci95, value)):
        if ends is not None and ends[0] <= point <= ends[1]:
            return True
    allowed = NEAR * abs(paper.paper)
    if paper.id.startswith(_OF_FOLDS):
        allowed = max(paper.sd or 0.0, measured.sd or 0.0)
    return abs(value - paper.paper) <= allowed


def _loses_significance(paper: PaperNumber, measured: Measured) -> bool:
    """Whether the paper's test is significant and ours is not."""
    of_paper, ours = (paper.paper, measured.value) if paper.unit == "p" else (paper.p, measured.p)
    if of_paper is None or ours is None:
        return False
    # A bound such as <0.05 is significant, too.
    return float(str(of_paper).removeprefix("<")) <= ALPHA <= ours


def _agrees(paper: float | str | None, measured: float | None, tolerance: float) -> bool:
    if paper is None or measured is None:
        return True  # nothing to compare
    if isinstance(paper, str):
        return measured < float(paper.removeprefix("<"))
    return abs(measured - paper) <= tolerance


def compile_results(
    measured: Mapping[str, Measured],
    config: Mapping[str, Any],
    *,
    reason: str,
    missing: Mapping[str, str] | None = None,
) -> Results:
    """Set our numbers beside the paper's: every id of the paper, then the ids only we report.

    What `unjudged` gives a reason for is not judged.

    Parameters
    ----------
    measured : mapping of id to Measured
    config : mapping
        What makes the run: everything that changes a number, and nothing else.
    reason : str
        Why the ids absent from ``measured`` have no value.
    missing : mapping of id to str, optional
        The same for single ids, where more is known.
    """
    reasons = missing or {}
    numbers = [
        _beside(paper, paper.id, measured[paper.id], measured, config)
        if paper.id in measured
        else _number(
            paper.id,
            paper.paper,
            Measured(None),
            paper.unit,
            Verdict.NOT_COMPUTED,
            reasons.get(paper.id, reason),
        )
        for paper in paper_numbers().values()
    ]
    for number_id, ours in measured.items():
        if number_id in paper_numbers():
            continue
        paper = paper_numbers().get(number_id.removeprefix(AS_WRITTEN))
        if paper is not None:
            numbers.append(_beside(paper, number_id, ours, measured, config))
            continue
        verdict = Verdict.NOT_COMPUTED if ours.value is None else Verdict.NO_PAPER_FIGURE
        numbers.append(_number(number_id, None, ours, ours.unit, verdict, ours.note))
    return Results(tuple(numbers), MappingProxyType(dict(config)))


def _beside(
    paper: PaperNumber,
    number_id: str,
    ours: Measured,
    measured: Mapping[str, Measured],
    config: Mapping[str, Any],
) -> Number:
    verdict, differing = judge(paper, ours, measured)
    notes = [ours.note]
    if verdict in JUDGED and (instead := unjudged(paper.id, config)) is not None:
        verdict = instead
    else:
        notes.append(f"{DIFFERS_NOTE}{', '.join(differing)}" if differing else "")
        notes.append(NOT_SIGNIFICANT_NOTE if verdict is Verdict.NOT_SIGNIFICANT else "")
    return _number(number_id, paper.paper, ours, paper.unit, verdict, joined(*notes))


def _number(
    number_id: str, paper: float | str | None, ours: Measured, unit: str, verdict: Verdict, note: str
) -> Number:
    for name in ("value", "sd", "p", "cohen_d"):
        part = getattr(ours, name)
        if part is not None and not math.isfinite(part):
            raise DataError(
                f"number {number_id}: expected a finite {name} or None with a reason, got {part}; "
                "say in the note why it is undefined"
            )
    return Number(number_id, paper, ours.value, ours.sd, ours.ci95, ours.p, ours.cohen_d, unit, verdict, note)
