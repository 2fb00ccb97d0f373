"""The flow from chunks to predictions, top to bottom. Owns no clock, no thread and no socket."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.predictor import Asking, Predictor, answered
from rtasmr.timing import TickTimer
from rtasmr.types import AlignedChunk, Chunk, Modality, Step, TickTiming


class Pipeline:
    """Chunks in, steps out.

    Parameters
    ----------
    aligner : Aligner
        Lays chunks on the grid.
    extractor : FeatureExtractor
        Turns a tick's samples into a feature frame.
    predictor : Predictor
        Turns frames into one prediction per tick.
    timer : TickTimer, optional
        Stamps every tick's parts; without it, steps carry no timing.
    """

    def __init__(
        self,
        aligner: Aligner,
        extractor: FeatureExtractor,
        predictor: Predictor,
        timer: TickTimer | None = None,
    ) -> None:
        self.aligner = aligner
        self._extractor = extractor
        self._predictor = predictor
        self._timer = timer

    @property
    def n_pending(self) -> int:
        """Frames that still wait for their look-ahead."""
        return self._predictor.n_pending

    def add_stream(self, modality: Modality, stream: ModalityFormat, *, filtered: bool = True) -> None:
        """Expect data of ``modality``; ``filtered`` says whether a pulse is band-passed already."""
        self.aligner.add_stream(modality, stream)
        if modality is Modality.PPG:
            self._extractor.set_ppg(stream.sfreq, filtered)

    def refuse_stream(self, modality: Modality) -> None:
        """Take no more data of ``modality``, and let the model look back on none of those that were taken."""
        self.aligner.refuse_stream(modality)
        self._predictor.invalidate(self._extractor.columns[modality])

    def step(self, chunks: Iterable[Chunk], now: float, max_ticks: int | None = None) -> list[Step]:
        """Advance to ``now``; see `asking`."""
        return answered(self.asking(chunks, now, max_ticks), self._predictor.model)

    def finish(self, until: float) -> list[Step]:
        """Serve the remaining ticks before ``until`` and the predictions that still wait."""
        began = math.nan if self._timer is None else self._timer.clock()
        steps = answered(self._run(self.aligner.finish(until), began), self._predictor.model)
        return [*steps, *self.flush()]

    def flush(self) -> list[Step]:
        """Serve the predictions that still wait, with the look-ahead there is."""
        return self._predictor.flush()

    def asking(self, chunks: Iterable[Chunk], now: float, max_ticks: int | None = None) -> Asking[list[Step]]:
        """Advance to ``now``, but by ``max_ticks`` at most; the rest comes with the next calls.

        What the model is to judge is yielded, so that whoever drives several pipelines may ask for all of
        them at once.

        Parameters
        ----------
        chunks : iterable of Chunk
        now : float
            Seconds on the session clock; ``-inf`` waits for late streams for ever.
        max_ticks : int or None
            None serves every tick that is ready.

        Returns
        -------
        list of Step
            New frames in order, each with the prediction that it completes; the last predictions of
            a segment come without a frame.
        """
        began = math.nan if self._timer is None else self._timer.clock()
        for chunk in chunks:
            self.aligner.push(chunk)
        return (yield from self._run(itertools.islice(self.aligner.pop_ready(now), max_ticks), began))

    def _run(self, aligned_chunks: Iterable[AlignedChunk], began: float) -> Asking[list[Step]]:
        steps: list[Step] = []
        for aligned in aligned_chunks:
            if self._timer is None:
                steps += yield from self._predictor.asking(self._extractor.update(aligned))
            else:
                steps += yield from self._timed_tick(aligned, self._timer, began)
        return steps

    def _timed_tick(self, aligned: AlignedChunk, timer: TickTimer, began: float) -> Asking[list[Step]]:
        start = timer.clock()
        frame = self._extractor.update(aligned)
        featured = timer.clock()
        *earlier, step = yield from self._predictor.asking(frame)
        timing = TickTiming(began, start, featured, timer.clock(), timer.take_encoder_s())
        return [*earlier, replace(step, timing=timing)]
