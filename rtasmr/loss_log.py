"""Tells of streams that went away, and keeps quiet of those whose end is the end of the run."""

from __future__ import annotations

import logging
import time
from collections import deque

logger = logging.getLogger(__name__)

END_GRACE_S = 3.0
"""A source that ends takes its streams away one after the other; each is noticed by a thread of its own."""


class LossLog:
    """Losses of streams as lines of the log.

    Parameters
    ----------
    until_lost : bool
        The run ends when all streams have gone. A loss is then told once the others have outlived it by
        `END_GRACE_S`: before that it may be the end that was waited for.
    """

    def __init__(self, *, until_lost: bool = False) -> None:
        self._grace_s = END_GRACE_S if until_lost else 0.0
        self._held: deque[tuple[float, int, str]] = deque()

    def tell(self, text: str, *, is_alarm: bool) -> None:
        """Tell of a loss, at once or later; an alarm is of a stream that the run requires."""
        level = logging.ERROR if is_alarm else logging.WARNING
        self._held.append((time.monotonic() + self._grace_s, level, text))
        self.turn()

    def turn(self) -> None:
        """Tell what is due."""
        while self._held and self._held[0][0] <= time.monotonic():
            _, level, text = self._held.popleft()
            logger.log(level, "%s", text)

    def settle(self, *, is_end: bool) -> None:
        """Tell what was held back, unless all streams have gone: that is the end, no loss."""
        while self._held:
            _, level, text = self._held.popleft()
            if not is_end:
                logger.log(level, "%s", text)
