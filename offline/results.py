"""The paper's numbers, ours beside them, and the file that holds both."""

from __future__ import annotations

import csv
import json
import logging
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import rtasmr
from offline.atomic import replacing
from offline.compared import rests_on_pictures
from offline.labels import has_random_encoder, short_label
from rtasmr.errors import DataError

logger = logging.getLogger(__name__)

_MONTE_CARLO_D = 0.25
"""Cohen's d moves this much between seeds: the published script never seeded it."""

_MONTE_CARLO_CI: Mapping[str, float] = {"%": 1.0, "r": 0.02}
"""Ends of 2000-resample intervals move this much between seeds, by unit."""

ALPHA = 0.05
"""Below it the paper calls a test significant."""

NEAR = 0.05
"""Numbers without an uncertainty are compatible within this share of the paper's: 0.1 of its t of -2.085."""

_OF_FOLDS = ("table1.", "table2.", "xgboost.")
"""Scores of trained models: one training is one draw, so an SD over folds is their uncertainty."""

_TESTED_BY: Mapping[str, str] = {"cardio.p": "cardio.t"}
"""The statistic that a p-value belongs to, where the paper prints both."""

_DIFFERS_IN, _NOT_SIGNIFICANT = "differs in ", f"not significant here at {ALPHA:g}"
"""What a comparison adds to a note."""


class Verdict(StrEnum):
    """How a number compares with the paper's."""

    REPRODUCED = "reproduced"
    COMPATIBLE = "differs within its uncertainty"
    NOT_SIGNIFICANT = "agrees, but not significant here"
    DIFFERS = "differs"
    DRAWN = "drawn"
    NOT_COMPUTED = "not computed"
    NO_PAPER_FIGURE = "no paper figure"
    SIMULATED = "not judged: simulated"
    RANDOM_ENCODER = "not judged: random encoder"


JUDGED = frozenset((Verdict.REPRODUCED, Verdict.COMPATIBLE, Verdict.NOT_SIGNIFICANT, Verdict.DIFFERS))
"""Verdicts on numbers that were held against the paper's."""

UNJUDGED = frozenset((Verdict.SIMULATED, Verdict.RANDOM_ENCODER))
"""Verdicts on numbers that the paper prints and that are not held against it."""


@dataclass(frozen=True, slots=True)
class PaperNumber:
    """A number the paper prints.

    ``paper`` is None where the paper gives none and text where it gives a bound (``<0.05``);
    ``decimals`` is the number of digits it prints after the point, ``tolerance`` an allowance for the
    paper's own Monte-Carlo error, ``needs`` is ``raw`` or ``predictions``.
    """

    id: str
    paper: float | str | None
    unit: str
    needs: str
    where: str
    decimals: int = 0
    sd: float | None = None
    ci95: tuple[float, float] | None = None
    p: float | str | None = None
    cohen_d: float | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A number of ours, before it is set beside the paper's; same unit as there (percent, not shares).

    ``value`` is None for a figure, whose ``note`` then is the path of the drawing, and for a number
    that could not be computed, whose ``note`` then is the reason.
    """

    value: float | None
    sd: float | None = None
    ci95: tuple[float, float] | None = None
    p: float | None = None
    cohen_d: float | None = None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """One line of ``results.json``."""

    id: str
    paper: float | str | None
    value: float | None
    sd: float | None
    ci95: tuple[float, float] | None
    p: float | None
    cohen_d: float | None
    unit: str
    verdict: Verdict
    note: str

    @property
    def said(self) -> str:
        """The note without what the comparison with the paper added."""
        parts = self.note.split("; ")
        return "; ".join(part for part in parts if not part.startswith((_DIFFERS_IN, _NOT_SIGNIFICANT)))


@dataclass(frozen=True, slots=True)
class Results:
    """All numbers of one run, in the paper's order, and the configuration that made them."""

    numbers: tuple[Number, ...]
    config: Mapping[str, Any]

    def __getitem__(self, number_id: str) -> Number:
        """Return the number with this id."""
        for number in self.numbers:
            if number.id == number_id:
                return number
        raise KeyError(number_id)


@cache
def _paper_file() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        files("offline").joinpath("paper_numbers.json").read_text(encoding="utf-8")
    )
    return content


@cache
def paper_numbers() -> Mapping[str, PaperNumber]:
    """Return the paper's numbers by id, in the paper's order."""
    numbers = {}
    for item in _paper_file()["numbers"]:
        ci95 = item.get("ci95")
        numbers[item["id"]] = PaperNumber(**{**item, "ci95": None if ci95 is None else tuple(ci95)})
    return MappingProxyType(numbers)


def paper_fold_macro_f1(model: str) -> tuple[float, ...]:
    """Return the published macro F1 of each fold, rounded to four digits as in the authors' notebook."""
    return tuple(_paper_file()["fold_macro_f1"][model])


