"""The paper's numbers, ours beside them, and the file that holds both."""

from __future__ import annotations

import csv
import json
import logging
import math
import platform
from collections.abc import Mapping
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
from offline.labels import short_label
from rtasmr.errors import DataError

logger = logging.getLogger(__name__)

_MONTE_CARLO_D = 0.25
"""Cohen's d moves this much between seeds: the published script never seeded it."""

_MONTE_CARLO_CI: Mapping[str, float] = {"%": 1.0, "r": 0.02}
"""Ends of 2000-resample intervals move this much between seeds, by unit."""


class Verdict(StrEnum):
    """How a number compares with the paper's."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    DRAWN = "drawn"
    NOT_COMPUTED = "not computed"
    NO_PAPER_FIGURE = "no paper figure"
    NOT_COMPARABLE = "not comparable"


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


def judge(paper: PaperNumber, measured: Measured) -> tuple[Verdict, tuple[str, ...]]:
    """Compare a number with the paper's; return the verdict and the parts that differ.

    Value and SD must agree in every printed digit, or within ``paper.tolerance``. Interval ends and
    Cohen's d come from unseeded resampling in the paper: they may lie 1.0 percentage points (0.02 for
    a correlation) and 0.25 apart.
    """
    if paper.unit == "figure":
        return (Verdict.DRAWN if measured.note else Verdict.NOT_COMPUTED), ()
    if measured.value is None:
        return Verdict.NOT_COMPUTED, ()
    if paper.paper is None:
        return Verdict.NO_PAPER_FIGURE, ()
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
    differing = tuple(name for name, agrees in parts.items() if not agrees)
    return (Verdict.DIFFERS if differing else Verdict.REPRODUCED), differing


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
    comparable: bool = True,
) -> Results:
    """Set our numbers beside the paper's: every id of the paper, then the ids only we report.

    Parameters
    ----------
    measured : mapping of id to Measured
    config : mapping
        What makes the run: everything that changes a number, and nothing else.
    reason : str
        Why the ids absent from ``measured`` have no value.
    comparable : bool
        False for simulated data: the paper's numbers then are no yardstick.
    """
    numbers = []
    for paper in paper_numbers().values():
        ours = measured.get(paper.id, Measured(None))
        missing = paper.id not in measured
        verdict, differing = judge(paper, ours)
        notes = [reason if missing else ours.note]
        if not comparable and verdict in (Verdict.REPRODUCED, Verdict.DIFFERS):
            verdict = Verdict.NOT_COMPARABLE
        elif differing:
            notes.append(f"differs in {', '.join(differing)}")
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


def write_results(results: Results, out: Path) -> None:
    """Write ``results.json``, ``tables.csv`` and ``config.toml`` into the folder ``out``.

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
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _keep_other_results(results, out / "results.json")
    with replacing(out / "results.json") as part:
        part.write_text(text, encoding="utf-8")
    with replacing(out / "tables.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        names = [field.name for field in fields(Number) if field.name != "ci95"]
        # Each row says what it rests on: rows are copied into other tables.
        rows.writerow([*names, "ci95_low", "ci95_high", "made_with"])
        label = short_label(results.config)
        for number in results.numbers:
            values = (getattr(number, name) for name in names)
            rows.writerow([*values, *(number.ci95 or ("", "")), label])
    with replacing(out / "config.toml") as part:
        # JSON's strings, numbers and booleans are TOML's.
        lines = [
            f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in results.config.items()
        ]
        part.write_text("".join(lines), encoding="utf-8")


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
