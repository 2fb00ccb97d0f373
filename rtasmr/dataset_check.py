"""Whether a data set on disk is whole: findings per file, in the order a person would look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.biopac import FILTERED_CHANNEL, PpgRecording
from rtasmr.dataset import SIMULATION_MARKER, DataSet
from rtasmr.dataset_words import counted, in_set, named_in_set, of_clips, pulse_left_out, stimulus_left_out
from rtasmr.dataset_zip import Fill, archives_of, laid_out
from rtasmr.errors import DataError
from rtasmr.flat_pulse import flat_stretch_s, saturation
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.presentation_log import Clip
from rtasmr.stimulus import examine_stimulus


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
    if dataset.simulation is not None:
        yield Finding(SIMULATION_MARKER, Level.WARNING, "simulated data; says nothing about people")
    unusable = {*dataset.missing, *(in_set(dataset.log_files[number]) for number in dataset.unreadable_logs)}
    unusable |= {text.partition(": ")[0] for text in dataset.unfinished}
    told = [text.partition(": ") for text in dataset.warnings]
    told.sort(key=lambda parts: parts[0] not in unusable)  # what costs most comes first
    for name, _, text in told:
        yield Finding(name, Level.ERROR if name in unusable else Level.WARNING, text)
    for participant, log in dataset.logs.items():
        text = f"{counted(len(log.clips), 'clip')}, {counted(len(log.presses), 'rating key')}"
        level = Level.OK if log.presses else Level.WARNING
        yield Finding(in_set(dataset.log_files[participant]), level, text)


def _check_ppg(dataset: DataSet, participant: int, fill: Fill) -> Finding:
    path = dataset.ppg_files[participant]
    name = in_set(path)
    try:
        with fill(path):
            recording = dataset.ppg(participant)
    except DataError as error:
        return Finding(name, Level.ERROR, f"{_without_path(error, path)}; {pulse_left_out(participant)}")
    notes = [note.removeprefix(f"{name}: ") for note in recording.notes]
    notes.extend(_channel_notes(recording, dataset.log(participant).clips))
    if notes:
        return Finding(name, Level.WARNING, "; ".join(notes))
    seconds = f"{len(recording.samples)} samples, {recording.stop_s:.1f} s at {recording.sfreq:g} Hz"
    return Finding(name, Level.OK, seconds)


def _channel_notes(recording: PpgRecording, clips: Sequence[Clip]) -> Iterator[str]:
    """Yield what looks wrong about the channels and what it costs; what holds for both is said once."""
    read = list(_channel_faults(recording, FILTERED_CHANNEL, clips))
    other = list(_channel_faults(recording, 1 - FILTERED_CHANNEL, clips))
    for fault in other:
        if fault not in read:
            yield f"CH1 is {fault.text}; the features read the other channel"
    for fault in read:
        who = "CH1 and CH2 are" if fault in other else "CH2 is"
        yield f"{who} {fault.text}; {fault.done}"


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a channel, and what is done about it where the features read that channel."""

    text: str
    done: str = "the pulse is marked invalid there"


def _channel_faults(recording: PpgRecording, column: int, clips: Sequence[Clip]) -> Iterator[_Fault]:
    samples = recording.samples[:, column]
    if np.isnan(samples).all():
        yield _Fault("without any number")
        return
    if flat_stretch_s(samples, recording.sfreq) >= np.count_nonzero(np.isfinite(samples)) / recording.sfreq:
        yield _Fault("flat")
        return
    if told := saturation(samples, recording.sfreq):
        yield _Fault(told, "used as it is")
    windows = {clip.video: _after_warmup(recording, samples, clip) for clip in clips}
    flat_s = {video: flat_stretch_s(window, recording.sfreq) for video, window in windows.items()}
    whole = [v for v, s in flat_s.items() if s and s >= windows[v].size / recording.sfreq]
    parts = [video for video, stretch_s in flat_s.items() if stretch_s and video not in whole]
    if whole:
        yield _Fault(f"flat in {of_clips(whole, len(clips))}")
    if parts:
        longest_s = max(flat_s[video] for video in parts)
        yield _Fault(f"flat for up to {longest_s:.1f} s in {of_clips(parts, len(clips))}")


def _after_warmup(recording: PpgRecording, samples: NDArray[np.float32], clip: Clip) -> NDArray[np.float32]:
    """Return the numbers of a channel that the features of a clip read."""
    ends_s = (clip.start_s + WARMUP_TICKS / FRAME_RATE_HZ, clip.stop_s)
    start, stop = (max(0, round((t - recording.start_s) * recording.sfreq)) for t in ends_s)
    within = samples[start:stop]
    return within[np.isfinite(within)]


def _check_stimulus(path: Path, video: str, fill: Fill) -> Finding:
    try:
        with fill(path):
            film = examine_stimulus(path)
    except DataError as error:
        text = f"{_without_path(error, path)}; {stimulus_left_out(video)}"
        return Finding(in_set(path), Level.ERROR, text)
    level = Level.WARNING if film.is_short or film.remark else Level.OK
    return Finding(in_set(path), level, film.told(video))


def _without_path(error: DataError, path: Path) -> str:
    """Return an error's text without the place of the file, which the finding names."""
    return named_in_set(path, str(error)).removeprefix(f"{in_set(path)}: ")
