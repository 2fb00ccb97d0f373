"""What the scores do not say: caveats in words, every figure in them taken from the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from offline.protocols import AS_WRITTEN
from offline.reading import Reader, bound
from offline.results import Results
from rtasmr.dataset_words import counted
from rtasmr.types import ASMR_VIDEOS

_FOLD_TESTS = {
    "video_only": "table2.video_only.p_vs_fusion",
    "audio_only": "table2.audio_only.p_vs_fusion",
    "audio_video": "ablation.audio_video.p_vs_fusion",
}
"""Models that the fusion model is compared with fold by fold, and the id of the test."""

TABLE_1 = ("table1.accuracy", "table1.macro_f1", "table1.macro_precision", "table1.macro_recall")


@dataclass(frozen=True, slots=True)
class Remark:
    """One caveat.

    Parameters
    ----------
    key : str
        Short name, unique; the report links by it.
    text : str
        One or two sentences.
    about : tuple of str
        Ids of the numbers that it qualifies; an id that ends in a dot stands for all that start so.
    """

    key: str
    text: str
    about: tuple[str, ...]

    def concerns(self, number_id: str) -> bool:
        """Whether the remark qualifies this number."""
        return any(
            number_id.startswith(about) if about.endswith(".") else number_id == about for about in self.about
        )


def remarks(results: Results) -> tuple[Remark, ...]:
    """Return every caveat that these results support, in the order of the paper's tables."""
    read = Reader(results)
    found: list[Remark] = []
    for make in _MAKERS:
        found.extend(make(read))
    found.extend(_published_code(results))
    return tuple(found)


def _published_code(results: Results) -> Iterable[Remark]:
    """Return what the published training does other than the paper says, where these results rest on it."""
    about = ("table1.", "video_level.", "table2.video_only.", "table2.audio_only.")
    if not any(number.value is not None and number.id.startswith("table1.") for number in results.numbers):
        return
    if results.config.get("protocol", AS_WRITTEN.name) != AS_WRITTEN.name:
        yield Remark(
            "published-code",
            "Protocol 'published' trains as the published code does: it holds back 10 % of a fold's training "
            "participants (the paper: 20 %), who share clips with training, and tests the last epoch, not "
            "the best, because the code's 'best' weights are a reference to those being trained. Other than "
            "the code, which seeds neither torch nor NumPy, it seeds everything random.",
            about,
        )
    elif results.config.get("published"):
        yield Remark(
            "published-code",
            "The published code holds back 10 % of a fold's training participants (the paper: 20 %), who "
            "share clips with training, and tests the last epoch, not the best: its 'best' weights are a "
            "reference to those being trained. It seeds neither torch nor NumPy, so a training run again "
            "gives other numbers; these are one draw.",
            about,
        )


def _rules(read: Reader) -> Iterable[Remark]:
    if not read.has("caveat.clip_rule.accuracy"):
        return
    yield Remark(
        "rule",
        "The rule 'ASMR clip = tingle, nature clip = none' reaches "
        f"{read('caveat.clip_rule.accuracy')} % accuracy, {read('caveat.clip_rule.macro_f1')} % macro F1 and "
        f"{read('caveat.clip_rule.macro_recall')} % macro recall; 'never' reaches "
        f"{read('caveat.never.accuracy')} % accuracy.",
        ("table1.accuracy", "table1.macro_f1", "table1.macro_recall"),
    )
    yield Remark(
        "gain",
        f"Pooled accuracy of the model minus that rule: {_gain(read, 'clip_rule')}; minus the rule told "
        f"which steps are padding: {_gain(read, 'clip_rule_knowing_padding')}.",
        ("table1.accuracy",),
    )


def _gain(read: Reader, rule: str) -> str:
    number_id = f"caveat.gain_over_{rule}.accuracy"
    return f"{read(number_id)} points {read.interval(number_id)}"


def _within_asmr(read: Reader) -> Iterable[Remark]:
    within = "caveat.within_asmr."
    if not read.has(f"{within}accuracy"):
        return
    yield Remark(
        "within-asmr",
        f"Within ASMR clips, padding left out ({read(within + 'frames', 0)} frames): accuracy "
        f"{read(within + 'accuracy', 1)} % (always tingle {read(within + 'always.accuracy', 1)} %, never "
        f"{read(within + 'never.accuracy', 1)} %), balanced accuracy "
        f"{read(within + 'balanced_accuracy', 1)} %, MCC {read(within + 'mcc')}; "
        f"{read(within + 'called_tingle', 1)} % of frames called tingle.",
        TABLE_1,
    )
    yield Remark(
        "variance",
        f"Clip and time alone explain {read(within + 'variance_by_clip_and_time', 1)} % of the variance of "
        f"the probability there, {read(within + 'variance_by_clip_time_and_length')} % once trials that end "
        "in padding are set apart: at most the rest comes from the pulse.",
        ("table1.accuracy", "table1.macro_f1", "figure6"),
    )


