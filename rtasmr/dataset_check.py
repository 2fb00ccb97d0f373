"""Whether a data set on disk is whole: one finding per file, in the order a person would look."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from rtasmr.dataset import SIMULATION_MARKER, DataSet
from rtasmr.errors import DataError

FLAT_SHARE = 0.01
"""Share of samples at one end of the range above which a recording is called saturated."""


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
    """Read every file of a data set and say what is there, missing or looks wrong.

    Reads all PPG exports: about half a second per participant.

    Raises
    ------
    DataError
        ``root`` is no data set at all.
    """
    dataset = DataSet.open(root)
    findings = []
    if dataset.is_simulated:
        findings.append(
            Finding(SIMULATION_MARKER, Level.WARNING, "simulated data; says nothing about people")
        )
    for participant, log in dataset.logs.items():
        text = f"{len(log.clips)} clips, {len(log.presses)} rating keys"
        findings.append(Finding(f"log/{participant:03d}", Level.OK, text))
    findings.extend(
        _check_ppg(dataset, number) for number in dataset.participants if number in dataset.ppg_files
    )
    findings.extend(_check_stimulus(path, video) for video, path in dataset.stimulus_files.items())
    findings.extend(Finding(name, Level.ERROR, "missing") for name in dataset.missing)
    findings.extend(
        Finding(f"log/{participant:03d}", Level.ERROR, text)
        for participant, text in dataset.unreadable_logs.items()
    )
    told = {*(f"{name}: missing" for name in dataset.missing), *dataset.unreadable_logs.values()}
    for text in dataset.warnings:
        if text not in told:
            name, _, rest = text.partition(": ")
            findings.append(Finding(name, Level.WARNING, rest))
    return findings


def _check_ppg(dataset: DataSet, participant: int) -> Finding:
    try:
        recording = dataset.ppg(participant)
    except DataError as error:
        return Finding(f"ppg/{participant:03d}", Level.ERROR, str(error))
    name = f"ppg/{dataset.ppg_files[participant].name}"
    notes = list(recording.notes)
    for column, label in enumerate(("CH1", "CH2")):
        samples = recording.samples[:, column]
        low, high = np.nanmin(samples), np.nanmax(samples)
        at_ends = np.mean((samples == low) | (samples == high))
        if low == high:
            notes.append(f"{label} is flat")
        elif at_ends > FLAT_SHARE:
            notes.append(f"{label} is saturated in {100 * at_ends:.1f} % of its samples")
    if notes:
        return Finding(name, Level.WARNING, "; ".join(notes))
    seconds = f"{len(recording.samples)} samples, {recording.stop_s:.1f} s at {recording.sfreq:g} Hz"
    return Finding(name, Level.OK, seconds)


def _check_stimulus(path: Path, video: str) -> Finding:
    """Compare the length in the AVI header with the file's: a broken download shows."""
    name = f"stim/{path.name}"
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:12] != b"AVI ":
        return Finding(name, Level.ERROR, "not an AVI file")
    declared = 8 + struct.unpack("<I", head[4:8])[0]
    if n_bytes < declared:
        return Finding(name, Level.ERROR, f"cut off: {n_bytes} of {declared} bytes")
    return Finding(name, Level.OK, f"{video}, {n_bytes / 1e6:.1f} MB")
