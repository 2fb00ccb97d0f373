"""The tables of the report: each number of ours beside the paper's, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offline.claims import ClaimVerdict
from offline.pulse_gain import PREFIX as PULSE_PREFIX
from offline.reading import bound, digits_of, show, show_p
from offline.remarks import Remark
from offline.results import AS_WRITTEN, Number, Results, Verdict, paper_numbers

SEEDS = "seeds."
"""Put before the ids of means over training runs with several seeds."""

_TABLES: tuple[tuple[str, str, str], ...] = (
    ("table1.", "Table 1: fusion BiLSTM, frame by frame", "table-1"),
    ("video_level.", "Whole clips, ASMR or nature", "video-level"),
    ("table2.video_only.", "Table 2: video only", "table-2-video"),
    ("table2.audio_only.", "Table 2: audio only", "table-2-audio"),
    ("xgboost.", "XGBoost, without temporal context", "xgboost"),
    ("ablation.audio_video.", "Beyond the paper: sound and picture, without the pulse", "no-pulse"),
    ("ablation.ppg_only.", "Beyond the paper: the pulse alone", "pulse-alone"),
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
    ("caveat.variation.", "How probabilities and ratings vary within ASMR clips", "variation"),
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

SYMBOLS: Mapping[ClaimVerdict | Verdict, tuple[str, str]] = {
    ClaimVerdict.REPRODUCED: ("yes", "✔"),
    ClaimVerdict.CAVEAT: ("partly", "◐"),
    ClaimVerdict.NOT_REPRODUCED: ("no", "✘"),
    ClaimVerdict.NOT_COMPUTABLE: ("none", "○"),
    ClaimVerdict.SIMULATED: ("none", "◌"),
    ClaimVerdict.RANDOM_ENCODER: ("none", "◌"),
    ClaimVerdict.OTHER_ENCODER: ("none", "◌"),
    ClaimVerdict.OTHER_TRAINING: ("none", "◌"),
    ClaimVerdict.FOLD_LEFT_OUT: ("none", "◌"),
    Verdict.REPRODUCED: ("yes", "✔"),
    Verdict.DRAWN: ("yes", "✔"),
    Verdict.COMPATIBLE: ("partly", "≈"),
    Verdict.NOT_SIGNIFICANT: ("partly", "◐"),
    Verdict.DIFFERS: ("no", "≠"),
    Verdict.NOT_COMPUTED: ("none", "○"),
    Verdict.NO_PAPER_FIGURE: ("none", "·"),
    Verdict.SIMULATED: ("none", "◌"),
    Verdict.RANDOM_ENCODER: ("none", "◌"),
    Verdict.OTHER_ENCODER: ("none", "◌"),
    Verdict.OTHER_TRAINING: ("none", "◌"),
    Verdict.FOLD_LEFT_OUT: ("none", "◌"),
}
"""Tone and sign of each verdict."""

_SPELLED = {
    "f1": "F1",
    "sd": "SD",
    "auc": "AUC",
    "mcc": "MCC",
    "ece": "ECE",
    "brier": "Brier score",
    "asmr": "ASMR",
    "asmr,": "ASMR,",
    "vs": "against",
}
"""Parts of ids that are written otherwise."""


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
        return "; ".join(f"{row.name} {row.paper}" for row in self.rows if row.paper) or "prints none"


_NAMES: Mapping[str, str] = {
    "dataset.trials_asmr_first_or_nature_first": "participants with the ASMR block first",
    "caveat.pulse.participants": "people in these comparisons",
    "caveat.pulse.concordance": "fusion: who of two people feels it",
    "caveat.pulse.correlation": "fusion: correlation with the person's own part",
    "caveat.pulse.shuffled.concordance": "another's pulse: who of two people feels it",
    "caveat.pulse.shuffled.correlation": "another's pulse: correlation with the person's own part",
    "caveat.pulse.shuffled.brier_gain": "another's pulse: rise of the squared error",
    "caveat.pulse.shuffled.change": "another's pulse: change of the probability",
    "caveat.pulse.without.brier_gain": "model without pulse: rise of the squared error",
    "caveat.pulse.without.macro_f1_gain": "model without pulse: loss of macro F1 [percentage points]",
    "caveat.pulse.alone.correlation": "model of the pulse alone: correlation with the person's own part",
    "caveat.pulse.amplitude.correlation": "pulse amplitude, no model: correlation with the person's own part",
    "caveat.within_asmr.always.accuracy": "accuracy of 'always a tingle' [%]",
    "caveat.within_asmr.never.accuracy": "accuracy of 'never a tingle' [%]",
    "caveat.within_asmr.called_tingle": "frames called tingle [%]",
    "caveat.within_asmr.auc_within_trial_mean": "AUC within a trial, mean",
    "caveat.within_asmr.auc_within_trial_median": "AUC within a trial, median",
    "caveat.within_asmr.auc_elapsed_time": "AUC within a trial of elapsed time, mean",
    "caveat.within_asmr.variance_by_clip_and_time": "variance explained by clip and time [%]",
    "caveat.within_asmr.variance_by_clip_time_and_length": "variance explained by clip, time and length [%]",
    "caveat.within_asmr.flips_per_minute": "changes of the call per minute",
    "caveat.variation.all_clips.auc": "nature clips included: AUC",
    "caveat.variation.all_clips.variance_by_clip_and_time": (
        "nature clips included: variance explained by clip and time [%]"
    ),
    "caveat.variation.ratings.variance_by_clip_and_time": "ratings: variance explained by clip and time [%]",
    "caveat.variation.ratings.variance_by_trial": "ratings: variance explained by the trial's mean [%]",
    "caveat.variation.flips_per_trial": "changes of the call per trial",
    "caveat.variation.ratings.flips_per_trial": "changes of the reported state per trial",
    "caveat.variation.first_call": "first step called tingle, after [s]",
    "caveat.non_responders.response_accuracy": "all ASMR trials: response told right [%]",
    "caveat.non_responders.called_tingle": "frames called tingle, padding left out [%]",
    "caveat.non_responders.called_tingle.with_padding": "frames called tingle, padding counted [%]",
    "caveat.non_responders.video_level_specificity": "recognised as without tingle [%]",
    "caveat.onsets.reported": "onsets reported",
    "caveat.onsets.met": "onsets reported that a predicted one meets",
    "caveat.onsets.spurious": "onsets predicted that meet none",
    "caveat.figure6.reported": "figure 6: steps with a tingle reported [%]",
    "caveat.figure6.called": "figure 6: steps called tingle [%]",
    "caveat.figure6.onsets": "figure 6: onsets reported",
    "caveat.figure6.padded_steps": "figure 6: padded steps",
    "caveat.padding.steps": "padded steps",
    "caveat.padding.blind_steps": "steps without picture, sound and pulse",
}
"""What numbers are called whose ids do not say it."""

_SAID_BY_THE_NAME = frozenset(("p", "count", "r", "t", "", "AUC", "frames", "samples"))
"""Units that stand in no brackets."""


def paper_tables(numbers: Mapping[str, Number], noted: Sequence[Remark]) -> list[NumberTable]:
    """Return the tables of the paper's numbers."""
    return _tables(_TABLES, numbers, noted)


