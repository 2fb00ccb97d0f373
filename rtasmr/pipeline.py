"""The flow from chunks to predictions, top to bottom. Owns no clock, no thread and no socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import AlignedChunk, Chunk, FeatureFrame, Modality, Prediction, Segment, Status, Step
from rtasmr.window import FrameWindow


class TingleModel(Protocol):
    """What the pipeline needs of a model: a probability for every frame of a window."""

    def predict(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return probabilities of shape (n_frames,) for inputs of shape (n_frames, n_features)."""


class Pipeline:
    """Chunks in, steps out.

    Parameters
    ----------
    aligner, extractor
        Lay chunks on the grid; turn a tick's samples into features.
    model : TingleModel or None
        None computes features only.
    window_frames : int
        Longest window the model reads (W).
    lookahead_frames : int
        How many newer frames the model sees when it judges a tick (L).
    requires : frozenset of Modality
        Modalities without which there is no probability.
    """

    def __init__(
        self,
        aligner: Aligner,
        extractor: FeatureExtractor,
        spec: FeatureSpec,
        model: TingleModel | None,
        *,
        window_frames: int = 200,
        lookahead_frames: int = 10,
        requires: frozenset[Modality] = frozenset(),
    ) -> None:
        self.aligner = aligner
        self._extractor = extractor
        self._model = model
        self._window = FrameWindow(window_frames, spec.n_features)
        self._lookahead = lookahead_frames
        self._requires = requires
        self._pending: deque[FeatureFrame] = deque()
        self._segment: Segment | None = None

    def add_stream(self, modality: Modality, stream: ModalityFormat, *, filtered: bool = True) -> None:
        """Expect data of ``modality``; ``filtered`` says whether a pulse is band-passed already."""
        self.aligner.add_stream(modality, stream)
        if modality is Modality.PPG:
            self._extractor.set_ppg(stream.sfreq, filtered)

    @property
    def n_pending(self) -> int:
        """Frames that still wait for their look-ahead."""
        return len(self._pending)

    def step(self, chunks: Iterable[Chunk], now: float) -> list[Step]:
        """Advance to ``now`` (seconds on the session clock).

        Returns
        -------
        list of Step
            New frames in order, each with the prediction that it completes; the last predictions of
            a segment come without a frame.
        """
        for chunk in chunks:
            self.aligner.push(chunk)
        return self._run(self.aligner.pop_ready(now))

    def finish(self, until: float) -> list[Step]:
        """Serve the remaining ticks before ``until`` and the predictions that still wait."""
        steps = self._run(self.aligner.finish(until))
        steps += self.flush()
        return steps

    def flush(self) -> list[Step]:
        """Read the waiting ticks from the final window, with the look-ahead there is."""
        waiting, self._pending = list(self._pending), deque()
        if not waiting:
            return []
        p = self._probabilities(waiting)
        newer = range(len(waiting) - 1, -1, -1)
        return [Step(None, self._prediction(frame, p, n)) for frame, n in zip(waiting, newer, strict=True)]

    def _run(self, aligned_chunks: Iterable[AlignedChunk]) -> list[Step]:
        steps: list[Step] = []
        for aligned in aligned_chunks:
            if aligned.segment != self._segment:
                steps += self.flush()
                self._window.reset()
                self._segment = aligned.segment
            frame = self._extractor.update(aligned)
            self._window.push(frame)
            self._pending.append(frame)
            prediction = None
            if len(self._pending) > self._lookahead:
                judged = self._pending.popleft()
                prediction = self._prediction(judged, self._probabilities([judged]), self._lookahead)
            steps.append(Step(frame, prediction))
        return steps

    def _probabilities(self, judged: Iterable[FeatureFrame]) -> NDArray[np.float32] | None:
        """Run the model on the window if any of the judged ticks may have a probability."""
        if self._model is None or all(self._status(frame) is not Status.OK for frame in judged):
            return None
        return self._model.predict(self._window.values, self._window.valid)

    def _status(self, frame: FeatureFrame) -> Status:
        return tick_status(frame.tick, frame.status, self._requires)

    def _prediction(self, frame: FeatureFrame, p: NDArray[np.float32] | None, lookahead: int) -> Prediction:
        status = self._status(frame)
        probability = float("nan")
        if p is not None and status is Status.OK:
            probability = float(p[len(p) - 1 - lookahead])
        used = frozenset(m for m, s in frame.status.items() if s is Status.OK)
        return Prediction(
            frame.segment, frame.tick, frame.time_s, probability, status, frame.status, used, lookahead
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
