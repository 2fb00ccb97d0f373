"""The paper's claims, the numbers behind each, and how its words are held against what was found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.stats import binom

from offline.reading import Reader, bound, show
from offline.resampling import FEWEST_PARTICIPANTS
from offline.results import ALPHA, paper_numbers
from offline.splits import N_FOLDS
from rtasmr.dataset_words import counted
from rtasmr.types import ASMR_VIDEOS

_CHANCE = 50.0
"""Balanced accuracy in percent of whoever knows nothing."""

_SLIGHT = 5.0
"""A gain in percentage points that, shown to be smaller, makes a rule as good as the model."""

_SPELLED = {2: "Two", 3: "Three", 4: "Four"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Numbers found, whether the claim's own words hold (None: it is left open), and what limits it."""

    holds: bool | None = True
    said: str = ""
    limits: str = ""


@dataclass(frozen=True, slots=True)
class ClaimTemplate:
    """A claim before it is judged, as in `offline.claims.Claim`; ``look`` holds its words against numbers."""

    key: str
    says: str
    ids: tuple[str, ...]
    look: Callable[[Reader], Finding]
    remarks: tuple[str, ...] = ()


def _data(read: Reader) -> Finding:
    return Finding(
        said=f"{counted(read.number('dataset.participants'), 'participant')}, "
        f"{counted(read.number('dataset.trials'), 'trial')}, {show(read.value('dataset.frames'), 0)} frames "
        f"({read.note('dataset.frames')})"
    )


def _efficacy(read: Reader) -> Finding:
    return Finding(
        said=f"{read('behaviour.asmr.responder_rate')} % of the participants felt a tingle in an ASMR clip, "
        f"{read('behaviour.vid2.responder_rate')} % in vid2; once felt, it was reported for "
        f"{read('behaviour.asmr.active_duration_mean')} s of a clip"
    )


def _agreement(read: Reader) -> Finding:
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
    return Finding(
        said=f"Mean r by clip: {said}; above 0 at p < {ALPHA:g} on {len(significant)} of {len(p)}",
        limits=limits,
    )


def _sensor(read: Reader) -> Finding:
    return Finding(
        said=f"{show(read.value('ppg.samples'), 0)} samples, {read('ppg.continuity')} % without fault "
        f"({read.note('ppg.continuity')})"
    )


def _slowing(read: Reader) -> Finding:
    p = read.value("cardio.p")
    others = {
        "on r itself, as the notebook prints it,": read.value("cardio.raw_r.p"),
        "with a beat detector that does not depend on the unit": read.value("cardio.robust.p"),
    }
    turned = [
        f"{name} p {bound(q)}"
        for name, q in others.items()
        if q is not None and p is not None and (q < ALPHA) != (p < ALPHA)
    ]
    return Finding(
        said=f"Mean r {read('cardio.asmr.mean_r', 3)} on ASMR and {read('cardio.nature.mean_r', 3)} on "
        f"nature clips, t = {read('cardio.t', 3)}, p {bound(p) if p is not None else 'undefined'}",
        limits=f"The conclusion turns {' and '.join(turned)}" if turned else "",
    )


def _detection(read: Reader) -> Finding:
    gain = "caveat.gain_over_clip_rule_knowing_padding.accuracy"
    low, high = read.ends(gain)
    beside = "is beaten by" if low > 0 else "beats" if high < 0 else "can not be told from"
    within = "caveat.within_asmr."
    balanced = f"{within}balanced_accuracy"
    return Finding(
        holds=_detects(read, (low, high), read.ends(balanced)),
        said=f"Accuracy {read('table1.accuracy')} %, macro F1 {read('table1.macro_f1')} %",
        limits=f"The rule 'ASMR clip = tingle' alone reaches {read('caveat.clip_rule.accuracy')} % and "
        f"{read('caveat.clip_rule.macro_f1')} %; told which steps are padding it "
        f"{beside} the model (model minus rule {read(gain)} points "
        f"[{low:.2f}, {high:.2f}]). Within ASMR clips balanced accuracy is "
        f"{read(balanced, 1)} % {read.interval(balanced, 1)}, where 50 % is chance",
    )


