"""What the paper claims, and what these results say about each claim.

A claim counts as *reproduced* when every number behind it agrees with the paper's (see `offline.results`),
or, where a digit differs, when the paper's value is compatible with ours (`compatible`) and the claim's own
words hold. *With a caveat* means that it stands, but a digit differs or something measured here limits what
follows from it. On simulated data no claim about people is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from offline.pulse_answer import PulseAnswer, pulse_answer
from offline.reading import Reader, bound, digits_of, show
from offline.results import Number, Results, Verdict, paper_numbers
from rtasmr.types import ASMR_VIDEOS

ALPHA = 0.05
_DECIDING = 3
"""Sentences about the pulse that the summary needs; all of them stand in a section of their own."""
NEAR = 0.05
"""Numbers without an uncertainty are compatible within this share of the paper's: 0.1 of its t of -2.085."""


class ClaimVerdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    CAVEAT = "reproduced with a caveat"
    NOT_REPRODUCED = "not reproduced"
    NOT_COMPUTABLE = "not computable"
    SIMULATED = "not judged: simulated"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the paper.

    Parameters
    ----------
    key : str
    says : str
        The claim in the paper's terms and numbers.
    verdict : ClaimVerdict
    why : str
        What was found here.
    ids : tuple of str
        The numbers behind it.
    remarks : tuple of str
        Keys of the remarks that limit it.
    """

    key: str
    says: str
    verdict: ClaimVerdict
    why: str
    ids: tuple[str, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    """Numbers found, whether the claim's own words hold, and what limits it."""

    holds: bool = True
    said: str = ""
    limits: str = ""


@dataclass(frozen=True, slots=True)
class _Template:
    key: str
    says: str
    ids: tuple[str, ...]
    look: Callable[[Reader], _Finding]
    remarks: tuple[str, ...] = ()


def judge_claims(results: Results) -> tuple[Claim, ...]:
    """Return every claim with its verdict, in the paper's order; what the pulse adds comes last."""
    read = Reader(results)
    simulated = bool(results.config.get("simulated"))
    claims = [_judge(template, read, simulated) for template in _TEMPLATES]
    return (*claims, _pulse_claim(results))


def _judge(template: _Template, read: Reader, simulated: bool) -> Claim:
    numbers = [number for number in map(read.get, template.ids) if number is not None]
    found = [number for number in numbers if number.value is not None]
    if not found:
        reasons = dict.fromkeys(number.note for number in numbers if number.note)
        why = _sentence("; ".join(reasons) or "no number behind it was computed")
        return Claim(
            template.key, template.says, ClaimVerdict.NOT_COMPUTABLE, why, template.ids, template.remarks
        )
    finding = template.look(read)
    off = [number for number in found if not compatible(number)]
    missing = len(numbers) - len(found)
    parts = [finding.said or _list(found), finding.limits]
    if off and not simulated:
        parts.append("Apart from the paper: " + ", ".join(_beside(number) for number in off))
    if missing:
        parts.append(f"{missing} of {len(numbers)} numbers behind it were not computed")
    if simulated:
        verdict = ClaimVerdict.SIMULATED
    elif off or not finding.holds:
        verdict = ClaimVerdict.NOT_REPRODUCED
    elif finding.limits or missing or any(number.verdict is Verdict.DIFFERS for number in found):
        verdict = ClaimVerdict.CAVEAT
    else:
        verdict = ClaimVerdict.REPRODUCED
    why = " ".join(_sentence(part) for part in parts if part)
    return Claim(template.key, template.says, verdict, why, template.ids, template.remarks)


