"""`report.html`: one file that says what was claimed, what was found and what it is worth."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import rtasmr
from offline.atomic import replacing
from offline.claims import Claim, ClaimVerdict, judge_claims
from offline.inline_svg import inline_svg
from offline.predictions import Predictions, load_predictions
from offline.pulse_gain import PREFIX as PULSE_PREFIX
from offline.pulse_gain import PulseAnswer, pulse_answer
from offline.reading import bound, digits_of, show, show_p
from offline.remarks import Remark, remarks
from offline.report_figures import captions, draw_figures
from offline.results import Number, Results, Verdict, paper_numbers, read_results
from rtasmr.errors import DataError
from rtasmr.types import ASMR_VIDEOS

REPORT_FILE = "report.html"
NOTES_FILE = "data_notes.txt"
AS_WRITTEN = "as_written."
"""Put before the ids of a second protocol run beside the published one."""
SEEDS = "seeds."
"""Put before the ids of means over training runs with several seeds."""

FIGURE_6_PARTICIPANT = 27

_PACKAGES = ("numpy", "scipy", "librosa", "torch", "xgboost", "onnxruntime", "onnxruntime-gpu", "matplotlib")

_TABLES: tuple[tuple[str, str, str], ...] = (
    ("table1.", "Table 1: fusion BiLSTM, frame by frame", "table-1"),
    ("video_level.", "Whole clips, ASMR or nature", "video-level"),
    ("table2.video_only.", "Table 2: video only", "table-2-video"),
    ("table2.audio_only.", "Table 2: audio only", "table-2-audio"),
    ("xgboost.", "XGBoost, without temporal context", "xgboost"),
    ("dataset.", "The data set", "data-set"),
    ("behaviour.", "What the participants reported", "behaviour"),
    ("isa.", "Agreement between raters of a clip, the rater left out", "agreement"),
    ("ppg.", "The pulse sensor", "sensor"),
    ("cardio.", "Pulse rate against rating", "pulse-rate"),
)
_BY_CLIP = ("behaviour.", "isa.")
"""Numbers that come per clip: the paper's and ours are sorted together."""

_CAVEAT_TABLES: tuple[tuple[str, str, str], ...] = (
    ("caveat.within_asmr.", "Within ASMR clips, padding left out", "within"),
    ("caveat.non_responders.", "ASMR trials without a reported tingle", "silent"),
    ("caveat.clip_rule", "Rules that know only the kind of clip", "rules"),
    ("caveat.never", "", "rules"),
    ("caveat.gain_over", "", "rules"),
    ("caveat.stimulus_mean.", "Reference: the other raters of the same clip", "stimulus-mean"),
    ("caveat.onsets.", "Onsets and figure 6", "onsets"),
    ("caveat.figure6.", "", "onsets"),
    ("caveat.padding.", "Without zero padding", "padding"),
    ("caveat.without_padding.", "", "padding"),
)

_SYMBOLS = {
    ClaimVerdict.REPRODUCED: ("yes", "✔"),
    ClaimVerdict.CAVEAT: ("partly", "◐"),
    ClaimVerdict.NOT_REPRODUCED: ("no", "✘"),
    ClaimVerdict.NOT_COMPUTABLE: ("none", "○"),
    ClaimVerdict.SIMULATED: ("none", "◌"),
    Verdict.REPRODUCED: ("yes", "✔"),
    Verdict.DRAWN: ("yes", "✔"),
    Verdict.DIFFERS: ("no", "≠"),
    Verdict.NOT_COMPUTED: ("none", "○"),
    Verdict.NO_PAPER_FIGURE: ("none", "·"),
    Verdict.NOT_COMPARABLE: ("none", "◌"),
}

_SPELLED = {
    "f1": "F1",
    "auc": "AUC",
    "mcc": "MCC",
    "ece": "ECE",
    "brier": "Brier score",
    "asmr": "ASMR",
    "asmr,": "ASMR,",
}
"""Parts of ids that are written otherwise."""

