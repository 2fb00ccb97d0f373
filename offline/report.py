"""`report.html`: one file that says what was claimed, what was found and what it is worth."""

from __future__ import annotations

import logging
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

import rtasmr
from offline.atomic import replacing
from offline.claims import Claim, ClaimVerdict, judge_claims
from offline.data_notes import read_notes
from offline.labels import long_labels, short_label
from offline.predictions import Predictions, load_predictions
from offline.pulse_answer import PulseAnswer, pulse_answer
from offline.remarks import remarks
from offline.report_drawings import drawings, trial_index
from offline.report_tables import (
    SEEDS,
    SYMBOLS,
    caveat_tables,
    links_of,
    paper_tables,
    pulse_table,
    reasons,
)
from offline.results import AS_WRITTEN, JUDGED, UNJUDGED, Results, Verdict, paper_numbers, read_results
from offline.typeset import typeset
from rtasmr.dataset_words import counted

logger = logging.getLogger(__name__)

REPORT_FILE = "report.html"

_PACKAGES = ("numpy", "scipy", "librosa", "torch", "xgboost", "onnxruntime", "onnxruntime-gpu", "matplotlib")

_ANSWER_TONES = {
    PulseAnswer.YES: "yes",
    PulseAnswer.NO_GAIN: "partly",
    PulseAnswer.NOT_USED: "partly",
    PulseAnswer.NO: "none",
    PulseAnswer.UNKNOWN: "none",
}


def write_report(
    results: Results,
    out: Path,
    predictions: Mapping[str, Predictions] | None = None,
    data_notes: Sequence[str] = (),
) -> Path:
    """Write ``out/report.html`` and the drawings in it, ``out/figures/*.svg``; return its path.

    The page needs no network and runs no script. Whatever comes from files is escaped.

    Parameters
    ----------
    results : Results
    out : Path
        Folder of the results; figures 3 and 4 are taken from it where the results name them.
    predictions : mapping of str to Predictions
        By model; the drawings show ``fusion``.
    data_notes : sequence of str
        Every repair, gap and file that could not be used.

    Raises
    ------
    DataError
        A drawing named by the results is missing, or the folder can not be written.
    """
    fusion = (predictions or {}).get("fusion")
    drawn = drawings(results, fusion, out)
    noted = remarks(results)
    order = {remark.key: i for i, remark in enumerate(noted, start=1)}
    numbers = {number.id: number for number in results.numbers}
    claims = judge_claims(results)
    answer, answer_sentences = pulse_answer(results)
    page = _environment().get_template("report.html.j2")
    text = page.render(
        label=short_label(results.config),
        labels=long_labels(results.config),
        what=_what(results),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        claims=[(i, claim, SYMBOLS[claim.verdict]) for i, claim in enumerate(claims, start=1)],
        remarks_of={claim.key: [order[key] for key in claim.remarks if key in order] for claim in claims},
        tally=_tally(claims),
        headline=_headline(results),
        answer=answer.value,
        answer_tone=_ANSWER_TONES[answer],
        answer_sentences=answer_sentences,
        pulse=pulse_table(numbers, noted),
        tables=paper_tables(numbers, noted),
        caveat_tables=caveat_tables(numbers, noted),
        has_second=any(number_id.startswith(AS_WRITTEN) for number_id in numbers),
        has_spread=any(number_id.startswith(SEEDS) for number_id in numbers),
        remarks=[
            (i, remark, links_of(remark, numbers, [drawing.name for drawing in drawn]))
            for i, remark in enumerate(noted, start=1)
        ],
        drawings=drawn,
        trials=trial_index(fusion),
        reasons=reasons(results),
        data_notes=list(data_notes),
        no_notes=(
            "No recording was read."
            if "predictions" in results.config
            else "Nothing unusual was found in any file."
        ),
        config={key: _plain(value) for key, value in results.config.items()},
        environment=environment(),
    )
    with replacing(out / REPORT_FILE) as part:
        part.write_text(text, encoding="utf-8")
    return out / REPORT_FILE


def write_report_again(out: Path) -> Path:
    """Write the report of a folder from what is saved there; nothing is computed anew.

    Raises
    ------
    DataError
        The folder holds no results, or a damaged file.
    """
    results = read_results(out / "results.json")
    saved = out / "predictions.npz"
    notes = read_notes(out)
    predictions: Mapping[str, Predictions] = {}
    if saved.exists():
        predictions = load_predictions(saved)
    elif any(number.id.startswith("table1.") and number.value is not None for number in results.numbers):
        told = "not there; the figures made of it are left out, 'offline reproduce' draws them again"
        logger.warning("%s: %s", saved, told)
        notes.append(f"{saved.name}: {told}")
    return write_report(results, out, predictions, notes)


def environment() -> dict[str, str]:
    """Return what the report was made with: system, Python, libraries."""
    found = {
        "rtasmr": rtasmr.__version__,
        "Python": platform.python_version(),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}, "
        f"{os.cpu_count()} processors",
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("offline"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["typeset"] = typeset
    return made


def _what(results: Results) -> str:
    """Return in one sentence what was run."""
    config = results.config
    if "predictions" in config:
        return (
            f"Computed from saved predictions ({config['predictions']}): no data set, no training. What "
            "needs the recordings is marked so."
        )
    parts = [f"Computed from the raw data in the folder '{config.get('data', '')}'"]
    if "protocol" in config:
        parts.append(f"protocol {config['protocol']}")
    if "seeds" in config:
        parts.append(f"seed {', '.join(map(str, config['seeds']))}")
    if "epochs" in config:
        parts.append(counted(config["epochs"], "epoch"))
    return ", ".join(parts) + "."


def _headline(results: Results) -> str:
    """Return in a sentence how many numbers there are and how many agree."""
    ours = [number for number in results.numbers if number.id in paper_numbers()]
    found = [number for number in ours if number.verdict is not Verdict.NOT_COMPUTED]
    counts = Counter(number.verdict for number in found if number.verdict in JUDGED)
    told = f"{len(found)} of the paper's {len(ours)} numbers and figures were computed here"
    if counts:
        parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
        told += f". Of {counts.total()} that can be held against the paper's: {'; '.join(parts)}"
    unjudged = sum(number.verdict in UNJUDGED for number in found)
    if unjudged:
        told += f". {unjudged} {'is' if unjudged == 1 else 'are'} shown, but not judged"
    return told + ". A number that agrees need not mean what is claimed: the table says what each is worth."


def _tally(claims: Sequence[Claim]) -> list[tuple[str, str, str, int]]:
    """Return tone, symbol, verdict and count of each verdict that occurs."""
    counts = {verdict: sum(claim.verdict is verdict for claim in claims) for verdict in ClaimVerdict}
    return [(*SYMBOLS[verdict], verdict.value, count) for verdict, count in counts.items() if count]


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
