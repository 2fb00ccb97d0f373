"""What a runtime said, read back from its recording."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rtasmr.declared import is_simulated
from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.query import DEFAULT_QUERIES
from rtasmr.questions import Question, question_of, questions_of
from rtasmr.recorded_health import health_of
from rtasmr.recorded_ticks import ticks_of
from rtasmr.session import Recording, read_xdf
from rtasmr.snapshot import TickRecord, modalities_of
from rtasmr.stream_specs import TINGLE_NAME
from rtasmr.tally import reason_of
from rtasmr.types import Role
from rtasmr.view.figure import draw_tinglegram

SUMMARY_FILE = "summary.json"
CSV_FIELDS = (
    "segment",
    "clip",
    "tick",
    "time_s",
    "clip_time_s",
    "probability",
    "status",
    "modalities",
    "rating",
    "question",
)


@dataclass(frozen=True)
class Account:
    """What a model said about one file, tick by tick, and what must be said beside it.

    Parameters
    ----------
    source : str
        Name of the recording or stimulus.
    note : str
        How the records came about.
    model, demo, threshold, warnings
        From the model's card.
    records : tuple of TickRecord
    health : mapping
        How the run went, see `rtasmr.recorded_health`; empty for a file that was not recorded live.
    questions : mapping of str to Question
        What the recording says was asked, by clip.
    lookahead : int
        How many frames after a tick the model looks at.
    is_over : bool
        Whether the last segment ended with its records; in a recording that broke off it did not.
    simulated : tuple of Role
        What the recording says is of no person: see `simulated_roles`.
    """

    source: str
    note: str
    model: str
    demo: bool
    threshold: float
    warnings: tuple[str, ...]
    records: tuple[TickRecord, ...]
    health: Mapping[str, object] = field(default_factory=dict)
    questions: Mapping[str, Question] = field(default_factory=dict)
    lookahead: int = 0
    is_over: bool = True
    simulated: tuple[Role, ...] = ()

    def summary(self) -> dict[str, object]:
        """Return counts, and the moments of highest and lowest probability."""
        with_p = [r for r in self.records if not math.isnan(r.p)]
        extremes = {}
        if with_p:
            for name, pick in (("highest", max), ("lowest", min)):
                r = pick(with_p, key=lambda record: record.p)
                extremes[name] = {"clip": r.label, "clip_time_s": r.tick / FRAME_RATE_HZ, "p": round(r.p, 6)}
        return {
            "source": self.source,
            "note": self.note,
            "model": self.model,
            "demo": self.demo,
            "warnings": list(self.warnings),
            "ticks": len(self.records),
            "status": dict(Counter(r.status.name.lower() for r in self.records)),
            "reasons": dict(Counter(reason_of(r.status, r.cause) for r in self.records)),
            "simulated": list(self.simulated),
            **extremes,
            **self.health,
        }


def read_account(path: Path) -> Account:
    """Return what a runtime published about every tick of a recording.

    Raises
    ------
    DataError
        If the file is no recording of a runtime, or is corrupt.
    """
    return account_of(read_xdf(path))


def account_of(recording: Recording) -> Account:
    """Return what a runtime published about every tick; DataError as for `read_account`."""
    path = recording.path
    if not any(stream.spec.name == TINGLE_NAME for stream in recording.streams):
        raise DataError(
            f"{path.name}: expected a recording with predictions, got one without, as 'rtasmr record' makes "
            f"it. Predict from it first: rtasmr run {path} --out FOLDER"
        )
    records = ticks_of(recording)
    desc = recording.stream(TINGLE_NAME).spec.desc
    try:
        threshold, lookahead = float(desc.get("threshold", "0.5")), int(desc.get("lookahead_frames", "0"))
    except ValueError as error:
        raise DataError(
            f"{path}: expected numbers as threshold and look-ahead in {TINGLE_NAME}, got {error}; the file "
            "is corrupt, use a copy"
        ) from error
    return Account(
        source=path.name,
        note="as published live",
        model=desc.get("model", "unknown"),
        demo=desc.get("demo") != "false",
        threshold=threshold,
        warnings=tuple(text for text in desc.get("warnings", "").split("; ") if text),
        records=records,
        questions=questions_of(stream.spec for stream in recording.streams),
        lookahead=lookahead,
        is_over=recording.complete,
        simulated=simulated_roles(recording),
        health=health_of(recording),
    )


def simulated_roles(recording: Recording) -> tuple[Role, ...]:
    """Return which of the recorded streams say that they are of no person: the pulse, the ratings."""
    said = [stream.spec for stream in recording.streams if is_simulated(stream.spec)]
    rating = DEFAULT_QUERIES[Role.RATING].name
    found = {Role.PPG: any(s.stype == "PPG" for s in said), Role.RATING: any(s.name == rating for s in said)}
    return tuple(role for role, is_found in found.items() if is_found)


def prepare_folder(out: Path, source: str) -> None:
    """Make the folder for an account of ``source``, before anything long starts.

    Raises
    ------
    DataError
        If the folder cannot be made, or holds the account of another source.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be a folder ({error.strerror}). Choose another --out.") from error
    digest = out / SUMMARY_FILE
    if not digest.is_file():
        return
    try:
        known = json.loads(digest.read_text(encoding="utf-8")).get("source")
    except (OSError, ValueError, AttributeError):
        known = None
    if known != source:
        raise DataError(
            f"{out} holds results of {known or 'something else'}, not of {source}. Choose another --out."
        )


@contextmanager
def folder_for(out: Path, source: str) -> Iterator[None]:
    """Make the folder as `prepare_folder` does; if the work in it fails before a first file, none is left."""
    is_new = not out.exists()
    prepare_folder(out, source)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # there is something in it
                out.rmdir()
        raise


def write_account(account: Account, out: Path) -> list[Path]:
    """Write the table, a summary and the Tinglegram to a folder; return the paths.

    An earlier account of the same source is replaced; see `prepare_folder`.
    """
    tables = write_tables(account, out)
    figures = [out / "tinglegram.png", out / "tinglegram.svg"]
    for path in figures:
        draw_tinglegram(
            account.records,
            title=f"{account.source}, model {account.model}",
            threshold=account.threshold,
            demo=account.demo,
            warnings=account.warnings,
            questions=account.questions,
            lookahead=account.lookahead,
            is_over=account.is_over,
            path=path,
        )
    return [*tables, *figures]


def write_tables(account: Account, out: Path) -> list[Path]:
    """Write the table and the summary alone, as `write_account` does; return the paths."""
    prepare_folder(out, account.source)
    table, digest = out / "predictions.csv", out / SUMMARY_FILE
    write_csv(account.records, table, account.questions)
    digest.write_text(json.dumps(account.summary(), indent=2) + "\n", encoding="utf-8")
    return [table, digest]


def write_csv(
    records: Sequence[TickRecord], path: Path, questions: Mapping[str, Question] | None = None
) -> None:
    """Write one row per tick; an empty probability means there is none, and the status says why.

    ``questions`` are what was asked, by clip: a rating is a report of tingling only where that was.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_FIELDS)
        for r in records:
            writer.writerow(
                (
                    r.segment,
                    r.label,
                    r.tick,
                    f"{r.time_s:.4f}",
                    f"{r.tick / FRAME_RATE_HZ:.1f}",
                    "" if math.isnan(r.p) else f"{r.p:.6f}",
                    r.status.name.lower(),
                    "+".join(m.value for m in modalities_of(r.modalities)),
                    "" if r.rating < 0 else r.rating,
                    question_of(r.label, questions).value if r.label else "",
                )
            )
