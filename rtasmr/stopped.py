"""Where a viewing was stopped before all of it was shown: in its account, its recording and on its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtasmr.view.wording import clock_text

STOPPED = "stopped"
"""Kind of the incident ``{"stream": "player", "what": "stopped", ..}``, with what `stop_of` returns."""

WHOLE_S = 0.5
"""A clip that lacks less than this at its end was shown whole."""


def stop_of(player: Mapping[str, Any], planned_s: Sequence[float]) -> dict[str, Any] | None:
    """Return where a viewing was stopped; None where all of it was shown.

    Parameters
    ----------
    player : mapping
        The account of the player.
    planned_s : sequence of float
        How long each clip would have been, in seconds, in their order.

    Returns
    -------
    dict or None
        ``clip``: number of the clip, from 1, or of the last before it (0: none); ``of``: how many there were
        to be; ``name`` of the clip; ``at_s``: seconds of it that were shown, None between two clips.
    """
    if not player["asked_to_end"]:
        return None
    shown = list(player["clips"])
    if shown and shown[-1]["seconds"] <= 0:  # in the black before it
        shown.pop()
    number = len(shown)
    name, seconds, is_whole = "", None, True
    if shown:
        name, seconds = shown[-1]["clip"], shown[-1]["seconds"]
        is_whole = shown[-1]["skipped"] or seconds > planned_s[number - 1] - WHOLE_S
    if is_whole and number == len(planned_s):
        return None
    return {"clip": number, "of": len(planned_s), "name": name, "at_s": None if is_whole else seconds}


def stop_words(stop: Mapping[str, object]) -> str:
    """Return where a viewing was stopped, in words; empty where that is damaged."""
    number, n_clips, name, at_s = (stop.get(key) for key in ("clip", "of", "name", "at_s"))
    if not (isinstance(number, int) and isinstance(n_clips, int) and isinstance(name, str)):
        return ""
    if number == 0:
        return f"stopped before the first of {n_clips} clips" if n_clips != 1 else "stopped before its clip"
    which = name if n_clips == 1 else f"clip {number} of {n_clips} ({name})"
    if isinstance(at_s, float):
        return f"stopped in {which} at {clock_text(at_s)}"
    return f"stopped after {which}"
