"""Stamps within a tick, read from a clock that the caller owns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtasmr.features.picture import Encode


class TickTimer:
    """A clock for the pipeline, and the share of a tick that goes to the image encoder.

    The core has no clock of its own: a live run hands one in, a recording is read without.

    Parameters
    ----------
    clock : callable
        Seconds on any steady clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._encoder_s = 0.0

    def timed(self, encode: Encode) -> Encode:
        """Return ``encode`` so that the time it takes is noted."""

        def timed_encode(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            begin = self.clock()
            features = encode(images)
            self._encoder_s += self.clock() - begin
            return features

        return timed_encode

    def take_encoder_s(self) -> float:
        """Return the seconds spent in the encoder since the last call."""
        seconds, self._encoder_s = self._encoder_s, 0.0
        return seconds