_ANSWER_TONES = {
    PulseAnswer.YES: "yes",
    PulseAnswer.NOT_USED: "partly",
    PulseAnswer.NO: "no",
    PulseAnswer.UNKNOWN: "none",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One number as the tables show it; cells are text, empty where there is nothing to show."""

    id: str
    name: str
    paper: str
    paper_more: tuple[str, ...]
    here: str
    here_more: tuple[str, ...]
    second: str
    spread: str
    difference: str
    verdict: str
    tone: str
    symbol: str
    note: str
    reason: str
    remarks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NumberTable:
    """Numbers that belong together."""

    title: str
    anchor: str
    rows: tuple[Row, ...]

    @property
    def computed(self) -> bool:
        """Whether any of them has a value."""
        return any(row.here for row in self.rows)

    @property
    def reason(self) -> str:
        """Why they have none."""
        return "; ".join(dict.fromkeys(row.reason for row in self.rows if row.reason)) or "no reason given"

    @property
    def paper(self) -> str:
        """Return what the paper prints, in one line."""
        return ", ".join(f"{row.name} {row.paper}" for row in self.rows if row.paper) or "prints none"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of the report."""

    name: str
    title: str
    svg: Markup
    caption: str


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
    drawn = draw_figures(results, fusion, out, FIGURE_6_PARTICIPANT)
    noted = remarks(results)
    order = {remark.key: i for i, remark in enumerate(noted, start=1)}
    numbers = {number.id: number for number in results.numbers}
    claims = judge_claims(results)
    answer, answer_text = pulse_answer(results)
    page = _environment().get_template("report.html.j2")
    text = page.render(
        labels=_labels(results),
        what=_what(results),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        claims=[(i, claim, _SYMBOLS[claim.verdict]) for i, claim in enumerate(claims, start=1)],
        remarks_of={claim.key: [order[key] for key in claim.remarks if key in order] for claim in claims},
        tally=_tally(claims),
        headline=_headline(results),
        answer=answer.value,
        answer_tone=_ANSWER_TONES[answer],
        answer_text=answer_text,
        pulse=NumberTable(
            "What is the person's own, within ASMR clips", "own", _rows(PULSE_PREFIX, numbers, noted)
        ),
        tables=_tables(_TABLES, numbers, noted),
        caveat_tables=_tables(_CAVEAT_TABLES, numbers, noted),
        has_second=any(number_id.startswith(AS_WRITTEN) for number_id in numbers),
        has_spread=any(number_id.startswith(SEEDS) for number_id in numbers),
        remarks=[(i, remark, _ids_of(remark, numbers)) for i, remark in enumerate(noted, start=1)],
        drawings=_drawings(results, drawn, out),
        reasons=_reasons(results),
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
    predictions = load_predictions(saved) if saved.exists() else {}
    return write_report(results, out, predictions, read_notes(out))


def write_notes(notes: Sequence[str], out: Path) -> None:
    """Write data notes, one a line."""
    with replacing(out / NOTES_FILE) as part:
        part.write_text("".join(" ".join(note.split()) + "\n" for note in notes), encoding="utf-8")


def read_notes(out: Path) -> list[str]:
    """Read what `write_notes` wrote; empty where there is none."""
    try:
        return (out / NOTES_FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{out / NOTES_FILE}: expected notes as text ({error}); remove the file") from error


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
    return Environment(
        loader=PackageLoader("offline"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _labels(results: Results) -> list[str]:
    """Return what must be said on top: nobody may take this for what it is not."""
    labels = []
    if results.config.get("simulated"):
        scenario = results.config.get("scenario", "")
        told = {
            "tingle": " The simulated pulse carries the simulated person's tingles.",
            "null": " The simulated pulse carries nothing about tingles.",
        }.get(str(scenario), "")
        labels.append(f"Simulated data: nothing here says anything about people.{told}")
    if str(results.config.get("encoder", "")).startswith("random"):
        labels.append(
            f"Image encoder with random weights ({results.config['encoder']}): the video features carry no "
            "knowledge of pictures; scores are not comparable with the paper's."
        )
    return labels


def _what(results: Results) -> str:
    """Return in one sentence what was run."""
    config = results.config
    if "predictions" in config:
        return (
            f"Computed from saved predictions ({config['predictions']}): no data set, no training. What "
            "needs the recordings is marked so."
        )
    parts = [f"Computed from the raw data of {config.get('data', 'a data set')}"]
    if "protocol" in config:
        parts.append(f"protocol {config['protocol']}")
    if "seeds" in config:
        parts.append(f"seed {', '.join(map(str, config['seeds']))}")
    if "epochs" in config:
        parts.append(f"{config['epochs']} epochs")
    return ", ".join(parts) + "."


def _headline(results: Results) -> str:
    """Return in a sentence how many numbers there are and how many agree."""
    ours = [number for number in results.numbers if number.id in paper_numbers()]
    found = [number for number in ours if number.verdict is not Verdict.NOT_COMPUTED]
    judged = [n for n in found if n.verdict in (Verdict.REPRODUCED, Verdict.DIFFERS)]
    same = sum(number.verdict is Verdict.REPRODUCED for number in judged)
    told = f"{len(found)} of the paper's {len(ours)} numbers and figures were computed here"
    if judged:
        told += f"; of {len(judged)} that can be compared {same} agree in every printed digit or within "
        told += "the paper's own resampling error"
    return told + ". A number that agrees need not mean what is claimed: the table says what each is worth."


def _tally(claims: Sequence[Claim]) -> list[tuple[str, str, str, int]]:
    """Return tone, symbol, verdict and count of each verdict that occurs."""
    counts = {verdict: sum(claim.verdict is verdict for claim in claims) for verdict in ClaimVerdict}
    return [(*_SYMBOLS[verdict], verdict.value, count) for verdict, count in counts.items() if count]


def _tables(
    layout: Sequence[tuple[str, str, str]], numbers: Mapping[str, Number], noted: Sequence[Remark]
) -> list[NumberTable]:
    """Return the tables that have rows; entries of one anchor share a table."""
    found: dict[str, NumberTable] = {}
    for prefix, title, anchor in layout:
        rows = _rows(prefix, numbers, noted)
        if anchor in found:
            found[anchor] = NumberTable(found[anchor].title, anchor, (*found[anchor].rows, *rows))
        elif rows:
            found[anchor] = NumberTable(title, anchor, rows)
    return list(found.values())


def _rows(prefix: str, numbers: Mapping[str, Number], noted: Sequence[Remark]) -> tuple[Row, ...]:
    chosen = [
        number for number in numbers.values() if number.id.startswith(prefix) and number.unit != "figure"
    ]
    if prefix in _BY_CLIP:
        chosen.sort(key=lambda number: number.id)
    return tuple(_row(number, prefix, numbers, noted) for number in chosen)


def _row(number: Number, prefix: str, numbers: Mapping[str, Number], noted: Sequence[Remark]) -> Row:
    digits = digits_of(number)
    paper = paper_numbers().get(number.id)
    second, spread = numbers.get(f"{AS_WRITTEN}{number.id}"), numbers.get(f"{SEEDS}{number.id}")
    tone, symbol = _SYMBOLS[number.verdict]
    return Row(
        id=number.id,
        name=_name(number, prefix),
        paper="" if paper is None else _value(number.paper, paper.sd, digits),
        paper_more=()
        if paper is None
        else _more(paper.ci95, paper.p, paper.cohen_d, _interval_digits(number)),
        here=_p(number.value) if number.unit == "p" else _value(number.value, number.sd, digits),
        here_more=_more(number.ci95, number.p, number.cohen_d, _interval_digits(number)),
        second="" if second is None else _value(second.value, second.sd, digits),
        spread="" if spread is None else _value(spread.value, spread.sd, digits),
        difference=_difference(number, digits),
        verdict=number.verdict.value,
        tone=tone,
        symbol=symbol,
        note=number.note if number.value is not None else "",
        reason=number.note if number.value is None else "",
        remarks=tuple(i for i, remark in enumerate(noted, start=1) if remark.concerns(number.id)),
    )


def _name(number: Number, prefix: str) -> str:
    base = number.id if not prefix.endswith(".") else number.id.removeprefix(prefix)
    words = base.removeprefix("caveat.").replace("_", " ").replace(".", ", ").split(" ")
    name = " ".join(_SPELLED.get(word, word) for word in words)
    unit = {"p": "", "count": "", "r": "", "t": "", "": "", "AUC": ""}.get(number.unit, number.unit)
    return f"{name} [{unit}]" if unit else name


def _value(value: float | str | None, sd: float | None, digits: int) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return show(value, digits) if sd is None else f"{show(value, digits)} ± {show(sd, digits)}"


def _p(p: float | None) -> str:
    return "" if p is None else show_p(p)


def _interval_digits(number: Number) -> int:
    return 1 if number.unit == "%" else digits_of(number)


def _more(
    ci95: tuple[float, float] | None, p: float | str | None, cohen_d: float | None, digits: int
) -> tuple[str, ...]:
    lines = []
    if ci95 is not None:
        lines.append(f"95 % CI [{show(ci95[0], digits)}, {show(ci95[1], digits)}]")
    tests = []
    if p is not None:
        tests.append(f"p {p.replace('<', '< ') if isinstance(p, str) else bound(p)}")
    if cohen_d is not None:
        tests.append(f"d = {cohen_d:.2f}")
    return (*lines, *([", ".join(tests)] if tests else []))


def _difference(number: Number, digits: int) -> str:
    if number.value is None or not isinstance(number.paper, (int, float)):
        return ""
    difference = round(number.value - number.paper, digits) + 0.0
    sign = "+" if difference > 0 else ""
    return "0" if difference == 0 else f"{sign}{show(difference, digits)}".replace("-", "\N{MINUS SIGN}")


def _ids_of(remark: Remark, numbers: Mapping[str, Number]) -> list[str]:
    """Return the numbers with a value that a remark concerns and that stand in a table of the report."""
    prefixes = tuple(prefix for prefix, _, _ in _TABLES)
    return [
        number.id
        for number in numbers.values()
        if number.value is not None and remark.concerns(number.id) and number.id.startswith(prefixes)
    ]


def _reasons(results: Results) -> list[tuple[str, list[str]]]:
    """Return why numbers of the paper have no value, and which."""
    by_reason: dict[str, list[str]] = {}
    for number in results.numbers:
        if number.id in paper_numbers() and number.verdict is Verdict.NOT_COMPUTED:
            by_reason.setdefault(number.note or "no reason given", []).append(number.id)
    return list(by_reason.items())


def _drawings(results: Results, drawn: Mapping[str, str], out: Path) -> list[Drawing]:
    """Return all figures in the report's order."""
    names = dict(drawn)
    for number in results.numbers:
        # Figures 3 and 4 were drawn from the raw data.
        if number.id in ("figure3", "figure4") and number.verdict is Verdict.DRAWN:
            names[number.id] = Path(number.note).name
    told = captions(names)
    fixed = ("scores", "figure3", "figure4", "figure6", "reliability")
    order = [name for name in fixed if name in names]
    order += sorted(name for name in names if name not in fixed)
    return [
        Drawing(
            name,
            _figure_title(name),
            # Safe: `inline_svg` keeps nothing but what draws.
            Markup(inline_svg(out / "figures" / names[name], f"{name}-", _figure_title(name))),
            told[name],
        )
        for name in order
    ]


def _figure_title(name: str) -> str:
    if name.startswith("tinglegrams_"):
        video = name.removeprefix("tinglegrams_")
        return f"Test trials of {video} ({'ASMR' if video in ASMR_VIDEOS else 'nature'})"
    return {
        "scores": "Scores beside the paper's and two simple rules",
        "figure3": "Figure 3: ratings over time",
        "figure4": "Figure 4: pulse rate and rating",
        "figure6": "Figure 6: Tinglegram",
        "reliability": "Reliability of the probabilities",
    }[name]


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
