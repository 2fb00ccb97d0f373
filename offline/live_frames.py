"""Features of the ``live`` set from files, by the same aligner and extractor that the runtime drives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.biopac import FILTERED_CHANNEL, PpgRecording
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.picture import Encode
from rtasmr.features.spec import SOUND_SFREQ, FeatureSpec
from rtasmr.feed import marker_chunk, pulse_chunks, reached, stimulus_chunks
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.media import probe
from rtasmr.presentation_log import Clip
from rtasmr.types import AlignedChunk, Chunk, FeatureFrame, Modality

BATCH_TICKS = 64
"""Ticks whose pictures go through the encoder together."""

MARGIN_S = 1.0
"""Pulse handed over around a clip; more than any look-ahead or filter asks for."""


@dataclass(frozen=True)
class Frames:
    """Features of one clip on its grid.

    Parameters
    ----------
    values : ndarray of shape (n_ticks, n_features), float32
    valid : ndarray of shape (n_ticks, n_features), bool
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


def stimulus_frames(path: Path, spec: FeatureSpec, encode: Encode) -> Frames:
    """Return the sound and picture features of one stimulus file, one row per tick from its start."""
    aligner = Aligner(spec)
    info = probe(path)
    if info.has_sound:
        aligner.add_stream(Modality.SOUND, ModalityFormat(sfreq=SOUND_SFREQ, silence_is_real=True))
    if info.has_picture:
        aligner.add_stream(Modality.PICTURE, ModalityFormat())
    extractor = FeatureExtractor(spec, encode)
    return _collect(aligner, extractor, stimulus_chunks(path, label="clip"), spec.n_features)


def pulse_frames(recording: PpgRecording, clip: Clip, spec: FeatureSpec) -> Frames:
    """Return the pulse feature of one clip of a recording, one row per tick from the clip's start.

    Fewer rows, or none, where the recording ends before the clip does.
    """
    aligner = Aligner(spec)
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=recording.sfreq))
    extractor = FeatureExtractor(spec, _no_pictures, recording.sfreq, ppg_filtered=True)
    # The frames depend on nothing before the clip: the segment resets filter and normaliser.
    first = max(0, round((clip.start_s - recording.start_s - MARGIN_S) * recording.sfreq))
    last = round((clip.stop_s - recording.start_s + MARGIN_S) * recording.sfreq)
    chunks = [
        marker_chunk(clip.start_s, "clip_start clip"),
        marker_chunk(clip.stop_s, "clip_end clip"),
        *pulse_chunks(
            recording.samples[first:last, FILTERED_CHANNEL],
            recording.sfreq,
            recording.start_s + first / recording.sfreq,
        ),
    ]
    return _collect(aligner, extractor, chunks, spec.n_features)


def _collect(
    aligner: Aligner, extractor: FeatureExtractor, chunks: Iterable[Chunk], n_features: int
) -> Frames:
    """Drive chunks through the core and return the frames of the one labelled segment."""
    rows = [frame for frame in drive(aligner, extractor, chunks) if frame.segment.label]
    return Frames(
        np.array([row.values for row in rows], dtype=np.float32).reshape(-1, n_features),
        np.array([row.valid for row in rows], dtype=np.bool_).reshape(-1, n_features),
    )


def drive(aligner: Aligner, extractor: FeatureExtractor, chunks: Iterable[Chunk]) -> list[FeatureFrame]:
    """Drive chunks, in order of their first stamps, through the core and return every frame.

    Parameters
    ----------
    aligner : Aligner
    extractor : FeatureExtractor
        Both know the streams that the chunks are of.
    chunks : iterable of Chunk
    """
    frames: list[FeatureFrame] = []
    waiting: list[AlignedChunk] = []
    until = 0.0

    def take(ready: Iterable[AlignedChunk], least: int) -> None:
        waiting.extend(ready)
        if len(waiting) >= least:
            frames.extend(extractor.update_many(waiting))
            waiting.clear()

    for chunk in chunks:
        aligner.push(chunk)
        until = max(until, float(chunk.times[-1]))
        take(aligner.pop_ready(now=reached(chunk)), BATCH_TICKS)
    take(aligner.finish(until + 1 / FRAME_RATE_HZ), 1)
    return frames


def _no_pictures(_images: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("a pulse has no pictures to encode")
