"""An evaluation as files: numbers for machines, a page of tables for people, a figure."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import rtasmr
from offline.atomic import replacing
from offline.curves import LOOKAHEADS_S, WINDOWS_S
from offline.differences import COMPARED
from offline.evaluate import Evaluated, Evaluation
from offline.labels import long_labels, short_label
from offline.lag import LagCurve
from offline.modality_gain import MAX_EXCHANGES, SHIFT_S
from offline.predictions import save_predictions
from offline.reading import bound
from offline.results import Measured
from offline.rules import OTHERS
from rtasmr.card import INTENDED_USE, NOT_FOR

NUMBERS_FILE, TABLE_FILE, PAGE_FILE = "evaluation.json", "evaluation.csv", "evaluation.md"

ROWS: Mapping[str, str] = {
    "balanced_accuracy": "balanced accuracy, %",
    "mcc": "MCC",
    "auc": "AUC, all moments",
    "auprc": "AUPRC",
    "auc_within_trial": "AUC within a trial",
    "auc_between": "AUC between people at one instant",
    "own_r": "r of what is the person's own",
    "onset_recall": "onsets predicted",
    "onset_precision": "predicted onsets that are reported",
    "onset_latency": "onset latency, s",
    "flips_per_minute": "flips per minute",
    "response_sensitivity": "trials with tingles recognised, %",
    "response_specificity": "trials without recognised, %",
    "called": "ticks called tingle, %",
    "brier": "Brier",
    "ece": "ECE",
    "ece_when_calibrated": "ECE that right probabilities would have",
    "auc_of_kind": "AUC, ASMR against nature clips",
}
"""Scores of the table in its order, with their names."""


_SERVED = {f"lookahead.{seconds:g}": f"look-ahead {seconds:g} s" for seconds in LOOKAHEADS_S} | {
    f"window.{seconds:g}": f"window {seconds:g} s" for seconds in WINDOWS_S
}


def numbers_of(evaluation: Evaluation) -> Iterator[tuple[str, Measured]]:
    """Yield every number with its id: model or rule, then score."""
    for model in evaluation.models:
        for key, number in {**model.row.scores, **model.more}.items():
            yield f"{model.name}.{key}", number
        if model.lag is not None:
            note = "ratings trail what the model says by this much"
            yield f"{model.name}.lag", Measured(model.lag.best_s, ci95=model.lag.ci95_s, unit="s", note=note)
        for rule, row in model.rules.items():
            for key, number in row.scores.items():
                yield f"{model.name}|{rule}.{key}", number
        for other, difference in model.less.items():
            for key, number in difference.items():
                yield f"{model.name}|less {other}.{key}", number


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write ``evaluation.json``, ``.csv``, ``.md``, ``predictions.npz`` and ``figures/`` into ``out``."""
    content = {
        "version": rtasmr.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": dict(evaluation.config),
        "models": [
            {
                "name": model.name,
                "score": model.score,
                "verdict": str(model.verdict.words),
                "basis": model.basis,
                "claims": [
                    {"claim": str(claim.words), "holds": claim.holds, "evidence": list(claim.evidence)}
                    for claim in model.verdict.claims
                ],
                "reliability": [
                    {"n": int(n), "mean_p": _finite(p), "frequency": _finite(share)}
                    for n, p, share in zip(
                        model.row.reliability.n,
                        model.row.reliability.mean_p,
                        model.row.reliability.frequency,
                        strict=True,
                    )
                ],
                "lag": None if model.lag is None else _curve(model.lag),
                "notes": list(model.notes),
            }
            for model in evaluation.models
        ],
        "numbers": [{"id": key, **asdict(number)} for key, number in numbers_of(evaluation)],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(out / NUMBERS_FILE) as part:
        part.write_text(text, encoding="utf-8")
    with replacing(out / TABLE_FILE) as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "value", "ci95_low", "ci95_high", "p", "unit", "note", "made_with"])
        label = short_label(evaluation.config)
        for key, number in numbers_of(evaluation):
            ends = number.ci95 or ("", "")
            rows.writerow([key, number.value, *ends, number.p, number.unit, number.note, label])
    with replacing(out / PAGE_FILE) as part:
        part.write_text("\n".join(_page(evaluation)) + "\n", encoding="utf-8")
    save_predictions(
        out / "predictions.npz", [model.predictions for model in evaluation.models], dict(evaluation.config)
    )


def _curve(lag: LagCurve) -> dict[str, list[float]]:
    return {"lag_s": [round(float(x), 1) for x in lag.lag_s], "r": [float(x) for x in lag.r]}


def _finite(value: np.floating) -> float | None:
    return float(value) if math.isfinite(value) else None


