"""Event logs in the format of Presentation (Neurobehavioral Systems)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from offline.simulation.response import Stroke
from offline.simulation.schedule import SESSION_S, SessionPlan
from rtasmr.presentation_log import LOG_UNITS_PER_S
from rtasmr.simulation_signs import IN_LOG

HEADER = (
    "Subject", "Trial", "Event Type", "Code", "Time", "TTime", "Uncertainty", "Duration", "Uncertainty",
    "ReqTime", "ReqDur", "Stim Type", "Pair Index",
)  # fmt: skip
PULSE_PERIOD_UNITS = 2 * LOG_UNITS_PER_S
PULSE_CODE = "255"


def write_log(
    path: Path, plan: SessionPlan, strokes: Sequence[Sequence[Stroke]], rng: np.random.Generator
) -> None:
    """Write one participant's log.

    Parameters
    ----------
    strokes : sequence of sequence of Stroke
        One per clip of the plan, in its order.
    """
    onsets = [round(clip.start_s * LOG_UNITS_PER_S) for clip in plan.clips]
    events: list[tuple[int, int, str, str]] = []  # time, rank among equal times, type, code
    for time in range(0, round(SESSION_S * LOG_UNITS_PER_S), PULSE_PERIOD_UNITS):
        events.append((time, 1, "Pulse", PULSE_CODE))
    for onset, clip, pressed in zip(onsets, plan.clips, strokes, strict=True):
        events.append((onset, 0, "Video", clip.video))
        events.extend((onset + stroke.offset, 2, "Response", str(stroke.code)) for stroke in pressed)
    events.sort(key=lambda event: event[:2])  # stable: strokes at one time keep their order

    following = [*onsets[1:], None]
    ends = {onset: _shown_until(onset, after) for onset, after in zip(onsets, following, strict=True)}
    subject = f"{plan.participant:03d}"
    rows = []
    trial, trial_start = 1, 0
    for time, _, kind, code in events:
        if kind == "Video":
            trial, trial_start = trial + 1, time
        row = [subject, str(trial), kind, code, str(time), str(time - trial_start)]
        if kind == "Video":
            uncertainty = str(rng.integers(1, 4))
            row += [uncertainty, str(ends[time] - time), "2", "0", "next", "other", "0"]
        else:
            row.append("1")
        rows.append("\t".join(row))
    clock = f"{plan.day:%m/%d/%Y} {rng.integers(9, 18):02d}:{rng.integers(60):02d}:{rng.integers(60):02d}"
    head = [
        f"Scenario - ASMR_exp2_cond{plan.condition} {IN_LOG}",
        f"Logfile written - {clock}",
        "",
        "\t".join(HEADER),
        "",
    ]
    path.write_text("\n".join(itertools.chain(head, rows, [""])), encoding="ascii", newline="\n")


def _shown_until(onset: int, following: int | None) -> int:
    """Return when a clip leaves the screen: after 60 s, or when the next one starts."""
    full = onset + 60 * LOG_UNITS_PER_S
    return full if following is None else min(full, following)
