"""Figure 6 of the paper: probability over time against what the participant reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from offline.atomic import replacing
from offline.predictions import Predictions, TrialPrediction
from offline.time_course import onsets
from rtasmr.grid import FRAME_RATE_HZ

FIGURE_6_PARTICIPANT = 27
"""Whom the paper shows."""

_RATING_MAX = 3.0
_CURVE, _THRESHOLD = "#0072B2", "#D55E00"


def figure_6_trials(predictions: Predictions) -> tuple[TrialPrediction, ...]:
    """Return the trials of the paper's participant, or of who reports most onsets where they were not tested.

    The report chooses, not the prediction; of equals the lower number.
    """

    def rank(participant: int) -> tuple[bool, int, int]:
        n_onsets = sum(onsets(t.truth).size for t in predictions.trials if t.trial.participant == participant)
        return participant != FIGURE_6_PARTICIPANT, -n_onsets, participant

    shown = min(predictions.participants, key=rank)
    trials = [trial for trial in predictions.trials if trial.trial.participant == shown]
    return tuple(sorted(trials, key=lambda trial: trial.trial))


def draw_tinglegram(trials: Sequence[TrialPrediction], path: Path, note: str = "") -> None:
    """Draw one panel per trial and write the picture to ``path``.

    The probability is drawn as predicted; the paper's figure smooths it (Gaussian, 0.2 s). Steps that
    are zero padding are hatched: there is no clip, no pulse and no report there.
    ``note`` stands on top: what must be known of the data.
    """
    figure = Figure(figsize=(10, 3.2 * len(trials)), layout="constrained")
    panels = figure.subplots(len(trials), 1, sharex=True, squeeze=False)[:, 0]
    for axes, trial in zip(panels, trials, strict=True):
        _draw_trial(axes, trial)
    if note:
        figure.suptitle(note, color="0.3", size=9)
    panels[-1].set_xlabel("Time since the clip's start [s]")
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "rtasmr"}):
        figure.savefig(part, dpi=120, metadata={"Date": None} if part.suffix == ".svg" else None)


def _draw_trial(axes: Axes, trial: TrialPrediction) -> None:
    report = trial.truth if trial.is_asmr else trial.rating / _RATING_MAX
    label = "tingle reported" if trial.is_asmr else "pleasantness rating / 3"
    axes.fill_between(trial.time_s, 0, report, step="post", color="0.8", linewidth=0, label=label)
    axes.plot(trial.time_s, trial.p, color=_CURVE, label="P(tingle)")
    axes.axhline(trial.threshold, color=_THRESHOLD, linestyle="--", linewidth=1, label="threshold")
    if trial.n_real < trial.p.size:
        start, stop = trial.time_s[trial.n_real], trial.time_s[-1] + 1 / FRAME_RATE_HZ
        axes.axvspan(start, stop, facecolor="none", edgecolor="0.5", hatch="///", label="zero padding")
    kind = "ASMR" if trial.is_asmr else "nature"
    axes.set_title(f"Participant {trial.trial.participant}, {trial.trial.video} ({kind})", loc="left")
    axes.set_ylabel("Probability")
    axes.set_ylim(-0.05, 1.05)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
