"""What the person sees, as stamped pictures in order of time. Pure: times are arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtasmr.sources.media_file import BLACK, BLANK_RATE_HZ

STILL_MARGIN_S = 0.05
"""A picture that stays is stamped again as of this long ago: by then no earlier one can still come."""

Seen = tuple[float, NDArray[np.uint8]]
"""LSL time in seconds, and the picture that is seen from then on, as the picture features take it."""


class SeenPictures:
    """Every change of the screen, stamped when it came, and what stays again and again.

    The runtime can not tell a still from a picture that is late, so a still is given ten times a second.
    """

    def __init__(self) -> None:
        self._picture = BLACK
        self._is_covered = False
        self._blank_s = -np.inf
        self._last_s = -np.inf
        self._new: list[Seen] = []

    def show(self, picture: NDArray[np.uint8], time_s: float) -> None:
        """Take a picture that came on the screen; one from before it was blanked is late and left out.

        While the screen is covered it is not seen, but stands there afterwards.
        """
        if time_s < self._blank_s:
            return
        self._picture = picture
        if not self._is_covered:
            self._add(time_s)

    def blank(self, time_s: float) -> None:
        """Take note that the picture has left the screen."""
        self._blank_s = time_s
        self._picture = BLACK
        self._add(time_s)

    def cover(self, is_covered: bool, time_s: float) -> None:
        """Take note that a black screen hides the picture, or does so no longer."""
        if is_covered is not self._is_covered:
            self._is_covered = is_covered
            self._add(time_s)

    def take(self, now_s: float) -> list[Seen]:
        """Return what is new by ``now_s``, in order of time."""
        if now_s - STILL_MARGIN_S - self._last_s >= 1 / BLANK_RATE_HZ:
            self._add(now_s - STILL_MARGIN_S)
        new, self._new = self._new, []
        return new

    def _add(self, time_s: float) -> None:
        # A card's clock that is known better moves what is yet to come by a moment, never before what came.
        self._last_s = max(time_s, self._last_s)
        self._new.append((self._last_s, BLACK if self._is_covered else self._picture))
