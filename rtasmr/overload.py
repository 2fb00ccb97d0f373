"""Stretches in which this computer did not keep up, for the recording of a run."""

from __future__ import annotations

import json

from rtasmr.types import Cause

OVERLOAD = "overload"
"""Kind of the incident: ``{"what": "overload", "begin_s": .., "stop_s": .., "ticks": ..}``, session clock."""

QUIET_S = 5.0
"""Ticks that are farther apart belong to two stretches."""

LONGEST_S = 10.0
"""A stretch is told at the latest after this long: a run that is killed loses no more."""


class OverloadWatch:
    """Gathers the ticks that this computer was too slow for into stretches."""

    def __init__(self) -> None:
        self._ticks: list[float] = []

    def push(self, time_s: float, cause: Cause) -> tuple[str, ...]:
        """Take the next tick, at ``time_s`` on the session clock; return the incident that it completes."""
        is_over = bool(self._ticks) and (
            time_s - self._ticks[-1] > QUIET_S or time_s - self._ticks[0] >= LONGEST_S
        )
        told = self.close() if is_over else ()
        if cause is Cause.OVERLOAD:
            self._ticks.append(time_s)
        return told

    def close(self) -> tuple[str, ...]:
        """Return the incident of the stretch that is not told yet, if there is one."""
        ticks, self._ticks = self._ticks, []
        if not ticks:
            return ()
        content = {"begin_s": round(ticks[0], 4), "stop_s": round(ticks[-1], 4), "ticks": len(ticks)}
        return (json.dumps({"stream": "tingle", "what": OVERLOAD, **content}),)