def _variation(read: Reader) -> Iterable[Remark]:
    ids = [f"caveat.variation.{video}.sd_between_people" for video in ASMR_VIDEOS]
    spread = [read.number(number_id) for number_id in ids if read.has(number_id)]
    largest = [
        read.number(number_id)
        for number_id in (f"caveat.variation.{video}.range_between_people" for video in ASMR_VIDEOS)
        if read.has(number_id)
    ]
    if not spread or not read.has("caveat.variation.ratings.variance_by_trial"):
        return
    yield Remark(
        "people",
        "At the same instant of a clip the probabilities of different people have an SD of "
        f"{min(spread):.4f} to {max(spread):.4f} (at most {max(largest):.3f} apart). Their "
        "reports differ: clip and time explain "
        f"{read('caveat.variation.ratings.variance_by_clip_and_time', 1)} % of the variance of the reported "
        f"state, the mean of the trial {read('caveat.variation.ratings.variance_by_trial', 1)} %.",
        ("table1.nature_specificity", "table1.accuracy"),
    )


def _non_responders(read: Reader) -> Iterable[Remark]:
    n_trials = read.value("caveat.non_responders.trials")
    if not n_trials:
        return
    hold, their = ("holds", "its") if n_trials == 1 else ("hold", "their")
    padded_id = "caveat.non_responders.called_tingle.with_padding"
    padded = f" ({read(padded_id, 1)} % with it)" if read.has(padded_id) else ""
    yield Remark(
        "non-responders",
        f"{counted(n_trials, 'ASMR trial')} {hold} no reported tingle; the model calls "
        f"{read('caveat.non_responders.called_tingle', 1)} % of {their} frames tingle, padding left out"
        f"{padded}. "
        "The video level, which scores the kind of clip, has "
        f"{read.note('caveat.non_responders.video_level_specificity')}.",
        ("video_level.accuracy", "video_level.macro_f1"),
    )


def _nature(read: Reader) -> Iterable[Remark]:
    if not read.has("table1.nature_specificity"):
        return
    yield Remark(
        "nature",
        "Every step of a nature clip is labelled 'no tingle' whatever the participant pressed, so the kind "
        "of clip gives 100 % specificity without a look at the person.",
        (
            "table1.nature_specificity",
            *(f"table2.{name}.nature_specificity" for name in ("video_only", "audio_only")),
            "xgboost.nature_specificity",
        ),
    )


def _references(read: Reader) -> Iterable[Remark]:
    n_padded = read.value("caveat.padding.steps")
    if n_padded:
        yield Remark(
            "padding",
            f"Scores count {counted(n_padded, 'padded step')} "
            f"({read.note('caveat.padding.steps')}), where there is no clip, no pulse and no report. Without "
            f"them: accuracy {read('caveat.without_padding.accuracy')} %, macro F1 "
            f"{read('caveat.without_padding.macro_f1')} %.",
            (*TABLE_1, "video_level.accuracy"),
        )
    n_blind = read.value("caveat.padding.blind_steps")
    if n_blind:
        yield Remark(
            "no-input",
            f"Scores count {counted(n_blind, 'step')} {read.note('caveat.padding.blind_steps')}: what the "
            "model says there rests on nothing that was measured then.",
            (*TABLE_1, "video_level.accuracy", "caveat.within_asmr."),
        )
    if read.has("caveat.stimulus_mean.accuracy"):
        yield Remark(
            "stimulus-mean",
            "The other raters of the same clip, whose ratings no model has seen, predict a participant with "
            f"{read('caveat.stimulus_mean.accuracy', 1)} % accuracy and macro F1 "
            f"{read('caveat.stimulus_mean.macro_f1', 1)} %; within ASMR clips "
            f"{read('caveat.stimulus_mean.within_asmr.accuracy', 1)} %, Brier score "
            f"{read('caveat.stimulus_mean.within_asmr.brier', 3)} against "
            f"{read('caveat.within_asmr.brier', 3)} of the model.",
            ("table1.accuracy", "table1.macro_f1"),
        )


