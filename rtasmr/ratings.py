"""The rating in force at a tick, from key presses."""

from __future__ import annotations

import logging
import re
from bisect import bisect_right

from rtasmr.snapshot import NO_RATING
from rtasmr.types import Chunk, Segment

_PRESS = re.compile(r"rating=([0-3])")

logger = logging.getLogger(__name__)


class RatingTrack:
    """Presses on the session clock; a press holds until the next one or the segment's end.

    At the start of a segment the rating is 0 until the first press in it: nothing is carried over
    from the clip before, as published.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._levels: list[int] = []
        self._connected = False

    def connect(self) -> None:
        """Note that somebody may rate from now on."""
        self._connected = True

    def push(self, chunk: Chunk) -> None:
        """Take rating markers ``rating=0`` to ``rating=3``; others are reported and ignored."""
        for time_s, text in zip(chunk.times, chunk.data, strict=True):
            match = _PRESS.fullmatch(str(text))
            if match is None:
                logger.warning("rating marker %r ignored: expected rating=0 to rating=3", str(text)[:40])
                continue
            place = bisect_right(self._times, float(time_s))
            self._times.insert(place, float(time_s))
            self._levels.insert(place, int(match[1]))

    def at(self, time_s: float, segment: Segment) -> int:
        """Return the rating 0-3 at ``time_s`` (seconds, session clock), or NO_RATING."""
        if not self._connected:
            return NO_RATING
        place = bisect_right(self._times, time_s + 1e-9)
        if place == 0 or self._times[place - 1] < segment.origin - 1e-9:
            return 0
        return self._levels[place - 1]
