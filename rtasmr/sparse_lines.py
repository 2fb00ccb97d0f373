"""Lines of the log that may come too often: which are told, and how many were not."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable

MOST_LINES = 5
WITHIN_S = 5.0


class SparseLines:
    """Lets through five lines in five seconds for each key: single ones at once, of many one a second.

    Parameters
    ----------
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told_s: dict[Hashable, deque[float]] = {}
        self._n_left_out: Counter[Hashable] = Counter()

    def due(self, key: Hashable) -> int | None:
        """Return how many lines were left out before this one; None if it is to be left out, too."""
        now = self._clock()
        told_s = self._told_s.setdefault(key, deque(maxlen=MOST_LINES))
        if len(told_s) == MOST_LINES and now - told_s[0] < WITHIN_S:
            self._n_left_out[key] += 1
            return None
        told_s.append(now)
        return self._n_left_out.pop(key, 0)