def compatible(number: Number) -> bool:
    """Whether a number that differs from the paper's may still be the same finding.

    One lies in the other's 95 % interval, or within an SD over folds (one training run is one draw); numbers
    that come with neither may lie 5 % apart. p-values are judged by the claim's words alone.
    """
    if number.verdict is not Verdict.DIFFERS or number.unit == "p":
        return True
    paper, value = paper_numbers()[number.id], number.value
    if value is None or not isinstance(paper.paper, (int, float)):
        return False
    for ends, point in ((number.ci95, paper.paper), (paper.ci95, value)):
        if ends is not None and ends[0] <= point <= ends[1]:
            return True
    allowed = NEAR * abs(paper.paper)
    if number.id.startswith(("table1.", "table2.", "xgboost.")):
        allowed = max(paper.sd or 0.0, number.sd or 0.0)
    return abs(value - paper.paper) <= allowed


def _pulse_claim(results: Results) -> Claim:
    answer, why = pulse_answer(results)
    deciding = " ".join(why[:_DECIDING])
    verdict = {
        PulseAnswer.YES: ClaimVerdict.REPRODUCED,
        PulseAnswer.NO_GAIN: ClaimVerdict.NOT_REPRODUCED,
        PulseAnswer.NOT_USED: ClaimVerdict.NOT_REPRODUCED,
        PulseAnswer.NO: ClaimVerdict.NOT_REPRODUCED,
        PulseAnswer.UNKNOWN: ClaimVerdict.NOT_COMPUTABLE,
    }[answer]
    if results.config.get("simulated"):
        verdict = ClaimVerdict.SIMULATED
    return Claim(
        "pulse",
        "Sound and picture combined with the pulse give a more complete, biologically grounded prediction: "
        "the pulse adds something.",
        verdict,
        f"Does the pulse add anything: {answer}. {deciding}",
        (
            "caveat.pulse.shuffled.brier_gain",
            "caveat.pulse.without.brier_gain",
            "caveat.pulse.correlation",
            "caveat.pulse.amplitude.correlation",
        ),
        ("variance",),
    )


def _data(read: Reader) -> _Finding:
    return _Finding(
        said=f"{read('dataset.participants', 0)} participants, {read('dataset.trials', 0)} trials, "
        f"{show(read.value('dataset.frames') or 0, 0)} frames: {read.note('dataset.frames')}"
    )


def _efficacy(read: Reader) -> _Finding:
    return _Finding(
        said=f"{read('behaviour.asmr.responder_rate')} % of the participants felt a tingle in an ASMR clip, "
        f"{read('behaviour.vid2.responder_rate')} % in vid2; once felt, it was reported for "
        f"{read('behaviour.asmr.active_duration_mean')} s of a clip"
    )


def _agreement(read: Reader) -> _Finding:
    p = {video: read.value(f"isa.{video}.p") for video in ASMR_VIDEOS}
    significant = [video for video, value in p.items() if value is not None and value < ALPHA]
    said = ", ".join(f"{video} {read(f'isa.{video}.mean_r', 3)}" for video in p)
    # Agreement that the same raters reach on other clips does not come from what the clip shows.
    explained = [
        video
        for video in ASMR_VIDEOS
        if (read.value(f"caveat.isa.{video}.other_clips_r") or -1.0) >= read.ends(f"isa.{video}.mean_r")[0]
    ]
    limits = ""
    if explained:
        limits = (
            f"On {', '.join(explained)} the interval reaches down to what the same raters agree with the "
            "others' mean on other clips: part of it is the common rise with time"
        )
    return _Finding(
        holds=len(significant) == len(p),
        said=f"Mean r by clip: {said}; above 0 at p < {ALPHA:g} on {len(significant)} of {len(p)}",
        limits=limits,
    )


def _sensor(read: Reader) -> _Finding:
    return _Finding(
        said=f"{show(read.value('ppg.samples') or 0, 0)} samples, {read('ppg.continuity')} % without fault: "
        f"{read.note('ppg.continuity')}"
    )