def _detects(read: Reader, gain: tuple[float, float], balanced: tuple[float, float]) -> bool | None:
    """Whether frames are told apart, by the intervals of the gain over the clip rule and within ASMR clips.

    None where they leave it open: a wide interval that reaches the rule does not show it to be as good.
    """
    if not read.number("caveat.within_asmr.participants") >= FEWEST_PARTICIPANTS:
        return None
    if gain[0] > 0 and balanced[0] > _CHANCE:
        return True
    as_good = gain[0] <= 0 and gain[1] < _SLIGHT
    return False if as_good or balanced[1] <= _CHANCE else None


def _specificity(read: Reader) -> Finding:
    own = "caveat.pulse.concordance"
    low, high = read.ends(own)
    recognised = _recognises_non_responders(read)
    holds = recognised
    if recognised and not low > 0.5:
        holds = None
    if high < 0.5 and read.number("caveat.pulse.participants") >= FEWEST_PARTICIPANTS:
        holds = False
    evidence = "; it does not follow that the person's state was recognised"
    if silent := _non_responders(read):
        evidence += f". {silent}"
    if read.has(own):
        evidence += (
            ". Of two people at one instant of one clip, the one who feels a tingle has the higher "
            f"probability in {100 * read.number(own):.1f} % [{100 * low:.1f}, {100 * high:.1f}], "
            "where 50 % is chance"
        )
    return Finding(
        holds=holds,
        said=f"Specificity {read('table1.nature_specificity')} %",
        limits="All steps of nature clips are labelled 'no tingle', so the kind of clip, which sound and "
        f"picture show, is enough{evidence}",
    )


def _video_level(read: Reader) -> Finding:
    limits = "The truth is the kind of clip, not what the participant reported"
    if silent := _non_responders(read):
        limits += f". {silent}"
    return Finding(
        holds=_recognises_non_responders(read),
        said=f"{read('video_level.accuracy')} % of {read('video_level.sequences', 0)} trials",
        limits=limits,
    )


def _non_responders(read: Reader) -> str:
    n = read.value("caveat.non_responders.trials")
    if n is None:
        return ""
    if n == 0:
        return "Every ASMR trial holds a reported tingle: nothing here sets the person apart from the clip"
    told = read.note("caveat.non_responders.video_level_specificity")
    return f"{counted(n, 'ASMR trial')} {'holds' if n == 1 else 'hold'} no reported tingle: {told}"


def _recognises_non_responders(read: Reader) -> bool | None:
    """Whether most who felt nothing in an ASMR clip are recognised; None where it is left open."""
    n = read.number("caveat.non_responders.trials")
    recognised = read.number("caveat.non_responders.video_level_specificity") / 100 * n
    return _are_most(round(recognised), n) if math.isfinite(recognised) else None


def _ablation(read: Reader) -> Finding:
    p = {name: read.value(f"table2.{name}.p_vs_fusion") for name in ("video_only", "audio_only")}
    told = "; ".join(
        f"{name.replace('_', '-')} p {bound(value)}" for name, value in p.items() if value is not None
    )
    flips = [read.value(f"caveat.{name}.sign_flip_p") for name in p]
    exact = min((value for value in flips if value is not None), default=None)
    printed = not read.has("table2.video_only.macro_f1")
    n_folds = N_FOLDS if printed else read.n_folds
    n_resamples = n_folds**n_folds
    limits = (
        f"{_SPELLED.get(n_folds, n_folds)} folds have {n_resamples} resamples, so the test knows steps of "
        f"1/{n_resamples} and no finer ones"
    )
    if exact is not None and exact >= ALPHA:
        limits += f"; an exact sign-flip test gives p = {exact:.3f} at best"
    if printed:
        limits += ". Computed from the authors' printed fold scores"
    return Finding(said=f"Exact: {told}", limits=limits)


def _temporal(read: Reader) -> Finding:
    ours, tree = read.value("table1.macro_f1"), read.value("xgboost.macro_f1")
    holds = None if ours is None or tree is None else ours > tree
    return Finding(
        holds=holds,
        said=f"Macro F1 of XGBoost {read('xgboost.macro_f1')} %, of the fusion BiLSTM "
        f"{read('table1.macro_f1')} %",
        limits="Two kinds of model, not one with and without time: the gap can have other causes",
    )


