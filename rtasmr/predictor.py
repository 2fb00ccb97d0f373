"""Frames in, one prediction per tick out: window, look-ahead and status in one place.

The model is asked from outside: what needs an answer is a generator that yields `Question` and is sent the
answer. One predictor answers its own at once; those of many viewers are collected and answered together.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import FeatureFrame, Modality, Prediction, Segment, Status, Step
from rtasmr.window import FrameWindow

T = TypeVar("T")


class TingleModel(Protocol):
    """What is needed of a model: a probability for every frame of a window."""

    def predict(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return probabilities of shape (n_frames,) for inputs of shape (n_frames, n_features).

        Or, from a model that knows its uncertainty, an array of shape (n_frames, 4): probability, ends of
        its band, and distance to the training (`rtasmr.types.Prediction`).
        """


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A window that wants a probability for every frame, both arrays of shape (n_frames, n_features).

    The arrays are views: they hold until the predictor that asks takes its next frame.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


Asking = Generator[Question, NDArray[np.float32], T]
"""Yields questions, is sent answers as of `TingleModel.predict`, and returns a ``T``."""


def answered(asking: Asking[T], model: TingleModel) -> T:
    """Run ``asking`` to its end, each question answered at once."""
    try:
        question = next(asking)
        while True:
            question = asking.send(model.predict(question.values, question.valid))
    except StopIteration as end:
        result: T = end.value
        return result


class Predictor:
    """Judges every tick once its look-ahead has come.

    Parameters
    ----------
    model : TingleModel
    n_features : int
    window_frames : int
        Longest window the model reads (W).
    lookahead_frames : int
        How many newer frames the model sees when it judges a tick (L).
    requires : frozenset of Modality
        Modalities without which there is no probability.
    first_tick : int
        Where the window begins in a segment: 0, or the end of the warm-up for a model that never saw one.
    """

    def __init__(
        self,
        model: TingleModel,
        n_features: int,
        *,
        window_frames: int = 200,
        lookahead_frames: int = 10,
        requires: frozenset[Modality] = frozenset(),
        first_tick: int = 0,
    ) -> None:
        if first_tick > WARMUP_TICKS:
            raise ValueError(f"expected first_tick of at most {WARMUP_TICKS}, got {first_tick}")
        self._first_tick = first_tick
        self.model = model
        self._window = FrameWindow(window_frames, n_features)
        self._lookahead = lookahead_frames
        self._requires = requires
        self._pending: deque[FeatureFrame] = deque()
        self._segment: Segment | None = None

    @property
    def n_pending(self) -> int:
        """Frames that still wait for their look-ahead."""
        return len(self._pending)

    def invalidate(self, columns: NDArray[np.intp]) -> None:
        """Have no later answer rest on these columns of the frames so far."""
        self._window.invalidate(columns)

    def push(self, frame: FeatureFrame) -> list[Step]:
        """Take the next frame; see `asking`."""
        return answered(self.asking(frame), self.model)

    def flush(self) -> list[Step]:
        """Read the waiting ticks from the final window, with the look-ahead there is."""
        return answered(self.asking_last(), self.model)

    def asking(self, frame: FeatureFrame) -> Asking[list[Step]]:
        """Take the next frame and ask what the model says of it.

        Returns
        -------
        list of Step
            The frame with the prediction that it completes; before it, where the frame opens a
            segment, the last predictions of the segment that ends.
        """
        steps = []
        if frame.segment != self._segment:
            steps = yield from self.asking_last()
            self._window.reset()
            self._segment = frame.segment
        if frame.tick >= self._first_tick:
            self._window.push(frame)
        self._pending.append(frame)
        prediction = None
        if len(self._pending) > self._lookahead:
            judged = self._pending.popleft()
            p = yield from self._probabilities([judged])
            prediction = self._prediction(judged, p, self._lookahead)
        return [*steps, Step(frame, prediction)]

    def asking_last(self) -> Asking[list[Step]]:
        """Ask for the waiting ticks: they are read from the final window, with the look-ahead there is."""
        waiting, self._pending = list(self._pending), deque()
        if not waiting:
            return []
        p = yield from self._probabilities(waiting)
        newer = range(len(waiting) - 1, -1, -1)
        return [Step(None, self._prediction(frame, p, n)) for frame, n in zip(waiting, newer, strict=True)]

    def _probabilities(self, judged: Iterable[FeatureFrame]) -> Asking[NDArray[np.float32] | None]:
        """Ask for the window if any of the judged ticks may have a probability."""
        if all(self._status(frame) is not Status.OK for frame in judged):
            return None
        return (yield Question(self._window.values, self._window.valid))

    def _status(self, frame: FeatureFrame) -> Status:
        return tick_status(frame.tick, frame.status, self._requires)

    def _prediction(self, frame: FeatureFrame, p: NDArray[np.float32] | None, lookahead: int) -> Prediction:
        status = self._status(frame)
        said = [math.nan]
        if p is not None and status is Status.OK:
            said = np.atleast_1d(p[len(p) - 1 - lookahead]).tolist()
        probability, *doubt = said
        p_low, p_high, distance = doubt or [math.nan] * 3
        used = frozenset(m for m, s in frame.status.items() if s is Status.OK)
        return Prediction(
            frame.segment,
            frame.tick,
            frame.time_s,
            probability,
            status,
            frame.status,
            used,
            lookahead,
            p_low,
            p_high,
            distance,
            frame.cause,
        )


def tick_status(
    tick: int, modality_status: Mapping[Modality, Status], requires: frozenset[Modality] = frozenset()
) -> Status:
    """Return the status of a tick from those of its modalities.

    The worst among the required ones; with none required, OK as soon as one modality is, else the
    worst of those that are there at all. The first 5 s of a segment are at best WARMUP.
    """
    if requires:
        status = max(modality_status[m] for m in requires)
    elif Status.OK in modality_status.values():
        status = Status.OK
    else:
        present = [s for s in modality_status.values() if s is not Status.ABSENT]
        status = max(present, default=Status.ABSENT)
    return max(status, Status.WARMUP) if tick < WARMUP_TICKS else status
