"""What ``offline reproduce --predictions`` shows on the terminal."""

from __future__ import annotations

import sys
from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from offline.results import Number, Results, Verdict, paper_numbers

_PLAIN_WIDTH = 150  # a pipe or file has no width of its own; rows stay on one line

_STYLES = {Verdict.REPRODUCED: "green", Verdict.DIFFERS: "yellow"}


def print_results(results: Results, console: Console | None = None) -> None:
    """Print Table 1, the video level and the caveats; plain text where there is no terminal."""
    if console is None:
        console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH, highlight=False)
    for title, prefix in (
        ("Table 1: fusion model, mean +- SD over folds [%]", "table1."),
        ("Video level: whole clips, ASMR or nature", "video_level."),
        ("Table 2 and XGBoost", "table2."),
        ("", "xgboost."),
    ):
        numbers = [n for n in results.numbers if n.id.startswith(prefix) and n.value is not None]
        if numbers:
            console.print(_comparison(title, numbers, plain=not console.is_terminal))
    for line in caveat_lines(results):
        console.print(f"- {line}", soft_wrap=True, markup=False, highlight=False)
    tally = Counter(number.verdict for number in results.numbers if number.id in paper_numbers())
    console.print(
        "Numbers of the paper: " + ", ".join(f"{count} {verdict}" for verdict, count in tally.items()),
        soft_wrap=True,
    )


def _comparison(title: str, numbers: list[Number], *, plain: bool) -> Table:
    table = Table(title=title or None, box=None if plain else box.SIMPLE, title_justify="left")
    table.add_column("score")
    for heading in ("paper", "here", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("95% CI", "p", "d"):
        for source in ("paper", "here"):
            table.add_column(f"{heading} {source}", justify="right", no_wrap=True)
    table.add_column("verdict")
    for number in numbers:
        paper = paper_numbers()[number.id]
        digits = paper.decimals
        difference = ""
        if isinstance(number.paper, (int, float)) and number.value is not None:
            # Adding 0.0 turns a rounded -0.0 into 0.0.
            difference = f"{round(number.value - number.paper, digits) + 0.0:+.{digits}f}"
        table.add_row(
            number.id.split(".", 1)[1],
            _with_sd(number.paper, paper.sd, digits),
            _with_sd(number.value, number.sd, digits),
            difference,
            _interval(paper.ci95),
            _interval(number.ci95),
            "" if paper.p is None else str(paper.p),
            "" if number.p is None else f"{number.p:.4f}",
            "" if paper.cohen_d is None else f"{paper.cohen_d:.2f}",
            "" if number.cohen_d is None else f"{number.cohen_d:.2f}",
            f"[{_STYLES.get(number.verdict, 'default')}]{number.verdict}[/]",
        )
    return table


def _with_sd(value: float | str | None, sd: float | None, digits: int) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.{digits}f}" if sd is None else f"{value:.{digits}f} +- {sd:.{digits}f}"


def _interval(ci95: tuple[float, float] | None) -> str:
    # The backslash keeps rich from reading the bracket as markup.
    return "" if ci95 is None else rf"\[{ci95[0]:.1f}, {ci95[1]:.1f}]"


def caveat_lines(results: Results) -> list[str]:
    """Return what the scores do not say, one sentence each, every figure computed from the predictions."""

    def show(number_id: str, digits: int = 2) -> str:
        number = results[number_id]
        return "undefined" if number.value is None else f"{number.value:.{digits}f}"

    def gain(name: str) -> str:
        number = results[f"caveat.gain_over_{name}.accuracy"]
        low, high = number.ci95 or (float("nan"), float("nan"))
        return f"{show(number.id)} points [{low:.2f}, {high:.2f}]"

    within = "caveat.within_asmr."
    lines = [
        "The rule 'ASMR clip = tingle, nature clip = none' reaches "
        f"{show('caveat.clip_rule.accuracy')} % accuracy, {show('caveat.clip_rule.macro_f1')} % macro F1 and "
        f"{show('caveat.clip_rule.macro_recall')} % macro recall; 'never' reaches "
        f"{show('caveat.never.accuracy')} % accuracy.",
        f"Pooled accuracy of the model minus that rule: {gain('clip_rule')}; minus the rule told which "
        f"steps are padding: {gain('clip_rule_knowing_padding')}.",
        f"Within ASMR clips, padding left out ({show(within + 'frames', 0)} frames): accuracy "
        f"{show(within + 'accuracy', 1)} % (always tingle {show(within + 'always.accuracy', 1)} %, never "
        f"{show(within + 'never.accuracy', 1)} %), balanced accuracy "
        f"{show(within + 'balanced_accuracy', 1)} %, MCC {show(within + 'mcc')}; "
        f"{show(within + 'called_tingle', 1)} % of frames called tingle.",
        f"Clip and time alone explain {show(within + 'variance_by_clip_and_time', 1)} % of the variance of "
        f"the probability there, {show(within + 'variance_by_clip_time_and_length')} % once trials that end "
        "in padding are set apart: the rest is all that the pulse can add.",
    ]
    if results["caveat.non_responders.trials"].value:
        told = results["caveat.non_responders.video_level_specificity"].note
        lines.append(
            f"{show('caveat.non_responders.trials', 0)} ASMR trials hold no reported tingle; the model calls "
            f"{show('caveat.non_responders.called_tingle', 1)} % of their frames tingle, {told}: the video "
            "level scores the kind of clip."
        )
    for name in ("video_only", "audio_only"):
        bootstrap = results[f"table2.{name}.p_vs_fusion"]
        lines.append(
            f"Fusion above {name.replace('_', '-')}: bootstrap over folds p = {show(bootstrap.id, 4)}, paper "
            f"{bootstrap.paper} ({bootstrap.note}); sign-flip p = {show(f'caveat.{name}.sign_flip_p', 3)}, "
            f"t-test p = {show(f'caveat.{name}.paired_t_p', 3)}."
        )
    lines.append(
        "Accuracy, macro F1, precision and recall share one permutation test: shuffling whole sequences "
        "keeps both margins. p is (count + 1) / (n + 1)."
    )
    return lines
