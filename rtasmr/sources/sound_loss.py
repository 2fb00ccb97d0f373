"""How many samples a sound card lost, from when its blocks end."""

from __future__ import annotations

import math

JITTER_S = 0.1
"""The end of a block is told this exactly on a busy machine; what is missing beyond it was lost."""

DRIFT = 1e-3
"""Largest difference between the card's clock and that of LSL, in seconds per second."""


class LossWatch:
    """Compares the ends of blocks with the samples counted. No clock here: the ends are arguments.

    A delay may hide the true end of a block by some tens of milliseconds, never make it earlier: the least
    difference of end and count, which drifts as slowly as two clocks do, says where the next block ends.

    Parameters
    ----------
    sfreq : float
        Rate of the card in Hz.
    """

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        self._n_samples = 0
        self._least = math.inf

    def lost_before(self, n_samples: int, end: float, *, is_flagged: bool = False) -> int:
        """Take a block; return how many samples are missing before it.

        Parameters
        ----------
        n_samples : int
            Length of the block.
        end : float
            LSL time of its last sample in seconds.
        is_flagged : bool
            Whether the card says that samples are missing: then less than `JITTER_S` counts, too.
        """
        self._n_samples += n_samples
        ahead_s = end - self._n_samples / self._sfreq
        missing_s = ahead_s - self._least
        if missing_s > (0.0 if is_flagged else JITTER_S):
            n_lost = round(missing_s * self._sfreq)
            self._n_samples += n_lost
            return n_lost
        self._least = min(ahead_s, self._least + DRIFT * n_samples / self._sfreq)
        return 0
