"""The flow from chunks to predictions, top to bottom. Owns no clock, no thread and no socket."""

from __future__ import annotations

from collections.abc import Iterable

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.predictor import Predictor
from rtasmr.types import AlignedChunk, Chunk, Modality, Step


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
    """

    def __init__(self, aligner: Aligner, extractor: FeatureExtractor, predictor: Predictor) -> None:
        self.aligner = aligner
        self._extractor = extractor
        self._predictor = predictor

    @property
    def n_pending(self) -> int:
        """Frames that still wait for their look-ahead."""
        return self._predictor.n_pending

    def add_stream(self, modality: Modality, stream: ModalityFormat, *, filtered: bool = True) -> None:
        """Expect data of ``modality``; ``filtered`` says whether a pulse is band-passed already."""
        self.aligner.add_stream(modality, stream)
        if modality is Modality.PPG:
            self._extractor.set_ppg(stream.sfreq, filtered)

    def step(self, chunks: Iterable[Chunk], now: float) -> list[Step]:
        """Advance to ``now`` (seconds on the session clock; ``-inf`` waits for late streams for ever).

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
        return [*self._run(self.aligner.finish(until)), *self.flush()]

    def flush(self) -> list[Step]:
        """Serve the predictions that still wait, with the look-ahead there is."""
        return self._predictor.flush()

    def _run(self, aligned_chunks: Iterable[AlignedChunk]) -> list[Step]:
        steps: list[Step] = []
        for aligned in aligned_chunks:
            frame = self._extractor.update(aligned)
            steps += self._predictor.push(frame)
        return steps
