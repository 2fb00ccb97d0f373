"""What the person rates, from keys, a slider or a game pad: levels 0 to 3, and the continuous value."""

from __future__ import annotations

import math
import threading
from typing import Protocol

MAX_LEVEL = 3


class RatingOutlet(Protocol):
    """Where ratings go."""

    def marker(self, stream: str, text: str, time_s: float) -> None:
        """Publish a marker at an LSL time in seconds."""

    def slid(self, value: float, time_s: float) -> None:
        """Publish a continuous rating at an LSL time in seconds."""


def level_of(value: float) -> int:
    """Return the level, 0 to 3, that a continuous rating stands for: the nearest, halves upwards."""
    return max(0, min(MAX_LEVEL, math.floor(value + 0.5)))


class RatingDesk:
    """The rating in force; any thread may change it.

    A continuous rating is published as such and, when the level that it stands for changes, as the level
    too, with the same stamp: whoever needs a label reads levels only.

    In a pause nothing is rated, as nothing is shown: a press then is left out. A game pad stays where it was
    pushed, which counts from the end of the pause on.

    Parameters
    ----------
    is_continuous : bool
        Whether there is a slider or a game pad.
    """

    def __init__(self, *, is_continuous: bool) -> None:
        self.is_continuous = is_continuous
        self._lock = threading.Lock()
        self._outlet: RatingOutlet | None = None
        self._value = 0.0
        self._held: int | None = None
        self._last_s = -math.inf
        self._pause_s = (math.inf, math.inf)  # from when to when the last pause was; open ends are infinite
        self._waiting: float | None = None  # where the pad is in a pause

    @property
    def value(self) -> float:
        """The rating in force, 0 to 3."""
        return self._value

    @property
    def held(self) -> int | None:
        """The level that the person chose last in the clip, 0 to 3; None before the first choice."""
        return self._held

    def open(self, outlet: RatingOutlet) -> None:
        """Publish from now on."""
        self._outlet = outlet

    def press(self, level: int, time_s: float) -> None:
        """Take a level, 0 to 3, chosen at an LSL time in seconds; every choice is published."""
        with self._lock:
            if not self._in_pause(time_s):
                self._set(float(level), time_s, always=True)

    def slide(self, value: float, time_s: float) -> None:
        """Take a continuous rating; what lies outside 0 to 3 is cut off, what is no change left out."""
        value = max(0.0, min(float(MAX_LEVEL), value))
        with self._lock:
            if self._in_pause(time_s):
                self._waiting = value
            elif value != self._value:
                self._set(value, time_s, always=False)

    def step(self, change: float, time_s: float) -> None:
        """Move the continuous rating."""
        if not self._in_pause(time_s):
            self.slide(round(self._value + change, 6), time_s)

    def pause(self, time_s: float) -> None:
        """Leave out what is rated from an LSL time in seconds on."""
        with self._lock:
            self._pause_s = (time_s, math.inf)

    def resume(self, time_s: float) -> None:
        """Take ratings again, from an LSL time in seconds on."""
        with self._lock:
            self._pause_s = (self._pause_s[0], time_s)
            value, self._waiting = self._waiting, None
            if value is not None and value != self._value:
                self._set(value, time_s, always=False)

    def begin_clip(self, time_s: float) -> None:
        """Begin at 0, as every clip does, with nothing chosen."""
        with self._lock:
            if self._last_s >= time_s:  # told a moment late: the clip is rated already
                return
            self._value, self._held = 0.0, None
            if self._outlet is not None and self.is_continuous:
                self._outlet.slid(0.0, time_s)

    def _in_pause(self, time_s: float) -> bool:
        return self._pause_s[0] <= time_s < self._pause_s[1]

    def _set(self, value: float, time_s: float, *, always: bool) -> None:
        before, self._value = level_of(self._value), value
        self._held = level_of(value)
        if self._outlet is None:
            return
        # Two inputs may be taken out of order by a millisecond; stamps of one stream must not fall.
        self._last_s = time_s = max(time_s, self._last_s)
        if self.is_continuous:
            self._outlet.slid(value, time_s)
        if always or level_of(value) != before:
            self._outlet.marker("rating", f"rating={level_of(value)}", time_s)
