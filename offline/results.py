"""The paper's numbers, ours beside them, and the files that hold both."""

from __future__ import annotations

import csv
import json
import logging
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
from offline.labels import short_label
from rtasmr.errors import DataError

logger = logging.getLogger(__name__)

AS_WRITTEN = "as_written."
"""Put before the ids of a second protocol run beside the published one."""

ALPHA = 0.05
"""Below it the paper calls a test significant."""

DIFFERS_NOTE, NOT_SIGNIFICANT_NOTE = "differs in ", f"not significant here at {ALPHA:g}"
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
    OTHER_ENCODER = "not judged: another encoder"
    OTHER_TRAINING = "not judged: other training"
    FOLD_LEFT_OUT = "not judged: fold left out"


JUDGED = frozenset((Verdict.REPRODUCED, Verdict.COMPATIBLE, Verdict.NOT_SIGNIFICANT, Verdict.DIFFERS))
"""Verdicts on numbers that were held against the paper's."""

UNJUDGED = frozenset(
    (
        Verdict.SIMULATED,
        Verdict.RANDOM_ENCODER,
        Verdict.OTHER_ENCODER,
        Verdict.OTHER_TRAINING,
        Verdict.FOLD_LEFT_OUT,
    )
)
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
        return "; ".join(part for part in parts if not part.startswith((DIFFERS_NOTE, NOT_SIGNIFICANT_NOTE)))


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