def caveat_tables(numbers: Mapping[str, Number], noted: Sequence[Remark]) -> list[NumberTable]:
    """Return the tables of what the scores are worth."""
    return _tables(_CAVEAT_TABLES, numbers, noted)


def pulse_table(numbers: Mapping[str, Number], noted: Sequence[Remark]) -> NumberTable:
    """Return the table of what the pulse adds."""
    return NumberTable(
        "What is the person's own, within ASMR clips", "own", _rows(PULSE_PREFIX, numbers, noted)
    )


def links_of(remark: Remark, numbers: Mapping[str, Number], drawn: Sequence[str]) -> list[tuple[str, str]]:
    """Return anchor and id of the figures and numbers in the report that a remark concerns.

    Parameters
    ----------
    remark : Remark
    numbers : mapping of str to Number
    drawn : sequence of str
        Names of the drawings in the report.
    """
    prefixes = tuple(prefix for prefix, _, _ in _TABLES)
    figures = [(f"figure-{name}", name) for name in drawn if remark.concerns(name)]
    return figures + [
        (f"n-{number.id}", number.id)
        for number in numbers.values()
        if number.value is not None and remark.concerns(number.id) and number.id.startswith(prefixes)
    ]


def reasons(results: Results) -> list[tuple[str, list[str]]]:
    """Return why numbers of the paper have no value, and which."""
    by_reason: dict[str, list[str]] = {}
    for number in results.numbers:
        if number.id in paper_numbers() and number.verdict is Verdict.NOT_COMPUTED:
            by_reason.setdefault(number.note or "no reason given", []).append(number.id)
    return list(by_reason.items())


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
    tone, symbol = SYMBOLS[number.verdict]
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
        remarks=()
        if number.value is None
        else tuple(i for i, remark in enumerate(noted, start=1) if remark.concerns(number.id)),
    )


def _name(number: Number, prefix: str) -> str:
    if number.id in _NAMES:
        return _NAMES[number.id]
    base = number.id if not prefix.endswith(".") else number.id.removeprefix(prefix)
    words = base.removeprefix("caveat.").replace("_", " ").replace(".", ", ").split(" ")
    name = " ".join(_SPELLED.get(word, word) for word in words)
    return name if number.unit in _SAID_BY_THE_NAME else f"{name} [{number.unit}]"


def _value(value: float | str | None, sd: float | None, digits: int) -> str:
    if value is None or isinstance(value, str):
        return (value or "").replace("<", "< ")
    return show(value, digits) if sd is None else f"{show(value, digits)} +- {show(sd, digits)}"


def _p(p: float | None) -> str:
    return "" if p is None else show_p(p).replace("<", "< ")


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
    return "0" if difference == 0 else f"{sign}{show(difference, digits)}"