def _time_course(read: Reader) -> Iterable[Remark]:
    if read.has("caveat.onsets.reported"):
        reported, met, spurious = (
            read.number(f"caveat.onsets.{name}") for name in ("reported", "met", "spurious")
        )
        yield Remark(
            "onsets",
            f"After the first step participants report {counted(reported, 'onset')} of a tingle; {met:.0f} "
            f"{'has' if met == 1 else 'have'} a predicted onset within 5 s, and "
            f"{counted(spurious, 'predicted onset')} {'meets' if spurious == 1 else 'meet'} none.",
            ("figure6", "table1.macro_f1"),
        )
    if read.has("caveat.figure6.reported"):
        n_onsets, n_padded = (read.number(f"caveat.figure6.{name}") for name in ("onsets", "padded_steps"))
        padding = f" The last {n_padded:.0f} steps of the figure are zero padding." if n_padded else ""
        yield Remark(
            "figure-6",
            f"The participant of figure 6 reports a tingle in {read('caveat.figure6.reported', 1)} % of the "
            f"steps that exist, with {counted(n_onsets, 'onset')} after the first step.{padding}",
            ("figure6",),
        )


def _fold_tests(read: Reader) -> Iterable[Remark]:
    for name, bootstrap in _FOLD_TESTS.items():
        if not read.has(bootstrap):
            continue
        yield Remark(
            f"folds-{name.replace('_', '-')}",
            f"Fusion above {name.replace('_', '-')}: bootstrap over folds p = {read(bootstrap, 4)}"
            f"{_beside(read.paper(bootstrap))} ({read.note(bootstrap)}); sign-flip p = "
            f"{read(f'caveat.{name}.sign_flip_p', 3)}, t-test p = {read(f'caveat.{name}.paired_t_p', 3)}.",
            (bootstrap,),
        )


def _beside(paper: float | str | None) -> str:
    return "" if paper is None else f", paper {paper}"


def _permutation(read: Reader) -> Iterable[Remark]:
    if read.has("table1.accuracy"):
        yield Remark(
            "permutation",
            "Accuracy, macro F1, precision and recall share one permutation test: shuffling whole sequences "
            "keeps both margins. p counts the order as it is among the shuffled ones: (count + 1) / (n + 1).",
            TABLE_1,
        )


def _agreement(read: Reader) -> Iterable[Remark]:
    measured = [
        video
        for video in ASMR_VIDEOS
        if read.has(f"isa.{video}.mean_r") and read.has(f"caveat.isa.{video}.other_clips_r")
    ]
    if measured:
        told = ", ".join(
            f"{video} {read(f'isa.{video}.mean_r', 3)} against {read(f'caveat.isa.{video}.other_clips_r', 3)}"
            for video in measured
        )
        yield Remark(
            "other-clips",
            "Ratings that rise with time agree on any two clips. Agreement on a clip against the agreement "
            f"of the same raters with the others' mean on the other ASMR clips: {told}.",
            ("isa.",),
        )


def _durations(read: Reader) -> Iterable[Remark]:
    mean = "behaviour.asmr.active_duration_mean"
    if read.has(mean):
        yield Remark(
            "durations",
            f"The paper does not say over what active durations are averaged. Here: {read.note(mean)}.",
            (mean, "behaviour.nature.active_duration_mean"),
        )


def _pulse_rate(read: Reader) -> Iterable[Remark]:
    if read.has("cardio.p") and read.has("cardio.robust.p"):
        yield Remark(
            "pulse-rate",
            "The published rule needs four peaks of 0.5 in the signal's own unit within 5 s. It gives "
            f"p {_p(read, 'cardio.p')} on Fisher's z and p {_p(read, 'cardio.raw_r.p')} on r itself, by "
            "which the authors' notebook says what is significant; a beat detector that does not depend on "
            f"the unit gives t = {read('cardio.robust.t', 3)}, p {_p(read, 'cardio.robust.p')}.",
            ("cardio.",),
        )


def _p(read: Reader, number_id: str) -> str:
    p = read.value(number_id)
    return "undefined" if p is None else bound(p)


_MAKERS: tuple[Callable[[Reader], Iterable[Remark]], ...] = (
    _rules,
    _within_asmr,
    _variation,
    _non_responders,
    _nature,
    _references,
    _time_course,
    _fold_tests,
    _permutation,
    _agreement,
    _durations,
    _pulse_rate,
)