def _phase(read: Reader) -> Finding:
    reported, padded = read.value("caveat.figure6.reported"), read.value("caveat.figure6.padded_steps")
    n, met = read.number("caveat.onsets.reported"), read.number("caveat.onsets.met")
    parts, limits = [], ""
    if reported in (0.0, 100.0):
        told = "no tingle at all" if reported == 0.0 else "a tingle at every step, from the first to the last"
        limits = f"The participant of figure 6 reports {told}: there is no onset and no end to follow"
    if padded:
        parts.append(f"the drop at the end of figure 6 lies in {counted(padded, 'step')} of zero padding")
    parts.append(
        f"of {counted(n, 'onset')} reported after the first step {met:.0f} {'has' if met == 1 else 'have'} a "
        f"predicted one within 5 s; {read('caveat.onsets.spurious', 0)} predicted ones meet none"
    )
    return Finding(holds=_are_most(met, n), said="; ".join(parts), limits=limits)


def _are_most(met: float, n: float) -> bool | None:
    """Whether more than half of n are met; None where n is too small to say no (exact binomial, 0.025)."""
    if met > n / 2:
        return True
    return False if binom.cdf(met, n, 0.5) < ALPHA / 2 else None


def _ids(prefix: str) -> tuple[str, ...]:
    return tuple(number_id for number_id in paper_numbers() if number_id.startswith(prefix))


CLAIM_TEMPLATES: tuple[ClaimTemplate, ...] = (
    ClaimTemplate(
        "data",
        "34 participants, 272 trials, over 149 000 synchronised frames.",
        ("dataset.participants", "dataset.trials", "dataset.frames"),
        _data,
    ),
    ClaimTemplate(
        "efficacy",
        "The clips work: 97.06 % responders, 94.12 % on vid2, tingles of 38.54 s.",
        _ids("behaviour."),
        _efficacy,
        ("durations",),
    ),
    ClaimTemplate(
        "agreement",
        "Raters agree over time on every ASMR clip (p < 0.05), most on vid3 (r = 0.539) and vid2 (0.424): "
        "reports are locked to the stimulus.",
        _ids("isa."),
        _agreement,
        ("other-clips",),
    ),
    ClaimTemplate("sensor", "The pulse recordings are continuous to 99.96 %.", _ids("ppg."), _sensor),
    ClaimTemplate(
        "slowing",
        "Tingles slow the pulse, pleasant nature does not: mean r -0.0921 against 0.0556, t = -2.085, "
        "p = 0.0454.",
        _ids("cardio."),
        _slowing,
        ("pulse-rate",),
    ),
    ClaimTemplate(
        "detection",
        "The fusion BiLSTM detects tingles frame by frame: accuracy 75.51 %, macro F1 71.86 %, p < 0.0002.",
        ("table1.accuracy", "table1.macro_f1", "table1.macro_precision", "table1.macro_recall"),
        _detection,
        ("rule", "gain", "within-asmr", "permutation"),
    ),
    ClaimTemplate(
        "specificity",
        "It never calls a tingle on nature clips (100 %), so it learned a pattern of the person's tingles.",
        ("table1.nature_specificity",),
        _specificity,
        ("nature", "people"),
    ),
    ClaimTemplate(
        "video-level",
        "Whole clips are told apart perfectly: 100 % of 68, a separable biological signature.",
        _ids("video_level."),
        _video_level,
        ("non-responders",),
    ),
    ClaimTemplate(
        "time-course",
        "The probability follows the report: it rises at the tingle's onset and drops at its end (figure 6).",
        ("caveat.onsets.reported",),
        _phase,
        ("figure-6", "onsets", "variance"),
    ),
    ClaimTemplate(
        "ablation",
        "Fusion is better than video only (p = 0.0488) and audio only (p = 0.0039).",
        ("table2.video_only.p_vs_fusion", "table2.audio_only.p_vs_fusion"),
        _ablation,
        ("folds-video-only", "folds-audio-only"),
    ),
    ClaimTemplate(
        "temporal",
        "Without temporal context XGBoost falls behind (macro F1 62.72 %): tingles are temporal.",
        _ids("xgboost."),
        _temporal,
        ("nature",),
    ),
)
