"""Figures 3 and 4 of the paper, as vector drawings in colours that colour-blind readers tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from offline.agreement import RatingCurve
from offline.atomic import replacing
from offline.cardio import PulseComparison
from offline.correlation import fisher_z
from offline.labels import SIMULATED
from offline.typeset import MINUS, typeset
from rtasmr.dataset_words import counted
from rtasmr.presentation_log import MAX_LEVEL

ASMR_COLOUR, NATURE_COLOUR = "#D55E00", "#0072B2"
PAIR_COLOUR = "0.75"
_DPI = 120


def draw_ratings(curves: Sequence[RatingCurve], path: Path, *, simulated: bool) -> None:
    """Draw figure 3: mean rating over time with its standard error, one panel per clip."""
    figure = Figure(figsize=(5.2 * len(curves), 3.8), layout="constrained")
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for letter, axes, curve in zip("ABCDEFGH", panels, curves, strict=False):
        low, high = np.maximum(curve.mean - curve.sem, 0.0), curve.mean + curve.sem
        axes.fill_between(
            curve.time_s, low, high, color=ASMR_COLOUR, alpha=0.3, linewidth=0, label="standard error"
        )
        axes.plot(curve.time_s, curve.mean, color=ASMR_COLOUR, linewidth=1.8, label="mean rating")
        axes.set_title(
            f"{letter}. {curve.video}: the {curve.n_raters} of {curve.n_shown} who felt a tingle", loc="left"
        )
        axes.set_xlabel("Time since the clip's start [s]")
        axes.set_xlim(curve.time_s[0], curve.time_s[-1])
        axes.set_ylim(0, MAX_LEVEL)
        axes.set_yticks(range(MAX_LEVEL + 1))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(f"Rating (0 to {MAX_LEVEL})")
    panels[0].legend(loc="upper left", frameon=False)
    _save(figure, path, simulated)


def draw_pulse_rates(
    published: PulseComparison, robust: PulseComparison, path: Path, *, simulated: bool
) -> None:
    """Draw figure 4: the participants' correlations of pulse rate and rating, both conditions.

    The published rule on the left, our detector on the right; lines join a participant's two values.
    """
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, found, title in zip(
        panels, (published, robust), ("A. Published rule", "B. Our detector"), strict=True
    ):
        _draw_comparison(axes, found, title)
    panels[0].set_ylabel("Spearman r of pulse rate and rating")
    _save(figure, path, simulated)


def _draw_comparison(axes: Axes, found: PulseComparison, title: str) -> None:
    axes.axhline(0.0, color="0.4", linestyle="--", linewidth=1)
    n = len(found.participants)
    conditions = ((1, found.asmr_r, ASMR_COLOUR), (2, found.nature_r, NATURE_COLOUR))
    for asmr, nature in zip(found.asmr_r, found.nature_r, strict=True):
        axes.plot((1.25, 1.75), (asmr, nature), color=PAIR_COLOUR, linewidth=0.7, zorder=1)
    for place, r, colour in conditions:
        if n == 0:
            continue
        inside = 1.25 if place == 1 else 1.75
        axes.boxplot(
            r,
            positions=[place],
            widths=0.3,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
            medianprops={"color": colour, "linewidth": 2},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
        axes.scatter(np.full(n, inside), r, s=14, color=colour, zorder=2)
        axes.scatter([place], [r.mean()], marker="D", s=34, facecolor="white", edgecolor="black", zorder=3)
    axes.set_xticks([1, 2], ["ASMR", "nature"])
    axes.set_xlim(0.6, 2.4)
    axes.set_ylim(-1.05, 1.2)
    axes.set_yticks(np.linspace(-1.0, 1.0, 9))
    told = counted(n, "participant")
    if n > 0:
        difference = float(np.mean(fisher_z(found.asmr_r) - fisher_z(found.nature_r)))
        told += typeset(f", ASMR {MINUS} nature: mean z {difference:+.3f}")
    axes.text(0.5, 0.98, told, ha="center", va="top", size=9, transform=axes.transAxes)
    axes.set_title(title, loc="left")
    axes.grid(axis="y", alpha=0.3)


def _save(figure: Figure, path: Path, simulated: bool) -> None:
    """Write a figure; the same data give the same bytes."""
    if simulated:
        figure.suptitle(SIMULATED, color="0.3", size=9)
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "rtasmr"}):
        metadata = {"Date": None} if part.suffix == ".svg" else None
        figure.savefig(part, dpi=_DPI, metadata=metadata)
