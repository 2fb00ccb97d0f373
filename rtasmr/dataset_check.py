"""Whether a data set on disk is whole: findings per file, in the order a person would look."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.biopac import PpgRecording
from rtasmr.dataset import SIMULATION_MARKER, DataSet
from rtasmr.dataset_zip import Fill, archives_of, laid_out
from rtasmr.errors import DataError
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.grid import CLIP_DURATION_S, FRAME_RATE_HZ
from rtasmr.media import iter_pictures, iter_sound, probe
from rtasmr.presentation_log import Clip

FLAT_SHARE = 0.01
"""Share of samples at one end of the range above which a recording is called saturated."""


END_OF_TIME_S = 1e9
"""Later than any image; what is on screen then is the last one."""


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one file; ``file`` is relative to the data set's root."""

    file: str
    level: Level
    text: str


def check(root: Path) -> list[Finding]:
    """Return all that `iter_findings` finds."""
    return list(iter_findings(root))


def iter_findings(root: Path) -> Iterator[Finding]:
    """Read every file of a data set and say what is there, missing or looks wrong.

    What names and logs tell comes first, at once; then each PPG export is read (about half a second) and
    each stimulus decoded (less than a second), with one finding each as soon as it is known. A zipped set
    is read from its archives, with room on disk for one file at a time.

    Parameters
    ----------
    root : Path
        Folder with ``log/``, ``ppg/`` and ``stim/``, folder with their zip archives, or an archive.

    Raises
    ------
    DataError
        ``root`` is no data set at all, or an archive of it can not be read.
    """
    archives = archives_of(root)
    for archive in archives:
        size = archive.stat().st_size / 1e6
        yield Finding(archive.name, Level.OK, f"zip archive, {size:.1f} MB, read without unpacking it")
    with laid_out(root) as (folder, fill):
        dataset = DataSet.open(folder)
        yield from _check_names_and_logs(dataset)
        for participant in dataset.ppg_files:
            if participant in dataset.logs:
                yield _check_ppg(dataset, participant, fill)
        for video, path in dataset.stimulus_files.items():
            yield _check_stimulus(path, video, fill)


def _check_names_and_logs(dataset: DataSet) -> Iterator[Finding]:
    if dataset.is_simulated:
        yield Finding(SIMULATION_MARKER, Level.WARNING, "simulated data; says nothing about people")
    for name in dataset.missing:
        yield Finding(name, Level.ERROR, "missing")
    for participant, text in dataset.unreadable_logs.items():
        yield Finding(f"log/{participant:03d}", Level.ERROR, text)
    told = {*(f"{name}: missing" for name in dataset.missing), *dataset.unreadable_logs.values()}
    for text in dataset.warnings:
        if text not in told:
            name, _, rest = text.partition(": ")
            yield Finding(name, Level.WARNING, rest)
    for participant, log in dataset.logs.items():
        text = f"{len(log.clips)} clips, {len(log.presses)} rating keys"
        level = Level.OK if log.presses else Level.WARNING
        yield Finding(f"log/{participant:03d}", level, text)


def _check_ppg(dataset: DataSet, participant: int, fill: Fill) -> Finding:
    path = dataset.ppg_files[participant]
    name = f"ppg/{path.name}"
    try:
        with fill(path):
            recording = dataset.ppg(participant)
    except DataError as error:
        return Finding(name, Level.ERROR, _without_path(error, path))
    notes = [note.removeprefix(f"{path.name}: ") for note in recording.notes]
    clips = dataset.log(participant).clips
    for column, label in enumerate(("CH1", "CH2")):
        samples = recording.samples[:, column]
        if np.isnan(samples).all():
            notes.append(f"{label} holds no number")
            continue
        low, high = np.nanmin(samples), np.nanmax(samples)
        at_ends = np.mean((samples == low) | (samples == high))
        if low == high:
            notes.append(f"{label} is flat")
            continue
        if at_ends > FLAT_SHARE:
            notes.append(f"{label} is saturated in {100 * at_ends:.1f} % of its samples")
        flat = [clip.video for clip in clips if _is_flat(recording, samples, clip)]
        if flat:
            notes.append(f"{label} is flat in {', '.join(flat)}")
    if notes:
        return Finding(name, Level.WARNING, "; ".join(notes))
    seconds = f"{len(recording.samples)} samples, {recording.stop_s:.1f} s at {recording.sfreq:g} Hz"
    return Finding(name, Level.OK, seconds)


def _is_flat(recording: PpgRecording, samples: NDArray[np.float32], clip: Clip) -> bool:
    """Whether all there is of a clip has one value."""
    start, stop = (round((t - recording.start_s) * recording.sfreq) for t in (clip.start_s, clip.stop_s))
    within = samples[max(0, start) : max(0, stop)]
    within = within[np.isfinite(within)]
    return within.size > 0 and bool(within.min() == within.max())


def _check_stimulus(path: Path, video: str, fill: Fill) -> Finding:
    try:
        with fill(path):
            level, text = _check_film(path, video)
    except DataError as error:
        level, text = Level.ERROR, _without_path(error, path)
    return Finding(f"stim/{path.name}", level, text)


def _check_film(path: Path, video: str) -> tuple[Level, str]:
    """Look at the container, then decode what it holds."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
        n_bytes = path.stat().st_size
    except OSError as error:
        return Level.ERROR, f"can not be read ({error.strerror})"
    if head[:4] != b"RIFF" or head[8:12] != b"AVI ":
        try:
            level, text = _check_decoding(path, video)
        except DataError:
            return Level.ERROR, "not an AVI file"
        return Level.WARNING if level is Level.OK else level, f"{text}; not an AVI file, read all the same"
    # A broken download shows in the header, whatever still decodes.
    declared = 8 + int(struct.unpack("<I", head[4:8])[0])
    if n_bytes < declared:
        return Level.ERROR, f"cut off: {n_bytes} of {declared} bytes"
    return _check_decoding(path, video)


def _check_decoding(path: Path, video: str) -> tuple[Level, str]:
    """Decode a stimulus to its end: a header may promise more than there is."""
    info = probe(path)
    if info.fps is None or not info.has_sound:
        lacking = "pictures" if info.fps is None else "sound"
        return (
            Level.ERROR,
            f"{video}, no {lacking}: every stimulus has sound and pictures; get the file again",
        )
    sound_s = sum(map(len, iter_sound(path))) / SOUND_SFREQ
    # Decodes all images and converts the last one only.
    shown = deque(iter_pictures(path, resize=False, shown_at=np.array([END_OF_TIME_S])), maxlen=1)
    picture_s = shown[0][0] + 1 / info.fps if shown else 0.0
    held = (
        f"{video}, pictures {picture_s:.1f} s ({info.width}x{info.height}, {info.fps:g} fps), "
        f"sound {sound_s:.1f} s"
    )
    if min(picture_s, sound_s) < CLIP_DURATION_S - 1 / FRAME_RATE_HZ:
        return Level.WARNING, f"{held}: shorter than a clip of {CLIP_DURATION_S:g} s"
    return Level.OK, held


def _without_path(error: DataError, path: Path) -> str:
    """Return an error's text without the place of the file, which the finding names."""
    return str(error).removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
