"""Positions of a step against a clock that may be held. Pure: clock readings are arguments."""

from __future__ import annotations

import math


class Timeline:
    """Seconds of a clip or a rest, laid on a clock of seconds; a hold stops the first, not the second.

    Parameters
    ----------
    zero_s : float
        What the clock shows at position 0.

    Attributes
    ----------
    holds : list of list of float
        Start and end of every hold on the clock, in order; an open one ends at infinity.
    """

    def __init__(self, zero_s: float) -> None:
        self._zero_s = zero_s
        self.holds: list[list[float]] = []

    @property
    def is_held(self) -> bool:
        """Whether a hold is open."""
        return bool(self.holds) and math.isinf(self.holds[-1][1])

    def hold(self, clock_s: float) -> None:
        """Stop at a clock reading; where it is held already, nothing changes."""
        if not self.is_held:
            self.holds.append([clock_s, math.inf])

    def resume(self, clock_s: float) -> None:
        """Go on at a clock reading; where it is not held, nothing changes."""
        if self.is_held:
            self.holds[-1][1] = max(clock_s, self.holds[-1][0])

    def end_holds(self, clock_s: float) -> None:
        """Let no hold reach beyond a clock reading, and none begin after it."""
        self.holds = [[start_s, min(stop_s, clock_s)] for start_s, stop_s in self.holds if start_s <= clock_s]

    def held_at(self, clock_s: float) -> bool:
        """Whether it stands still at a clock reading."""
        return any(start_s <= clock_s < stop_s for start_s, stop_s in self.holds)

    def position_at(self, clock_s: float) -> float:
        """Return the position in seconds at a clock reading."""
        held_s = sum(max(0.0, min(clock_s, stop_s) - start_s) for start_s, stop_s in self.holds)
        return clock_s - self._zero_s - held_s

    def clock_at(self, position_s: float) -> float:
        """Return the clock reading at which a position is due; infinite behind an open hold."""
        clock_s = self._zero_s + position_s
        for start_s, stop_s in self.holds:
            if clock_s <= start_s:
                break
            clock_s += stop_s - start_s
        return clock_s
