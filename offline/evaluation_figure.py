"""One figure of an evaluation: reliability, lag, look-ahead and window of each model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from offline.atomic import replacing
from offline.curves import LOOKAHEADS_S, WINDOWS_S
from offline.evaluate import Evaluated, Evaluation
from offline.labels import short_label

FIGURE_FILE = "figures/evaluation.png"


def draw_evaluation(evaluation: Evaluation, out: Path) -> Path:
    """Draw a row of panels for each model into ``out/figures/evaluation.png`` and return its path."""
    n_models = len(evaluation.models)
    figure = Figure(figsize=(13.0, 3.2 * n_models + 0.5), layout="constrained")
    rows = figure.subplots(n_models, 4, squeeze=False)
    for axes, model in zip(rows, evaluation.models, strict=True):
        _reliability(axes[0], model)
        _lag(axes[1], model)
        _curve(axes[2], model, "lookahead", "look-ahead", LOOKAHEADS_S)
        _curve(axes[3], model, "window", "window", WINDOWS_S)
    label = short_label(evaluation.config)
    if label:
        figure.suptitle(label, color="firebrick")
    path = out / FIGURE_FILE
    with replacing(path) as part:
        figure.savefig(part, dpi=120)
    return path


def _reliability(axes: Axes, model: Evaluated) -> None:
    bins = model.row.reliability
    filled = bins.n > 0
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.scatter(
        bins.mean_p[filled], bins.frequency[filled], s=10 + 150 * bins.n[filled] / bins.n.sum(), color="C0"
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability", ylabel="share of tingles")
    axes.set_title(f"{model.name}: {model.verdict.words}", fontsize=9)


def _lag(axes: Axes, model: Evaluated) -> None:
    axes.set(xlabel="rating later by (s)", ylabel="r within trials")
    if model.lag is None:
        axes.set_title("no lag to be found", fontsize=9)
        return
    axes.plot(model.lag.lag_s, model.lag.r)
    axes.axvspan(*model.lag.ci95_s, alpha=0.2)
    axes.axvline(model.lag.best_s, linewidth=1)


def _curve(axes: Axes, model: Evaluated, what: str, name: str, seconds: tuple[float, ...]) -> None:
    axes.set(xlabel=f"{name} (s)", ylabel="AUC within ASMR clips")
    points = [(x, model.more.get(f"{what}.{x:g}.auc")) for x in seconds]
    known = [(x, number.value, number.ci95) for x, number in points if number and number.ci95]
    if not known:
        axes.set_title("not asked", fontsize=9)
        return
    x, value, ends = zip(*known, strict=True)
    low, high = np.array(ends).T
    axes.errorbar(x, value, yerr=[np.subtract(value, low), np.subtract(high, value)], marker="o", capsize=3)
    axes.axhline(0.5, color="0.7", linewidth=1)
