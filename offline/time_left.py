"""How long the rest of some work will take, for people to plan by: no figure that is not to be trusted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

LEAST_SHARE = 0.1
"""Share of the work, by cost, that must be done before anything is said."""

SLOWER = 1.3
"""An estimate rises only when it exceeds what was said by this factor: the machine has become slower."""


class TimeLeft:
    """Estimates the remaining time of work that is done side by side.

    Units of different kinds take different times, so work is counted by its cost, not in units.

    Parameters
    ----------
    cost : float
        Of all work to be done, in any unit.
    now : callable
        Clock in seconds.
    """

    def __init__(self, cost: float, now: Callable[[], float] = time.monotonic) -> None:
        self._cost = cost
        self._now = now
        self._started_s = now()
        self._said_s = math.inf

    def in_words(self, done: float) -> str:
        """Return the time left as text, given the cost of what is done; empty while nobody can know.

        What is said falls or stands still, and rises only when it was wrong by a lot.
        """
        if not LEAST_SHARE * self._cost <= done < self._cost:
            return ""
        left_s = (self._now() - self._started_s) * (self._cost - done) / done
        if left_s < self._said_s or left_s > SLOWER * self._said_s + 60:
            self._said_s = left_s
        if self._said_s < 60:
            return "less than a minute left"
        return f"about {math.ceil(self._said_s / 60)} min left"