def unjudged(number_id: str, config: Mapping[str, Any]) -> Verdict | None:
    """Return why a number is not held against the paper's, None where it is.

    Simulated data say nothing about people, and random weights nothing about pictures.
    """
    if config.get("simulated"):
        return Verdict.SIMULATED
    if has_random_encoder(config) and rests_on_pictures(number_id):
        return Verdict.RANDOM_ENCODER
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
) -> Results:
    """Set our numbers beside the paper's: every id of the paper, then the ids only we report.

    Simulated data, and numbers that rest on pictures seen with random weights, are not judged.

    Parameters
    ----------
    measured : mapping of id to Measured
    config : mapping
        What makes the run: everything that changes a number, and nothing else.
    reason : str
        Why the ids absent from ``measured`` have no value.
    """
    numbers = []
    for paper in paper_numbers().values():
        ours = measured.get(paper.id, Measured(None))
        missing = paper.id not in measured
        verdict, differing = judge(paper, ours, measured)
        notes = [reason if missing else ours.note]
        if verdict in JUDGED and (instead := unjudged(paper.id, config)) is not None:
            verdict = instead
        else:
            notes.append(f"{_DIFFERS_IN}{', '.join(differing)}" if differing else "")
            notes.append(_NOT_SIGNIFICANT if verdict is Verdict.NOT_SIGNIFICANT else "")
        note = "; ".join(part for part in notes if part)
        numbers.append(_number(paper.id, paper.paper, ours, paper.unit, verdict, note))
    for number_id, ours in measured.items():
        if number_id not in paper_numbers():
            verdict = Verdict.NOT_COMPUTED if ours.value is None else Verdict.NO_PAPER_FIGURE
            numbers.append(_number(number_id, None, ours, ours.unit, verdict, ours.note))
    return Results(tuple(numbers), MappingProxyType(dict(config)))


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


def write_results(results: Results, out: Path, claims: Sequence[Mapping[str, str]] = ()) -> None:
    """Write ``results.json``, ``tables.csv`` and ``config.toml`` into the folder ``out``.

    Claims (`offline.claims.claim_rows`), where there are any, stand in ``results.json`` and ``claims.csv``.

    Two runs of one configuration differ in ``created`` and ``machine`` only. Results of another
    configuration that stand there are kept as ``results.N.json``, with a warning that names the
    settings that differ.

    Raises
    ------
    DataError
        If a ``results.json`` stands there that holds something else.
    """
    content = {
        "version": rtasmr.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}",
        "config": dict(results.config),
        "numbers": [asdict(number) for number in results.numbers],
    }
    if claims:
        content["claims"] = [dict(claim) for claim in claims]
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _keep_other_results(results, out / "results.json")
    with replacing(out / "results.json") as part:
        part.write_text(text, encoding="utf-8")
    names = [field.name for field in fields(Number) if field.name != "ci95"]
    label = short_label(results.config)
    _write_table(
        out / "tables.csv",
        (*names, "ci95_low", "ci95_high"),
        [(*(getattr(n, name) for name in names), *(n.ci95 or ("", ""))) for n in results.numbers],
        label,
    )
    if claims:
        _write_table(out / "claims.csv", tuple(claims[0]), [tuple(c.values()) for c in claims], label)
    with replacing(out / "config.toml") as part:
        # JSON's strings, numbers and booleans are TOML's.
        lines = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in results.config.items()
        ]
        part.write_text("".join(lines), encoding="utf-8")


def _write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]], made_with: str) -> None:
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        # Each row says what it rests on: rows are copied into other tables.
        table.writerow([*names, "made_with"])
        table.writerows([*row, made_with] for row in rows)


def _keep_other_results(results: Results, path: Path) -> None:
    if not path.exists():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} holds something else than results; choose another --out or move it away"
        ) from error
    now = dict(results.config)
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if changed:
        told = ", ".join(f"{key}: {before.get(key)} -> {now.get(key)}" for key in changed)
        kept = next(p for n in count(1) if not (p := path.with_name(f"results.{n}.json")).exists())
        path.rename(kept)
        logger.warning("%s held results of another configuration (%s), kept as %s", path, told, kept.name)


def read_results(path: Path) -> Results:
    """Read a ``results.json``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        numbers = tuple(
            Number(
                **{
                    **item,
                    "ci95": None if item["ci95"] is None else tuple(item["ci95"]),
                    "verdict": Verdict(item["verdict"]),
                }
            )
            for item in content["numbers"]
        )
        return Results(numbers, MappingProxyType(content["config"]))
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected results, found none; run 'offline reproduce' first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected a results file of this version ({error}); run 'offline reproduce' again"
        ) from error
