"""Figure 6 of the paper: probability over time against what the participant reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from offline.atomic import replacing
from offline.predictions import Predictions, TrialPrediction
from offline.time_course import onsets
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.types import Status
from rtasmr.view.figure import Panel, panels_figure
from rtasmr.view.tracks import RecordColumns, Span

FIGURE_6_PARTICIPANT = 27
"""Whom the paper shows."""

PADDING_WORD = "zero padding: no clip, no pulse, no report"


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
    """Draw one panel per trial of one participant, as the window's Tinglegram, and write it to ``path``.

    The probability is drawn as predicted; the paper's figure smooths it (Gaussian, 0.2 s). Steps that
    are zero padding are hatched: there is no clip, no pulse and no report there.
    ``note`` stands on top: what must be known of the data.
    """
    first = trials[0]
    figure = panels_figure(
        [panel_of(trial) for trial in trials],
        title=f"Participant {first.trial.participant}, test predictions",
        threshold=first.threshold,
        demo=False,
        warnings=(note,) if note else (),
    )
    with replacing(path) as part, mpl.rc_context({"svg.hashsalt": "rtasmr"}):
        figure.savefig(part, dpi=120, metadata={"Date": None} if part.suffix == ".svg" else None)


def panel_of(trial: TrialPrediction) -> Panel:
    """Return a trial as a panel of the Tinglegram, its zero padding marked."""
    n_steps = trial.p.size
    none = np.full(n_steps, np.nan)
    columns = RecordColumns(
        time_s=trial.time_s,
        p=trial.p.astype(np.float64),
        p_low=none,
        p_high=none,
        status=np.full(n_steps, Status.OK, dtype=np.int8),
        rating=trial.rating,
        segment=np.zeros(n_steps, dtype=np.int64),
        tick=WARMUP_TICKS + np.arange(n_steps),
        outside=np.zeros(n_steps, dtype=np.bool_),
        cause=np.zeros(n_steps, dtype=np.int8),
    )
    padding: tuple[Span, ...] = ()
    if trial.n_real < n_steps:
        stop_s = float(trial.time_s[-1]) + 1 / FRAME_RATE_HZ
        padding = (Span(float(trial.time_s[trial.n_real]), stop_s, PADDING_WORD),)
    kind, rating = ("ASMR", "tingling") if trial.is_asmr else ("nature", "pleasantness")
    return Panel(f"{trial.trial.video} ({kind})", columns, marked=padding, rating=rating)
