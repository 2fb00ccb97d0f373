"""`rtasmr run`: a recording or a stimulus file through the core, with no socket, as fast as it goes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtasmr.aligner import ModalityFormat
from rtasmr.declared import is_filtered, modality_format
from rtasmr.errors import DataError
from rtasmr.features.spec import MODALITY_NAMES, PULSE_NAMES, SOUND_SFREQ
from rtasmr.feed import reached, stimulus_chunks
from rtasmr.grid import WARMUP_TICKS
from rtasmr.marker_map import MarkerMap
from rtasmr.media import probe
from rtasmr.questions import questions_of
from rtasmr.ratings import RatingTrack
from rtasmr.recorded_features import FEATURES_NAME, RecordedFrames, frames_from_recording
from rtasmr.recorded_markers import translated
from rtasmr.recorded_samples import recorded_chunks, recorded_inputs
from rtasmr.recorded_ticks import ratings_of
from rtasmr.report import Account
from rtasmr.served import ServedModel
from rtasmr.session import Recording, is_recording, read_xdf
from rtasmr.snapshot import TickRecord
from rtasmr.types import FeatureFrame, Modality, Segment, Status, Step

NO_PERSON = "no person attached: the pulse is absent"


def run_file(path: Path, model: ServedModel, marker_map: MarkerMap | None = None) -> Account:
    """Predict for one file.

    Parameters
    ----------
    path : Path
        An XDF recording, or a video or sound file (a viewing with no person attached).
    model : ServedModel
    marker_map : MarkerMap or None
        What the markers of another program in a recording mean; see `translated`.

    Raises
    ------
    DataError
        If the file cannot be read, holds nothing to predict from, or no marker that the map knows.
    """
    if is_recording(path):
        recording = read_xdf(path)
        return _run_recording(recording if marker_map is None else translated(recording, marker_map), model)
    if marker_map is not None:
        raise DataError(f"{path}: expected an XDF recording for a marker map, got none. Leave the map out.")
    return _run_media(path, model)


def _run_media(path: Path, model: ServedModel) -> Account:
    info = probe(path)
    pipeline = model.pipeline()
    if info.has_sound:
        pipeline.add_stream(Modality.SOUND, ModalityFormat(sfreq=SOUND_SFREQ, silence_is_real=True))
    if info.has_picture:
        pipeline.add_stream(Modality.PICTURE, ModalityFormat())
    label = re.sub(r"\W+", "_", path.stem) or "clip"
    steps: list[Step] = []
    for chunk in stimulus_chunks(path, label):
        steps += pipeline.step([chunk], now=reached(chunk))
    steps += pipeline.finish(until=info.duration_s)
    records = [r for r in _records(steps, RatingTrack()) if r.label]
    account = _account(path, records, model, NO_PERSON)
    # On every picture: it is a prediction for nobody in particular.
    return replace(account, warnings=(*account.warnings, NO_PERSON))


def _run_recording(recording: Recording, model: ServedModel) -> Account:
    ratings = ratings_of(recording)
    asked = questions_of(stream.spec for stream in recording.streams)
    if any(stream.spec.name == FEATURES_NAME for stream in recording.streams):
        frames = frames_from_recording(recording)
        if frames.identity.get("fingerprint") == model.spec.fingerprint:
            steps = _judge_frames(frames, model)
            records = _records(steps, ratings)
            account = _account(recording.path, records, model, "computed from the recorded features")
            return replace(account, questions=asked)
    records = _records(_judge_samples(recording, model), ratings)
    account = _account(recording.path, records, model, "computed from the recorded samples")
    return replace(account, questions=asked)


def _account(path: Path, records: Sequence[TickRecord], model: ServedModel, note: str) -> Account:
    if not records:
        raise DataError(
            f"{path}: nothing to predict from. Record pulse, sound or picture for at least 0.2 s."
        )
    if max(record.tick for record in records) < WARMUP_TICKS:
        note += "; no probability: it ends within the warm-up"
    card = model.card
    return Account(
        source=path.name,
        note=note,
        model=card.id,
        demo=card.demo,
        threshold=card.threshold,
        warnings=tuple(card.warnings),
        records=tuple(records),
        lookahead=card.lookahead_frames,
    )


def _judge_frames(frames: RecordedFrames, model: ServedModel) -> list[Step]:
    """Run the model on frames as they were recorded live."""
    # The pulse's own columns need seconds of wave: a modality is there where all its other columns are.
    columns = {
        m: np.array([frames.names.index(n) for n in MODALITY_NAMES[m] if n not in PULSE_NAMES])
        for m in Modality
    }
    ever = {m: bool(frames.valid[:, c].any()) for m, c in columns.items()}
    segments = {s.index: s for s in frames.segments}
    predictor = model.predictor()
    steps: list[Step] = []
    for i in range(len(frames.tick)):
        valid = frames.valid[i]
        status = {
            m: Status.OK if valid[c].all() else Status.GAP if ever[m] else Status.ABSENT
            for m, c in columns.items()
        }
        segment: Segment = segments[int(frames.segment[i])]
        frame = FeatureFrame(
            segment, int(frames.tick[i]), float(frames.time_s[i]), frames.values[i], valid, status
        )
        steps += predictor.push(frame)
    return steps + predictor.flush()


def _judge_samples(recording: Recording, model: ServedModel) -> list[Step]:
    """Run the whole pipeline on recorded samples."""
    pipeline = model.pipeline()
    for modality, spec in recorded_inputs(recording).items():
        pipeline.add_stream(modality, modality_format(spec), filtered=is_filtered(spec))
    steps: list[Step] = []
    until = -math.inf
    for chunk in recorded_chunks(recording):
        until = max(until, float(chunk.times[-1]))
        steps += pipeline.step([chunk], now=reached(chunk))
    return steps + pipeline.finish(until)


def _records(steps: Sequence[Step], ratings: RatingTrack) -> list[TickRecord]:
    return [
        TickRecord.of(s.prediction, ratings.at(s.prediction.time_s, s.prediction.segment))
        for s in steps
        if s.prediction is not None
    ]
