"""What the ticks of a recording lacked their data for: pauses and overload, read back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtasmr.grid import ON_TICK_TOLERANCE_S
from rtasmr.incidents import INCIDENTS_SPEC
from rtasmr.markers import is_translated
from rtasmr.overload import OVERLOAD
from rtasmr.session import Recording
from rtasmr.types import Cause, Status

_END_S = 1e-3
"""Stretches are told in tenths of a millisecond."""


def causes_of(recording: Recording, times: NDArray[np.float64], status: NDArray[np.float64]) -> list[Cause]:
    """Return the cause of every tick.

    Parameters
    ----------
    recording : Recording
    times : ndarray of shape (n_ticks,)
        Seconds on the session clock.
    status : ndarray of shape (n_ticks,)
        Codes of `Status`.
    """
    paused = _within(times, pauses_of(recording))
    slow = _within(times, list(_overloads(recording))) & (status == Status.STALE)
    return [
        Cause.PAUSED if is_paused else Cause.OVERLOAD if is_slow else Cause.NONE
        for is_paused, is_slow in zip(paused.tolist(), slow.tolist(), strict=True)
    ]


def pauses_of(recording: Recording) -> list[tuple[float, float]]:
    """Return begin and end of every pause, in seconds on the session clock, as the aligner takes them."""
    marks = sorted(
        (time_s, str(text).partition(" ")[0])
        for stream in recording.streams
        if stream.spec.stype == "Markers" and not is_translated(stream.spec)
        for time_s, text in zip(stream.times.tolist(), stream.data.ravel(), strict=False)
    )
    pauses: list[tuple[float, float]] = []
    for time_s, event in marks:
        # A clip's begin or end ends a pause, too: whoever paused may be gone.
        if event in ("pause_start", "pause_end", "clip_start", "clip_end") and pauses:
            begin_s, end_s = pauses[-1]
            pauses[-1] = (begin_s, min(end_s, time_s))
        if event == "pause_start":
            pauses.append((time_s, math.inf))
    return pauses


def _overloads(recording: Recording) -> Iterator[tuple[float, float]]:
    """Yield begin and end of the stretches in which the computer did not keep up."""
    for stream in recording.streams:
        for text in stream.data.ravel() if stream.spec.name == INCIDENTS_SPEC.name else ():
            try:
                content = json.loads(text)
                if content["what"] == OVERLOAD:
                    yield float(content["begin_s"]), float(content["stop_s"]) + _END_S
            except (ValueError, TypeError, KeyError, RecursionError):
                continue  # another program's, or damaged: it names no stretch


def _within(times: NDArray[np.float64], stretches: list[tuple[float, float]]) -> NDArray[np.bool_]:
    within = np.zeros(len(times), dtype=np.bool_)
    for begin_s, end_s in stretches:
        within |= (times >= begin_s - ON_TICK_TOLERANCE_S) & (times < end_s)
    return within