def _page(evaluation: Evaluation) -> Iterator[str]:
    yield "# Evaluation"
    yield ""
    for label in long_labels(evaluation.config):
        yield f"**{label}**"
        yield ""
    for model in evaluation.models:
        yield from _model_page(model)
    yield "## What such a model is for"
    yield ""
    yield f"{INTENDED_USE[:1].upper()}{INTENDED_USE[1:]}. Not for: {'; '.join(NOT_FOR)}."
    yield ""
    yield (
        "Pressing a key moves the hand: a pulse taken from the hand that rates may show the key, not the "
        "feeling. Take it from the other hand."
    )


def _model_page(model: Evaluated) -> Iterator[str]:
    yield f"## {model.name}: {model.verdict.words}"
    yield ""
    yield f"{model.basis[:1].upper()}{model.basis[1:]}."
    yield ""
    for claim in model.verdict.claims:
        yield f"- {'**holds**' if claim.holds else 'does not hold'}: {claim.words}"
        for sentence in claim.evidence:
            yield f"  - {sentence}"
    for note in model.notes:
        yield f"- note: {note}"
    yield ""
    yield f"### Scores within ASMR clips ({model.score}s), 95 % intervals over participants"
    yield ""
    columns = {model.name: model.row, **model.rules}
    yield f"| | {' | '.join(columns)} |"
    yield f"| --- |{' --- |' * len(columns)}"
    for key, name in ROWS.items():
        cells = (_cell(row.scores.get(key)) for row in columns.values())
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    if OTHERS in model.rules:
        yield (
            f"'{OTHERS}' leaves each person out of the mean, so where somebody feels a tingle it lies lower "
            "than for the others: its scores between people are below chance by construction."
        )
        yield ""
    yield (
        "An ECE is above 0 even where every probability is right, as people report more or less than "
        "expected by chance; within the range that right probabilities would have it is no sign of a fault."
    )
    yield ""
    yield f"| {model.name} less | {' | '.join(ROWS[key] for key in COMPARED)} |"
    yield f"| --- |{' --- |' * len(COMPARED)}"
    for other, difference in model.less.items():
        yield f"| {other} | {' | '.join(_tested_cell(difference[key]) for key in COMPARED)} |"
    yield ""
    n_tested = sum(number.p is not None for found in model.less.values() for number in found.values())
    yield (
        f"p: two-sided, corrected for the {n_tested} differences of this table (Holm). The intervals are "
        "those of one difference alone; what is measurably better has p <= 0.05."
    )
    yield ""
    onsets, with_tingles, without = (
        model.row.scores[key].note for key in ("onset_recall", "response_sensitivity", "response_specificity")
    )
    yield f"Onsets: {onsets}. Recognised: {with_tingles}, {without}."
    yield ""
    if model.lag is not None:
        low, high = model.lag.ci95_s
        yield (
            f"Ratings trail what the model says by {model.lag.best_s:.1f} s [{low:.1f}, {high:.1f}], where "
            f"they agree best (r = {model.lag.r.max():.3f} within trials)."
        )
        yield ""
    yield from _asked_page(model)


def _asked_page(model: Evaluated) -> Iterator[str]:
    """Yield what the model said when it was asked otherwise, if it was."""
    agreement = model.more.get("clip.same_call")
    if agreement is not None:
        yield "| served otherwise | AUC | balanced accuracy, % | Brier |"
        yield "| --- | --- | --- | --- |"
        for point, name in _SERVED.items():
            cells = (_cell(model.more.get(f"{point}.{key}")) for key in ("auc", "balanced_accuracy", "brier"))
            yield f"| {name} | {' | '.join(cells)} |"
        yield ""
        r, apart = model.more["clip.r"], model.more["clip.mean_difference"]
        yield (
            f"Asked about the whole clip at once it makes the same call at {_cell(agreement)} % of ticks; "
            f"the probabilities are {_cell(apart)} apart on average (r = {_cell(r)})."
        )
        yield ""
    changes = [key.removesuffix(".brier_gain") for key in model.more if key.endswith(".brier_gain")]
    if changes:
        yield "| shown otherwise | squared error rises by | p after Holm | AUC falls by |"
        yield "| --- | --- | --- | --- |"
        for change in changes:
            rise, fall = model.more[f"{change}.brier_gain"], model.more[f"{change}.auc_gain"]
            p = "undefined" if rise.p is None else f"{rise.p:.4f}"
            yield f"| {change.replace('.', ' ')} | {_cell(rise, 4)} | {p} | {_cell(fall)} |"
        yield ""
        yield (
            f"Shifted: {SHIFT_S:g} s late. Exchanged: the pulse of up to {MAX_EXCHANGES} other people in the "
            "same clip and fold, errors averaged."
        )
        yield ""


def _tested_cell(number: Measured) -> str:
    return _cell(number) + ("" if number.p is None else f", p {bound(number.p)}")


def _cell(number: Measured | None, digits: int = 3) -> str:
    if number is None or number.value is None:
        return "undefined"
    digits = 1 if number.unit == "%" else digits
    text = f"{number.value:.{digits}f}"
    if number.ci95 is not None:
        text += f" [{number.ci95[0]:.{digits}f}, {number.ci95[1]:.{digits}f}]"
    return text
