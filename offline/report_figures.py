"""Figures of the report: scores beside the paper's, Tinglegrams of all test trials, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from offline.atomic import replacing
from offline.caveats import by_video, pooled_steps
from offline.labels import short_label
from offline.metrics import calibration_bins
from offline.predictions import Predictions, TrialPrediction
from offline.results import Results, paper_numbers
from offline.scores import FRAME_METRICS, NATURE_SPECIFICITY, asmr_trials
from offline.tinglegram import draw_tinglegram, figure_6_trials
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.types import TrialId

PAPER, OURS, RULE, REPORT = "0.35", "#0072B2", "#D55E00", "0.82"
"""Colours that colour-blind readers tell apart, in print too; markers differ as well."""

TINGLEGRAMS = "tinglegrams_"
"""Name of the drawing of all test trials of a clip, before the clip."""

_POOLED: Mapping[str, Any] = {"marker": "|", "markersize": 15, "markeredgewidth": 2.4, "zorder": 4}
"""The score of all folds together: a bar across its interval."""

_ROW = 1.3  # height of a trial's band, its probability spanning 1
_RULES = (
    ("clip_rule", "D", RULE, "rule: ASMR clip = tingle"),
    ("never", "x", "black", "rule: never a tingle"),
)
_LANES = {"paper": 0.24, "ours": 0.0, "rules": -0.24}
"""Where the marks of a score lie within its row, which is 1 high."""


def draw_figures(results: Results, fusion: Predictions | None, out: Path) -> dict[str, str]:
    """Draw into ``out/figures``; return the names of the files by what they show."""
    folder = out / "figures"
    note = short_label(results.config)
    drawn: dict[str, str] = {}
    if any(number.id.startswith("table1.") and number.value is not None for number in results.numbers):
        drawn["scores"] = _save(_scores(results), folder / "scores.svg", note)
    if fusion is None:
        return drawn
    draw_tinglegram(figure_6_trials(fusion), folder / "figure6.svg", note)
    drawn["figure6"] = "figure6.svg"
    for video, one in by_video(fusion).items():
        name = f"{TINGLEGRAMS}{video}"
        drawn[name] = _save(_tinglegrams(one.trials), folder / f"{name}.svg", note)
    if asmr_trials(fusion).trials:
        drawn["reliability"] = _save(_reliability(fusion), folder / "reliability.svg", note)
    return drawn


def _scores(results: Results) -> Figure:
    """Draw Table 1: the paper's, ours, and two rules that know nothing of the person."""
    names = (*FRAME_METRICS, NATURE_SPECIFICITY)
    rows = np.arange(len(names))[::-1]
    figure = Figure(figsize=(8.6, 4.4), layout="constrained")
    axes = figure.subplots()
    numbers = {number.id: number for number in results.numbers}
    for row, name in zip(rows, names, strict=True):
        paper, ours = paper_numbers()[f"table1.{name}"], numbers[f"table1.{name}"]
        if isinstance(paper.paper, (int, float)):
            _point(axes, paper.paper, paper.ci95, row + _LANES["paper"], PAPER, "o", hollow=True)
        if ours.value is not None:
            _point(axes, ours.value, ours.ci95, row + _LANES["ours"], OURS, "s", hollow=False)
        pooled = numbers.get(f"caveat.pooled.{name}")
        if pooled is not None and pooled.value is not None:
            axes.plot(pooled.value, row + _LANES["ours"], color=OURS, **_POOLED)
        for rule, marker, colour, _ in _RULES:
            number = numbers.get(f"caveat.{rule}.{name}")
            if number is not None and number.value is not None:
                axes.plot(number.value, row + _LANES["rules"], marker, color=colour, markersize=7, zorder=3)
    axes.set_yticks(rows, [name.replace("_", " ").replace("f1", "F1") for name in names])
    axes.set_xlabel("Score [%]")
    axes.set_xlim(right=101.5)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = [
        Line2D(
            [],
            [],
            color=PAPER,
            marker="o",
            markerfacecolor="white",
            linestyle="",
            label="paper, mean of folds",
        ),
        Line2D([], [], color=PAPER, label="paper, 95 % interval"),
        Line2D([], [], color=OURS, marker="s", linestyle="", label="here, mean of folds"),
        Line2D([], [], color=OURS, label="here, all folds pooled, 95 % interval", **_POOLED),
        *(Line2D([], [], color=c, marker=mark, linestyle="", label=label) for _, mark, c, label in _RULES),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)
    return figure


