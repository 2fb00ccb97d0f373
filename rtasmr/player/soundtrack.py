"""The sound of one clip, decoded ahead into the queue of the card."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rtasmr.errors import DataError
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.player.decoding import SoundBlock, sound_ahead
from rtasmr.player.sound import PlayQueue

QUEUE_AHEAD_S = 1.0
"""Sound handed to the card's queue ahead of its time."""


class SoundTrack:
    """Sound of one file; use it as a context manager.

    Parameters
    ----------
    file : Path
    queue : PlayQueue
        New, and the one that the card plays.
    zero_s : float
        Position on the card, in seconds, at which the file begins: that of a sample.
    """

    def __init__(self, file: Path, queue: PlayQueue, zero_s: float) -> None:
        self.queue = queue
        self._first = round(zero_s * SOUND_SFREQ)
        self._end_s = 0.0
        self._is_decoded = False
        self._blocks = sound_ahead(file)

    def __enter__(self) -> SoundTrack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.close()

    @property
    def is_decoded(self) -> bool:
        """Whether there is nothing more in the file."""
        return self._is_decoded

    @property
    def end_s(self) -> float:
        """Position in the file up to which it is decoded, in seconds."""
        return self._end_s

    def hold(self, is_held: bool) -> None:
        """Play silence in place of what comes next, or go on with it."""
        self.queue.is_held = is_held

    def decode(self, position_s: float, stop_s: float) -> None:
        """Queue about a second of what follows ``position_s``, nothing from ``stop_s`` on (file, seconds).

        Raises
        ------
        DataError
            If the file is damaged there; what came before is played.
        """
        try:
            while not self._is_decoded and self._blocks.is_ready:
                if self._end_s - position_s > QUEUE_AHEAD_S:
                    return
                self._push(next(self._blocks), stop_s)
        except StopIteration:
            self._is_decoded = True
        except DataError:
            self._is_decoded = True
            raise

    def _push(self, block: SoundBlock, stop_s: float) -> None:
        n_samples = max(0, round(stop_s * SOUND_SFREQ) - block.first)
        self._end_s = block.stop_s
        self.queue.push(self._first + block.first, block.samples[:n_samples])
