"""The model's input: the newest frames of one segment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtasmr.types import FeatureFrame


class FrameWindow:
    """The last ``n_frames`` frames; grows from the segment's start, then slides, is never padded.

    Frames are stored twice in a buffer of double length, so that the window is always one contiguous
    view and a push costs two row copies.
    """

    def __init__(self, n_frames: int, n_features: int) -> None:
        self._n_frames = n_frames
        self._values = np.full((2 * n_frames, n_features), np.nan, dtype=np.float32)
        self._valid = np.zeros((2 * n_frames, n_features), dtype=bool)
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, self._n_frames)

    def reset(self) -> None:
        """Forget all frames: a new segment begins."""
        self._count = 0

    def push(self, frame: FeatureFrame) -> None:
        """Append one frame."""
        slot = self._count % self._n_frames
        for row in (slot, slot + self._n_frames):
            self._values[row] = frame.values
            self._valid[row] = frame.valid
        self._count += 1

    def invalidate(self, columns: NDArray[np.intp]) -> None:
        """Make these columns of all frames invalid: what they hold has turned out to be wrong."""
        self._values[:, columns] = np.nan
        self._valid[:, columns] = False

    @property
    def values(self) -> NDArray[np.float32]:
        """Values, shape (len(self), n_features), oldest first; NaN where not valid."""
        return self._values[self._span()]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Validity, shape (len(self), n_features)."""
        return self._valid[self._span()]

    def _span(self) -> slice:
        if self._count <= self._n_frames:
            return slice(0, self._count)
        start = self._count % self._n_frames
        return slice(start, start + self._n_frames)