def _slowing(read: Reader) -> _Finding:
    p, r = read.value("cardio.p"), read.value("cardio.asmr.mean_r")
    holds = p is not None and p < ALPHA and r is not None and r < 0
    others = {
        "on r itself, as the notebook prints it,": read.value("cardio.raw_r.p"),
        "with a beat detector that does not depend on the unit": read.value("cardio.robust.p"),
    }
    turned = [f"{name} p {bound(q)}" for name, q in others.items() if q is not None and (q < ALPHA) != holds]
    return _Finding(
        holds=holds,
        said=f"Mean r {read('cardio.asmr.mean_r', 3)} on ASMR and {read('cardio.nature.mean_r', 3)} on "
        f"nature clips, t = {read('cardio.t', 3)}, p {bound(p) if p is not None else 'undefined'}",
        limits=f"The conclusion turns {' and '.join(turned)}" if turned else "",
    )


def _detection(read: Reader) -> _Finding:
    p = read.get("table1.macro_f1")
    gain = "caveat.gain_over_clip_rule_knowing_padding.accuracy"
    low, high = read.ends(gain)
    beside = "is beaten by" if low > 0 else "beats" if high < 0 else "can not be told from"
    within = "caveat.within_asmr."
    return _Finding(
        holds=p is not None and p.p is not None and p.p < ALPHA,
        said=f"Accuracy {read('table1.accuracy')} %, macro F1 {read('table1.macro_f1')} %",
        limits=f"The rule 'ASMR clip = tingle' alone reaches {read('caveat.clip_rule.accuracy')} % and "
        f"{read('caveat.clip_rule.macro_f1')} %; told which steps are padding it "
        f"{beside} the model ({read(gain)} points "
        f"[{low:.2f}, {high:.2f}]). Within ASMR clips balanced accuracy is "
        f"{read(within + 'balanced_accuracy', 1)} %",
    )


def _specificity(read: Reader) -> _Finding:
    return _Finding(
        said=f"Specificity {read('table1.nature_specificity')} %",
        limits="All steps of nature clips are labelled 'no tingle', so the kind of clip, which sound and "
        "picture show, is enough; it does not follow that the person's state was recognised",
    )


def _video_level(read: Reader) -> _Finding:
    specificity = read.note("caveat.non_responders.video_level_specificity")
    limits = "The truth is the kind of clip, not what the participant reported"
    if read.value("caveat.non_responders.trials"):
        limits += (
            f". {read('caveat.non_responders.trials', 0)} ASMR trials hold no reported tingle: {specificity}"
        )
    return _Finding(
        said=f"{read('video_level.accuracy')} % of {read('video_level.sequences', 0)} clips", limits=limits
    )


def _ablation(read: Reader) -> _Finding:
    p = {name: read.value(f"table2.{name}.p_vs_fusion") for name in ("video_only", "audio_only")}
    above = [name for name, value in p.items() if value is not None and value < ALPHA]
    told = "; ".join(
        f"{name.replace('_', '-')} p {bound(value)}" for name, value in p.items() if value is not None
    )
    flips = [read.value(f"caveat.{name}.sign_flip_p") for name in p]
    exact = min((value for value in flips if value is not None), default=None)
    limits = "Four folds have 256 resamples, so the test knows steps of 1/256 and no finer ones"
    if exact is not None and exact >= ALPHA:
        limits += f"; an exact sign-flip test gives p = {exact:.3f} at best"
    if not read.has("table2.video_only.macro_f1"):
        limits += ". Computed from the authors' printed fold scores"
    return _Finding(holds=len(above) == len(p), said=f"Exact: {told}", limits=limits)


def _temporal(read: Reader) -> _Finding:
    ours, tree = read.value("table1.macro_f1"), read.value("xgboost.macro_f1")
    holds = ours is not None and tree is not None and ours > tree
    return _Finding(
        holds=holds,
        said=f"Macro F1 of XGBoost {read('xgboost.macro_f1')} %, of the fusion BiLSTM "
        f"{read('table1.macro_f1')} %",
        limits="Two kinds of model, not one with and without time: the gap can have other causes",
    )


