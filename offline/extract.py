"""Feature tables of a data set, by the same aligner and extractor that the live runtime drives."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.export import encoder_id, export_encoder, load_encoder
from offline.tables import TrialTable
from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.biopac import PpgRecording
from rtasmr.config import Provider
from rtasmr.dataset import DataSet
from rtasmr.errors import DataError
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.picture import Encode
from rtasmr.features.spec import SOUND_SFREQ, FeatureSpec
from rtasmr.feed import marker_chunk, pulse_chunks, stimulus_chunks
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS, n_published_frames
from rtasmr.inference import OnnxEncoder
from rtasmr.presentation_log import Clip, rating_track
from rtasmr.progress import Report
from rtasmr.types import VIDEOS, AlignedChunk, Chunk, FeatureFrame, Modality, TrialId

logger = logging.getLogger(__name__)

FILTERED_CHANNEL = 1
"""Column of the export that the published pipeline reads: CH2, band-passed 0.5-35 Hz."""

BATCH_TICKS = 64
"""Ticks whose pictures go through the encoder together."""


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


def extract_live(
    data: DataSet,
    out: Path,
    spec: FeatureSpec,
    encode: Encode,
    *,
    participants: Sequence[int] | None = None,
    videos: Sequence[str] | None = None,
    progress: Report | None = None,
) -> list[Path]:
    """Write the ``live`` feature table of every trial to ``out/trials`` and return the paths.

    Sound and picture of a stimulus are computed once and shared by all participants.

    Parameters
    ----------
    data : DataSet
    out : Path
    spec : FeatureSpec
        The ``live`` set with the encoder's hash.
    encode : callable
        Image encoder, (n, 224, 224, 3) uint8 to (n, 512) float32.
    participants, videos : sequence or None
        Restrict to these; None takes all.
    progress : callable or None
        Called with what is being done and the share done, 0 to 1.

    Raises
    ------
    DataError
        If a participant or video is not in the set, or not one trial could be extracted.
    """
    trials = _chosen_trials(data, participants, videos)
    wanted_videos = sorted({trial.video for trial in trials})
    n_steps = len(wanted_videos) + len({trial.participant for trial in trials})
    done = 0

    def report(what: str) -> None:
        if progress is not None:
            progress(what, done / max(1, n_steps))

    stimuli: dict[str, Frames] = {}
    for video in wanted_videos:
        report(f"sound and picture of {video}")
        try:
            stimuli[video] = stimulus_frames(data.stimulus(video), spec, encode)
        except DataError as error:
            logger.warning("skipping %s: %s", video, error)
        done += 1
    paths: list[Path] = []
    for participant in sorted({trial.participant for trial in trials}):
        report(f"pulse of participant {participant:03d}")
        paths += _extract_participant(data, participant, stimuli, out, spec)
        done += 1
    report("done")
    if not paths:
        raise DataError(f"{data.root} gave not one complete trial. Run 'offline check {data.root}'.")
    _write_description(out, data, spec, len(paths))
    return paths


def extract_with_encoder(
    data: DataSet,
    out: Path,
    weights: str,
    *,
    participants: Sequence[int] | None = None,
    videos: Sequence[str] | None = None,
    provider: Provider = "auto",
    progress: Report | None = None,
) -> list[Path]:
    """Write the ``live`` tables with an image encoder named by its weights.

    The encoder is exported once to ``out/models``, where training and the runtime find it.

    Parameters
    ----------
    weights : str
        ``imagenet``, ``random:SEED`` or a file; see `models.resnet.load_resnet18`.
    provider : str
        ``auto``, ``cuda`` or ``cpu``.
    data, out, participants, videos, progress
        As in `extract_live`.

    Raises
    ------
    RtasmrError
        If the weights are not to be had, or nothing could be extracted.
    """
    network = load_encoder(weights)
    folder = out / "models" / encoder_id(network)
    if not folder.exists():
        folder = export_encoder(network, out / "models")
    encoder = OnnxEncoder.load(folder, provider, intra_op_threads=os.cpu_count() or 1)
    spec = FeatureSpec(encoder_sha256=encoder.weights_sha256)
    return extract_live(
        data, out, spec, encoder.encode, participants=participants, videos=videos, progress=progress
    )


def _chosen_trials(
    data: DataSet, participants: Sequence[int] | None, videos: Sequence[str] | None
) -> list[TrialId]:
    """Return the trials of these participants and videos; a name that fits none is an error."""
    for participant in participants or ():
        data.log(participant)  # raises, and says which there are
    unknown = sorted(set(videos or ()) - set(VIDEOS))
    if unknown:
        raise DataError(f"expected clips {VIDEOS[0]} to {VIDEOS[-1]}, got {', '.join(unknown)}; correct them")
    return [
        trial
        for trial in data.trials()
        if (participants is None or trial.participant in participants)
        and (videos is None or trial.video in videos)
    ]


def _extract_participant(
    data: DataSet, participant: int, stimuli: dict[str, Frames], out: Path, spec: FeatureSpec
) -> list[Path]:
    log = data.log(participant)
    try:
        recording = data.ppg(participant)
    except DataError as error:
        logger.warning("participant %03d goes without pulse: %s", participant, error)
        recording = None
    for note in () if recording is None else recording.notes:
        logger.warning("%s", note)
    paths = []
    for clip in log.clips:
        if clip.video not in stimuli:
            continue
        frames = stimuli[clip.video]
        n_ticks = WARMUP_TICKS + n_published_frames(clip.duration_s)
        if len(frames.values) < n_ticks:
            logger.warning(
                "skipping %03d_%s: the stimulus gives %d ticks, the clip needs %d",
                participant,
                clip.video,
                len(frames.values),
                n_ticks,
            )
            continue
        values, valid = frames.values[:n_ticks].copy(), frames.valid[:n_ticks].copy()
        if recording is not None and clip.start_s < recording.stop_s:
            pulse = pulse_frames(recording, clip, spec)
            column = spec.columns(Modality.PPG)
            values[:, column], valid[:, column] = (
                pulse.values[:n_ticks, column],
                pulse.valid[:n_ticks, column],
            )
        table = TrialTable(
            trial=TrialId(participant, clip.video),
            values=values[WARMUP_TICKS:],
            valid=valid[WARMUP_TICKS:],
            rating=rating_track(log, clip),
            preroll_values=values[:WARMUP_TICKS],
            preroll_valid=valid[:WARMUP_TICKS],
            spec=spec,
            simulated=data.is_simulated,
        )
        paths.append(table.save(out))
    return paths


def stimulus_frames(path: Path, spec: FeatureSpec, encode: Encode) -> Frames:
    """Return the sound and picture features of one stimulus file, one row per tick from its start."""
    aligner = Aligner(spec)
    aligner.add_stream(Modality.SOUND, ModalityFormat(sfreq=SOUND_SFREQ))
    aligner.add_stream(Modality.PICTURE, ModalityFormat())
    extractor = FeatureExtractor(spec, encode)
    return _collect(aligner, extractor, stimulus_chunks(path, label="clip"))


def pulse_frames(recording: PpgRecording, clip: Clip, spec: FeatureSpec) -> Frames:
    """Return the pulse feature of one clip of a recording, one row per tick from the clip's start."""
    aligner = Aligner(spec)
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=recording.sfreq))
    extractor = FeatureExtractor(spec, _no_pictures, recording.sfreq, ppg_filtered=True)
    # The frames depend on nothing before the clip: the segment resets filter and normaliser.
    first = max(0, round((clip.start_s - recording.start_s - 1.0) * recording.sfreq))
    last = round((clip.start_s + clip.duration_s - recording.start_s + 1.0) * recording.sfreq)
    chunks = [
        marker_chunk(clip.start_s, "clip_start clip"),
        marker_chunk(clip.start_s + clip.duration_s, "clip_end clip"),
        *pulse_chunks(
            recording.samples[first:last, FILTERED_CHANNEL],
            recording.sfreq,
            recording.start_s + first / recording.sfreq,
        ),
    ]
    return _collect(aligner, extractor, chunks)


def _collect(aligner: Aligner, extractor: FeatureExtractor, chunks: Iterable[Chunk]) -> Frames:
    """Drive chunks through the core and return the frames of the one labelled segment."""
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
        take(aligner.pop_ready(now=-np.inf), BATCH_TICKS)
    take(aligner.finish(until + 1 / FRAME_RATE_HZ), 1)
    rows = [frame for frame in frames if frame.segment.label]
    return Frames(np.stack([r.values for r in rows]), np.stack([r.valid for r in rows]))


def _no_pictures(_images: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("a pulse has no pictures to encode")


def _write_description(out: Path, data: DataSet, spec: FeatureSpec, n_trials: int) -> None:
    """Say beside the tables what they are."""
    content = {
        "feature_set": spec.set_name,
        "version": spec.version,
        "fingerprint": spec.fingerprint,
        "parameters": dict(spec.parameters),
        "encoder_sha256": spec.encoder_sha256,
        "trials": n_trials,
        "simulated": data.is_simulated,
        "data": data.root.name,
    }
    (out / "features.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