def _point(
    axes: Axes,
    value: float,
    ends: tuple[float, float] | None,
    row: float,
    colour: str,
    marker: str,
    *,
    hollow: bool,
) -> None:
    if ends is not None:
        axes.plot(ends, (row, row), color=colour, linewidth=1.6, zorder=2)
    face = "white" if hollow else colour
    axes.plot(value, row, marker, color=colour, markerfacecolor=face, markersize=6.5, zorder=3)


def _tinglegrams(trials: Sequence[TrialPrediction]) -> Figure:
    """Draw all trials of one clip below each other: what was said, what was reported."""
    figure = Figure(figsize=(9.6, 1.1 + 0.5 * len(trials)), layout="constrained")
    axes = figure.subplots()
    ordered = sorted(trials, key=lambda trial: trial.trial)
    for i, trial in enumerate(ordered):
        _band(axes, trial, -_ROW * i)
    axes.set_yticks(
        [0.5 - _ROW * i for i in range(len(ordered))],
        [f"P {trial.trial.participant:03d}" for trial in ordered],
    )
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Time since the clip's start [s]")
    axes.set_xlim(ordered[0].time_s[0], max(trial.time_s[-1] for trial in ordered) + 1 / FRAME_RATE_HZ)
    axes.set_ylim(-_ROW * (len(ordered) - 1) - 0.15, 1.15)
    axes.spines[["top", "right", "left"]].set_visible(False)
    told = "tingle reported" if ordered[0].is_asmr else "pleasantness rating / 3"
    handles = [
        Patch(facecolor=REPORT, label=told),
        Line2D([], [], color=OURS, label="P(tingle), 0 to 1 in each row"),
        Line2D([], [], color=RULE, linestyle="--", linewidth=0.8, label="threshold"),
    ]
    if any(trial.n_real < trial.p.size for trial in ordered):
        handles.append(Patch(facecolor="none", edgecolor="0.5", hatch="////", label="zero padding"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False)
    return figure


def _band(axes: Axes, trial: TrialPrediction, base: float) -> None:
    time_s = trial.time_s
    report = trial.truth.astype(float) if trial.is_asmr else trial.rating / 3.0
    # A bar per stretch of one level: a few numbers in the file instead of a thousand.
    starts = np.flatnonzero(np.diff(report, prepend=np.nan))
    stops = np.append(starts[1:], len(report))
    axes.bar(
        time_s[starts],
        report[starts],
        width=(stops - starts) / FRAME_RATE_HZ,
        bottom=base,
        align="edge",
        color=REPORT,
        linewidth=0,
        zorder=1,
    )
    axes.axhline(base, color="0.7", linewidth=0.6, zorder=1)
    axes.plot(
        time_s[[0, -1]], [base + trial.threshold] * 2, color=RULE, linestyle="--", linewidth=0.8, zorder=2
    )
    (line,) = axes.plot(time_s, base + trial.p, color=OURS, linewidth=1.3, zorder=3)
    line.set_gid(trial_anchor(trial.trial))
    if trial.n_real < trial.p.size:
        start, stop = time_s[trial.n_real], time_s[-1] + 1 / FRAME_RATE_HZ
        axes.fill_between(
            [start, stop], base, base + 1, facecolor="none", edgecolor="0.5", hatch="////", linewidth=0
        )


def _reliability(fusion: Predictions) -> Figure:
    """Draw how often a tingle was reported, by the probability that the model gave, ASMR clips alone."""
    truth, p = pooled_steps(asmr_trials(fusion.without_padding()))
    bins = calibration_bins(truth, p)
    figure = Figure(figsize=(8.6, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    filled = bins.n > 0
    left.plot(bins.mean_p[filled], bins.frequency[filled], "s-", color=OURS, label="model, in ten bins")
    left.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="as often as said")
    left.axhline(truth.mean(), color=RULE, linestyle=":", linewidth=1.4, label="share of all steps")
    left.set_xlabel("Probability given")
    left.set_ylabel("Share of steps with a tingle")
    left.set_xlim(0, 1)
    left.set_ylim(0, 1)
    left.set_title("A. Calibration", loc="left")
    width = 1.0 / len(bins.n)
    right.bar(width * (np.arange(len(bins.n)) + 0.5), bins.n, width=0.9 * width, color=OURS)
    right.set_xlabel("Probability given")
    right.set_ylabel("Steps of 0.1 s")
    right.set_xlim(0, 1)
    right.set_title("B. How often each was given", loc="left")
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def trial_anchor(trial: TrialId) -> str:
    """Return the id of a trial's curve within its drawing."""
    return f"trial-{trial}"


def _save(figure: Figure, path: Path, note: str) -> str:
    if note:
        figure.supxlabel(note, color="0.3", size=9)  # below: above stands the legend
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "rtasmr"}):
        figure.savefig(part, metadata={"Date": None})
    return path.name
