"""A lab's own sessions as trials: the clips of a recording become tables like those of the data set.

The clips carry the names of the data set's, ``vid1`` to ``vid4`` for ASMR and ``vid5`` to ``vid8`` for
nature, or are given one of these: labels and splits rest on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.cache import FeatureCache, default_cache_folder
from offline.encoders import provide_encoder
from offline.feature_sets import check_set_name, feature_spec
from offline.live_frames import drive
from offline.table_folder import TableFolder
from offline.tables import TrialTable
from rtasmr.aligner import Aligner
from rtasmr.config import Provider
from rtasmr.declared import is_filtered, is_simulated, modality_format
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.picture import Encode
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.inference import OnnxEncoder
from rtasmr.marker_map import MarkerMap
from rtasmr.questions import Question, question_of, questions_of
from rtasmr.recorded_features import FEATURES_NAME, frames_from_recording
from rtasmr.recorded_markers import translated
from rtasmr.recorded_samples import recorded_chunks, recorded_inputs
from rtasmr.recorded_ticks import ratings_of
from rtasmr.session import Recording, read_xdf
from rtasmr.snapshot import NO_RATING
from rtasmr.types import VIDEOS, Modality, Segment, TrialId

MIN_FRAMES = 100
"""Published frames of a clip that can be learned from: 10 s behind the warm-up."""

_NUMBER = re.compile(r"\D*(\d{1,6})\D*")


@dataclass(frozen=True)
class Naming:
    """How clips and people of recordings are called among the trials.

    Parameters
    ----------
    clips : mapping of str to str
        A clip's name in the recording to that of a clip of the data set.
    marker_map : MarkerMap or None
        What the markers of another program mean, for recordings that hold no clip of ours.
    people : mapping of str to int
        The number of a participant, by code, where the code holds none.
    number_from : int
        Added to the number in a participant's code, so that a lab's people stand beside those of a data set.

    Raises
    ------
    ConfigError
        If a clip is given a name that none of the data set has.
    """

    clips: Mapping[str, str] = field(default_factory=dict)
    marker_map: MarkerMap | None = None
    people: Mapping[str, int] = field(default_factory=dict)
    number_from: int = 0

    def __post_init__(self) -> None:
        for name, video in self.clips.items():
            if video not in VIDEOS:
                raise ConfigError(
                    f"clip {name!r}: expected vid1 to vid8 (ASMR: vid1 to vid4), got {video!r}. Correct it."
                )

    def participant(self, recording: Recording) -> int:
        """Return the number of the person of a recording; `DataError` where the code has none."""
        code = recording.header.get("participant", "")
        if code in self.people:
            return self.people[code]
        match = _NUMBER.fullmatch(code)
        if match is None:
            raise DataError(
                f"{recording.path.name}: expected a participant code with one number, such as 021 or p21, "
                f"got {code!r}; give it one with --person {code or 'CODE'}=101"
            )
        return self.number_from + int(match[1])


@dataclass(frozen=True, eq=False)
class _Clip:
    """The frames of one segment: values and validity (n_ticks, n_features), times (n_ticks,)."""

    segment: Segment
    tick: NDArray[np.int64]
    time_s: NDArray[np.float64]
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


def recorded_tables(
    path: Path, spec: FeatureSpec, encode: Encode, naming: Naming
) -> tuple[list[TrialTable], list[str]]:
    """Return the trials of one recording, and a note on every clip that is none.

    Features that were recorded with the run are taken as they are; without any they are computed from the
    recorded samples, by the code that runs live.

    Parameters
    ----------
    path : Path
        XDF file, of ours or of LabRecorder.
    spec : FeatureSpec
    encode : callable
        Image encoder, for recordings without features.
    naming : Naming

    Raises
    ------
    DataError
        If the file cannot be read, names nobody, or holds features of another set and too little to compute
        these from.
    """
    recording = read_xdf(path)
    participant = naming.participant(recording)
    clips = _recorded_clips(recording, spec)
    if naming.marker_map is not None and not any(clip.segment.label for clip in clips):
        recording, clips = translated(recording, naming.marker_map), []
    notes: list[str] = []
    if not clips:
        clips = _computed_clips(recording, spec, encode, notes)
    ratings = ratings_of(recording)
    stated = questions_of(stream.spec for stream in recording.streams)
    simulated = any(is_simulated(stream.spec) for stream in recording.streams)
    tables: dict[TrialId, TrialTable] = {}
    for clip in clips:
        label = clip.segment.label
        if not label:
            continue
        rating = np.array([ratings.at(t, clip.segment) for t in clip.time_s.tolist()], dtype=np.int8)
        trial = TrialId(participant, naming.clips.get(label, label))
        asked = stated.get(label, question_of(trial.video))
        obstacle = _obstacle(clip, trial, rating, asked, trial in tables)
        if obstacle:
            notes.append(f"{path.name}: clip {label!r} is left out: {obstacle}")
            continue
        tables[trial] = TrialTable(
            trial=trial,
            values=clip.values[WARMUP_TICKS:],
            valid=clip.valid[WARMUP_TICKS:],
            rating=rating[WARMUP_TICKS:],
            preroll_values=clip.values[:WARMUP_TICKS],
            preroll_valid=clip.valid[:WARMUP_TICKS],
            spec=spec,
            simulated=simulated,
        )
    return list(tables.values()), notes


def extract_recordings(
    paths: Sequence[Path],
    out: Path,
    set_name: str,
    encoder_weights: str,
    naming: Naming,
    *,
    provider: Provider = "auto",
    cache_folder: Path | None = None,
) -> tuple[list[Path], list[str]]:
    """Write the tables of recordings, with the image encoder beside them, as `extract_features` does.

    Parameters
    ----------
    paths, out, naming
        See `add_recordings`.
    set_name, encoder_weights, provider, cache_folder
        See `offline.extract.extract_features`; the set must be one that streams can give.

    Raises
    ------
    RtasmrError
        If the set or the encoder cannot be had; and as `add_recordings`.
    """
    name = check_set_name(set_name)
    if not feature_spec(name, "").causal:
        raise ConfigError(
            f"--set: expected a set that streams give for recordings, live or live+ppg, got {set_name!r}"
        )
    cache = FeatureCache(cache_folder or default_cache_folder())
    encoder = OnnxEncoder.load(provide_encoder(encoder_weights, out / "models", cache), provider)
    spec = feature_spec(name, encoder.weights_sha256)
    return add_recordings(paths, out, spec, encoder.encode, naming)


def add_recordings(
    paths: Sequence[Path], out: Path, spec: FeatureSpec, encode: Encode, naming: Naming
) -> tuple[list[Path], list[str]]:
    """Write the tables of several recordings to ``out/trials``, beside those that are there.

    Returns
    -------
    paths : list of Path
        The tables.
    notes : list of str
        Clips that were left out, and why.

    Raises
    ------
    DataError
        If a trial is there already from another source, or not one was found; and as `recorded_tables`.
    ConfigError
        If ``out`` holds tables of another set.
    """
    found: dict[TrialId, tuple[TrialTable, Path]] = {}
    notes: list[str] = []
    for path in paths:
        tables, told = recorded_tables(path, spec, encode, naming)
        notes += told
        for table in tables:
            if table.trial in found:
                raise _taken(table.trial, path, found[table.trial][1].name)
            found[table.trial] = (table, path)
    if not found:
        raise DataError(f"not one trial in {len(paths)} recordings ({next(iter(notes), 'no clip')})")
    folder = TableFolder.open(out, spec, found)
    for trial, (_, path) in found.items():
        if folder.path(trial).exists() and (holder := folder.recording(trial)) != path.name:
            raise _taken(trial, path, holder or "the data set")
    written = [folder.save(table, table.digest, recording=path.name) for table, path in found.values()]
    simulated = any(table.simulated for table, _ in found.values())
    folder.close(", ".join(path.name for path in paths), simulated, notes)
    return written, notes


def _recorded_clips(recording: Recording, spec: FeatureSpec) -> list[_Clip]:
    """Return the clips whose features were recorded; none without features of this set."""
    if not any(stream.spec.name == FEATURES_NAME for stream in recording.streams):
        return []
    frames = frames_from_recording(recording)
    if (frames.identity.get("fingerprint"), frames.names) != (spec.fingerprint, spec.names):
        missing = [m for m in Modality if m not in recorded_inputs(recording)]
        if missing:
            found = f"'{frames.identity.get('feature_set')}' {frames.identity.get('fingerprint', '')[:12]}"
            raise DataError(
                f"{recording.path.name}: expected features of set '{spec.set_name}' {spec.fingerprint[:12]}, "
                f"got {found}, and no recorded {' and '.join(missing)} to compute them from; name the --set "
                "and --encoder of the run, or record with --record-raw"
            )
        return []
    clips = []
    for segment in frames.segments:
        rows = frames.segment == segment.index
        clips.append(
            _Clip(segment, frames.tick[rows], frames.time_s[rows], frames.values[rows], frames.valid[rows])
        )
    return clips


def _computed_clips(recording: Recording, spec: FeatureSpec, encode: Encode, notes: list[str]) -> list[_Clip]:
    """Return the clips of a recording of samples, driven through the aligner and the extractor."""
    inputs = recorded_inputs(recording)
    if not inputs:
        raise DataError(f"{recording.path.name}: expected pulse, sound or pictures, got none; record them")
    aligner, extractor = Aligner(spec), FeatureExtractor(spec, encode)
    for modality, stream in inputs.items():
        aligner.add_stream(modality, modality_format(stream))
        if modality is Modality.PPG:
            extractor.set_ppg(stream.sfreq, is_filtered(stream))
    notes += [
        f"{recording.path.name}: no {modality} was recorded; it is marked invalid"
        for modality in Modality
        if modality not in inputs
    ]
    by_segment: dict[int, list[int]] = {}
    frames = drive(aligner, extractor, recorded_chunks(recording))
    for i, frame in enumerate(frames):
        by_segment.setdefault(frame.segment.index, []).append(i)
    return [
        _Clip(
            frames[rows[0]].segment,
            np.array([frames[i].tick for i in rows]),
            np.array([frames[i].time_s for i in rows]),
            np.stack([frames[i].values for i in rows]),
            np.stack([frames[i].valid for i in rows]),
        )
        for rows in by_segment.values()
    ]


def _obstacle(clip: _Clip, trial: TrialId, rating: NDArray[np.int8], asked: Question, is_again: bool) -> str:
    """Say why a clip is no trial; empty where it is one."""
    if trial.video not in VIDEOS:
        return f"it is none of {', '.join(VIDEOS)}; give it one of these names with --clip-name"
    if is_again:
        return f"{trial.video} was shown before; the first showing counts"
    if not np.array_equal(clip.tick, np.arange(len(clip.tick))):
        return "ticks of it are missing"
    if len(clip.tick) < WARMUP_TICKS + MIN_FRAMES:
        return f"it lasts {len(clip.tick) / FRAME_RATE_HZ:g} s; 15 s are needed"
    if trial.is_asmr and asked is not Question.TINGLING:
        return f"its ratings are of {asked.value}, not of tingling"
    if (rating == NO_RATING).any():
        return "the recording has no stream of ratings, rtasmr-rating or markers 'rating=0' to 'rating=3'"
    return ""


def _taken(trial: TrialId, path: Path, holder: str) -> DataError:
    return DataError(
        f"{path.name}: expected trial {trial} once, it is there from {holder}; record under another "
        "participant code, or set the lab's numbers apart with --number-from"
    )
