"""What ``offline reproduce`` shows on the terminal."""

from __future__ import annotations

import sys
from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from offline.claims import judge_claims
from offline.labels import long_labels
from offline.pulse_answer import pulse_answer
from offline.remarks import remarks
from offline.report_tables import reasons
from offline.results import Number, PaperNumber, Results, Verdict, paper_numbers

_WHOLE_WIDTH = 165  # a narrower terminal shows no intervals and tests, which the report holds
_PLAIN_WIDTH = 180  # a pipe or file has no width of its own; rows stay on one line

_NOT_IN_PAPER = PaperNumber("", None, "", "", "", decimals=2)

_STYLES = {
    Verdict.REPRODUCED: "green",
    Verdict.COMPATIBLE: "cyan",
    Verdict.NOT_SIGNIFICANT: "yellow",
    Verdict.DIFFERS: "yellow",
}


def print_results(results: Results, console: Console | None = None) -> None:
    """Print what the data are, the tables, the claims and the caveats; plain where there is no terminal."""
    if console is None:
        console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH, highlight=False)
    for label in long_labels(results.config):
        console.print(label, style="bold", soft_wrap=True, markup=False, highlight=False)
    for title, prefix in (
        ("Table 1: fusion model, mean +- SD over folds [%]", "table1."),
        ("Video level: whole clips, ASMR or nature", "video_level."),
        ("Table 2 and XGBoost", "table2."),
        ("", "xgboost."),
        ("Sound and picture, without the pulse", "ablation.audio_video."),
        ("Pulse only", "ablation.ppg_only."),
    ):
        numbers = [n for n in results.numbers if n.id.startswith(prefix) and n.value is not None]
        if numbers:
            whole = console.width >= _WHOLE_WIDTH
            console.print(_comparison(title, numbers, plain=not console.is_terminal, whole=whole))
    console.print("Claims of the paper", markup=False)
    for i, claim in enumerate(judge_claims(results), start=1):
        line = f"{i:2}. [{claim.verdict}] {claim.says}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    for line in caveat_lines(results):
        console.print(f"- {line}", soft_wrap=True, markup=False, highlight=False)
    answer, told = pulse_answer(results)
    line = f"Does the pulse add anything: {answer}. {' '.join(told)}"
    console.print(f"- {line}", soft_wrap=True, markup=False, highlight=False)
    tally = Counter(number.verdict for number in results.numbers if number.id in paper_numbers())
    console.print(
        "Numbers of the paper: " + ", ".join(f"{count} {verdict}" for verdict, count in tally.items()),
        soft_wrap=True,
    )
    for reason, ids in reasons(results):
        line = f"- not computed ({len(ids)}): {reason}: {', '.join(ids)}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _comparison(title: str, numbers: list[Number], *, plain: bool, whole: bool) -> Table:
    """Return a table of numbers; ``whole`` with intervals, p-values and effect sizes."""
    table = Table(title=title or None, box=None if plain else box.SIMPLE, title_justify="left")
    table.add_column("score", overflow="fold")
    for heading in ("paper", "here", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("95% CI", "p", "d") if whole else ():
        for source in ("paper", "here"):
            table.add_column(f"{heading} {source}", justify="right", no_wrap=True)
    table.add_column("verdict")
    for number in numbers:
        paper = paper_numbers().get(number.id, _NOT_IN_PAPER)
        digits = paper.decimals
        difference = ""
        if isinstance(number.paper, (int, float)) and number.value is not None:
            # Adding 0.0 turns a rounded -0.0 into 0.0.
            difference = f"{round(number.value - number.paper, digits) + 0.0:+.{digits}f}"
        tests = (
            _interval(paper.ci95),
            _interval(number.ci95),
            "" if paper.p is None else str(paper.p),
            "" if number.p is None else f"{number.p:.4f}",
            "" if paper.cohen_d is None else f"{paper.cohen_d:.2f}",
            "" if number.cohen_d is None else f"{number.cohen_d:.2f}",
        )
        table.add_row(
            number.id.split(".", 1)[1],
            _with_sd(number.paper, paper.sd, digits),
            _with_sd(number.value, number.sd, digits),
            difference,
            *(tests if whole else ()),
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
    return [remark.text for remark in remarks(results)]
