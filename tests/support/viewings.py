"""Viewings on a machine that may be too busy for them.

A player counts what the machine kept it from doing in time. A viewing that it says was disturbed shows
nothing about the product, and is had again; what an undisturbed one shows is never asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

ATTEMPTS = 3
PUBLISHED_LATE_MS = 200.0
"""From here on ticks may be given up before what they need was sent."""

T = TypeVar("T")


def undisturbed(view: Callable[[int], T], player_of: Callable[[T], Mapping[str, Any]]) -> T:
    """Return what ``view`` gives as soon as its player was not disturbed, or the last of a few attempts.

    Parameters
    ----------
    view : callable
        Takes the number of the attempt.
    player_of : callable
        Returns the player's account.
    """
    viewing = view(0)
    for attempt in range(1, ATTEMPTS):
        if not was_disturbed(player_of(viewing)):
            break
        viewing = view(attempt)
    return viewing


def was_disturbed(player: Mapping[str, Any]) -> bool:
    """Whether the account of a player with sound says that the machine kept it waiting."""
    sound = player["sound"]
    if sound is None:  # the sound server gave no steady time
        return True
    waited = sound["underflows"] or sound["samples_late"] or sound["clock_steps"]
    pictures = player["pictures_late"] or player["pictures_dropped"]
    return bool(waited or pictures or player["published_late_ms"] > PUBLISHED_LATE_MS)
