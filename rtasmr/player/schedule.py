"""Which picture of a video is due. Pure: the position is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATE_S = 0.010
"""Lateness up to which a picture counts as shown when it was due."""


BEHIND_S = 0.05
SLOWEST_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image of the stimulus.

    Parameters
    ----------
    position_s : float
        Presentation time in seconds since the start of the file.
    image : ndarray of shape (height, width, 3), uint8
        As stored, for the screen.
    encoded : ndarray of shape (224, 224, 3), uint8
        As the picture features take it.
    """

    position_s: float
    image: NDArray[np.uint8]
    encoded: NDArray[np.uint8]


class PictureSchedule:
    """Decoded pictures, waiting for their time.

    Attributes
    ----------
    n_dropped : int
        Pictures never shown because the next one was due already.
    """

    def __init__(self) -> None:
        self._waiting: deque[Picture] = deque()
        self.n_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_due_s(self) -> float | None:
        """Position at which the next picture is due; None if none is known."""
        return self._waiting[0].position_s if self._waiting else None

    def push(self, picture: Picture) -> None:
        """Add the next picture in the order of presentation."""
        self._waiting.append(picture)

    def take_due(self, position_s: float) -> Picture | None:
        """Return the newest picture due at ``position_s`` seconds and forget it and all before it."""
        due: Picture | None = None
        while self._waiting and self._waiting[0].position_s <= position_s:
            self.n_dropped += due is not None
            due = self._waiting.popleft()
        return due


class CatchUp:
    """Which pictures a decoder that is behind had better leave out.

    Attributes
    ----------
    n_skipped : int
        Pictures left out.
    """

    def __init__(self) -> None:
        self._given_s = -np.inf
        self.n_skipped = 0

    def skips(self, position_s: float, now_s: float) -> bool:
        """Whether to leave out the picture at ``position_s`` while ``now_s`` (seconds) is heard.

        One that is late already is left out, but for one every `SLOWEST_S`: a machine that can not
        keep up at all shows something.
        """
        if now_s - position_s > BEHIND_S and position_s - self._given_s < SLOWEST_S:
            self.n_skipped += 1
            return True
        self._given_s = position_s
        return False


def shown_stamp(due_time_s: float, shown_time_s: float) -> float:
    """Return the stamp of a picture, in seconds on the clock of both arguments.

    The moment it was due, so that a stimulus always falls on the same ticks; or the moment it was
    shown, where that was later than `LATE_S`.
    """
    return due_time_s if shown_time_s - due_time_s <= LATE_S else shown_time_s
