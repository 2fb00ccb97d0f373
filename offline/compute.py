"""Computing one unit of feature work."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from offline.cache import Entry
from offline.feature_sets import picture_parameters
from offline.film_entry import film_entry
from offline.live_frames import pulse_frames, stimulus_frames
from offline.paper_pictures import paper_pictures
from offline.paper_pulse import paper_pulse, pulse_notes
from offline.paper_sound import paper_sound
from offline.units import STIMULUS, Kind, Unit
from rtasmr.biopac import FILTERED_CHANNEL, PpgRecording, read_ppg
from rtasmr.config import Provider
from rtasmr.features.picture import Encode
from rtasmr.flat_pulse import saturation
from rtasmr.grid import WARMUP_TICKS, n_published_frames
from rtasmr.inference import OnnxEncoder


def compute(unit: Unit, encoder_folder: Path, provider: Provider) -> Entry:
    """Return the arrays of a unit, one row per tick from `Unit.first_tick`, NaN where invalid, and its notes.

    One array of shape (n_rows, n_columns) for a stimulus, one per clip for a pulse. Rows are missing where
    the file ends early, the array where it holds nothing of a clip. Notes do not name the file.

    Parameters
    ----------
    unit : Unit
    encoder_folder : Path
        The image encoder, as exported.
    provider : {"auto", "cuda", "cpu"}
        Where the encoder runs.

    Raises
    ------
    RtasmrError
        The file cannot be used, or the encoder cannot run.
    """
    # One thread: work is spread over units, and the rounding of a matrix product hangs on how many share it.
    with threadpool_limits(1):
        return _compute(unit, encoder_folder, provider)


def _compute(unit: Unit, encoder_folder: Path, provider: Provider) -> Entry:
    match unit.kind:
        case Kind.PAPER_PICTURE:
            parameters = picture_parameters(unit.spec.set_name)
            encode = _encoder(encoder_folder, provider)
            return Entry({STIMULUS: paper_pictures(unit.path, unit.n_frames, parameters, encode)})
        case Kind.PAPER_SOUND:
            return Entry({STIMULUS: paper_sound(unit.path, unit.n_frames)})
        case Kind.PAPER_PULSE:
            return _paper_pulse(unit)
        case Kind.LIVE_STIMULUS:
            frames = stimulus_frames(unit.path, unit.spec, _encoder(encoder_folder, provider))
            return Entry({STIMULUS: frames.values[:, unit.columns]})
        case Kind.LIVE_PULSE:
            return _live_pulse(unit)
        case Kind.FILM:
            return film_entry(unit.path)


@cache
def _encoder(folder: Path, provider: Provider) -> Encode:
    """Return the encoder on one thread: work is spread over processes, one unit each."""
    return OnnxEncoder.load(folder, provider, intra_op_threads=1).encode


def _paper_pulse(unit: Unit) -> Entry:
    recording = read_ppg(unit.path)
    pulses = {clip.video: paper_pulse(recording, clip) for clip in unit.clips}
    arrays = {
        video: pulse.values[:, np.newaxis] for video, pulse in pulses.items() if pulse.values is not None
    }
    return Entry(arrays, (*_file_notes(recording, unit), *pulse_notes(pulses)))


def _live_pulse(unit: Unit) -> Entry:
    recording = read_ppg(unit.path)
    arrays: dict[str, NDArray[Any]] = {}
    missing: dict[str, str] = {}
    for clip in unit.clips:
        values = pulse_frames(recording, clip, unit.spec).values[:, unit.columns]
        arrays[clip.video] = values
        n_ticks = WARMUP_TICKS + n_published_frames(clip.duration_s)
        n_valid = np.count_nonzero(np.isfinite(values[WARMUP_TICKS:n_ticks]).any(axis=1))
        n_missing = n_ticks - WARMUP_TICKS - n_valid
        if n_missing:
            missing[clip.video] = f"{n_missing} of {n_ticks - WARMUP_TICKS} frames of {clip.video}"
    notes = _file_notes(recording, unit)
    if missing:
        told = f"no valid pulse in {len(missing)} of {len(unit.clips)} clips"
        notes.append(f"{told} ({', '.join(missing.values())}); marked invalid there")
    return Entry(arrays, tuple(notes))


def _file_notes(recording: PpgRecording, unit: Unit) -> list[str]:
    """Return what reading found, without the file's name: entries are kept by content, not by name."""
    notes = [note.removeprefix(f"{unit.path.name}: ") for note in recording.notes]
    samples = recording.samples[:, FILTERED_CHANNEL]
    if np.isfinite(samples).any() and (told := saturation(samples, recording.sfreq)):
        notes.append(f"CH2 is {told}; used as it is")
    return notes