def _phase(read: Reader) -> _Finding:
    reported, padded = read.value("caveat.figure6.reported"), read.value("caveat.figure6.padded_steps")
    n, met = read.value("caveat.onsets.reported"), read.value("caveat.onsets.met")
    parts = []
    flat = reported in (0.0, 100.0)
    if reported == 100.0:
        parts.append("the participant of figure 6 reports a tingle at every step, from the first to the last")
    elif reported == 0.0:
        parts.append("the participant of figure 6 reports no tingle at all")
    if padded:
        parts.append(f"the drop at its end lies in {padded:.0f} steps of zero padding")
    parts.append(
        f"of {read('caveat.onsets.reported', 0)} onsets reported after the first step "
        f"{read('caveat.onsets.met', 0)} have a predicted one within 5 s; "
        f"{read('caveat.onsets.spurious', 0)} predicted ones meet none"
    )
    followed = bool(n) and met is not None and n is not None and met > n / 2
    return _Finding(holds=followed and not flat, said="; ".join(parts))


def _list(numbers: Sequence[Number]) -> str:
    return ", ".join(f"{number.id} {show(number.value, digits_of(number))}" for number in numbers)


def _beside(number: Number) -> str:
    paper = number.paper if isinstance(number.paper, str) else show(number.paper, digits_of(number))
    return f"{number.id} {show(number.value, digits_of(number))} (paper {paper})"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _ids(prefix: str) -> tuple[str, ...]:
    return tuple(number_id for number_id in paper_numbers() if number_id.startswith(prefix))


_TEMPLATES: tuple[_Template, ...] = (
    _Template(
        "data",
        "34 participants, 272 trials, over 149 000 synchronised frames.",
        ("dataset.participants", "dataset.trials", "dataset.frames"),
        _data,
    ),
    _Template(
        "efficacy",
        "The clips work: 97.06 % responders, 94.12 % on vid2, tingles of 38.54 s.",
        _ids("behaviour."),
        _efficacy,
        ("durations",),
    ),
    _Template(
        "agreement",
        "Raters agree over time on every ASMR clip (p < 0.05), most on vid3 (r = 0.539) and vid2 (0.424): "
        "reports are locked to the stimulus.",
        _ids("isa."),
        _agreement,
        ("other-clips",),
    ),
    _Template("sensor", "The pulse recordings are continuous to 99.96 %.", _ids("ppg."), _sensor),
    _Template(
        "slowing",
        "Tingles slow the pulse, pleasant nature does not: mean r -0.0921 against 0.0556, t = -2.085, "
        "p = 0.0454.",
        _ids("cardio."),
        _slowing,
        ("pulse-rate",),
    ),
    _Template(
        "detection",
        "The fusion BiLSTM detects tingles frame by frame: accuracy 75.51 %, macro F1 71.86 %, p < 0.0002.",
        ("table1.accuracy", "table1.macro_f1", "table1.macro_precision", "table1.macro_recall"),
        _detection,
        ("rule", "gain", "within-asmr", "permutation"),
    ),
    _Template(
        "specificity",
        "It never calls a tingle on nature clips (100 %), so it learned a pattern of the person's tingles.",
        ("table1.nature_specificity",),
        _specificity,
        ("nature",),
    ),
    _Template(
        "video-level",
        "Whole clips are told apart perfectly: 100 % of 68, a separable biological signature.",
        _ids("video_level."),
        _video_level,
        ("non-responders",),
    ),
    _Template(
        "time-course",
        "The probability follows the report: it rises at the tingle's onset and drops at its end (figure 6).",
        ("caveat.onsets.reported",),
        _phase,
        ("figure-6", "onsets", "variance"),
    ),
    _Template(
        "ablation",
        "Fusion is better than video only (p = 0.0488) and audio only (p = 0.0039).",
        ("table2.video_only.p_vs_fusion", "table2.audio_only.p_vs_fusion"),
        _ablation,
        ("folds-video-only", "folds-audio-only"),
    ),
    _Template(
        "temporal",
        "Without temporal context XGBoost falls behind (macro F1 62.72 %): tingles are temporal.",
        _ids("xgboost."),
        _temporal,
        ("nature",),
    ),
)
