"""Recordings and pickles that are not what they claim."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import Command

from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.stream_specs import TINGLE_CHANNELS, ppg_spec, tingle_spec
from rtasmr.types import Segment
from rtasmr.xdf import XdfWriter


def write_recording(path: Path, rows: list[list[float]], **desc: str) -> Path:
    """A runtime's recording with one segment from 10 s on and these rows of its output."""
    spec = tingle_spec("tiny", demo=True, lookahead=10, window=200)
    writer = XdfWriter(path, header={})
    tingle = writer.add_stream(replace(spec, desc={**spec.desc, **desc}))
    segments = writer.add_stream(SEGMENTS_SPEC)
    writer.write(segments, [10.0], [segment_text(Segment(0, "vid3", 10.0))])
    times = [10.0 + k / 10 for k in range(len(rows))]
    writer.write(tingle, times, np.array(rows, dtype=np.float32))
    return writer.close()


def row_of(**values: float) -> list[float]:
    whole = {
        "p": 0.5,
        "p_low": np.nan,
        "p_high": np.nan,
        "age_s": 1.1,
        "tick": 0,
        "status": 0,
        "modalities": 7,
    }
    return [{**whole, **values}[name] for name in TINGLE_CHANNELS]


def test_a_sound_recording_is_reported(command: Command, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "session.xdf", [row_of(), row_of(tick=1)])
    assert command("rtasmr", "report", path, "--out", tmp_path / "out").code == 0


@pytest.mark.parametrize(
    ("row", "desc"),
    [
        ({"tick": np.nan}, {}),
        ({"tick": np.inf}, {}),
        ({"tick": 7}, {}),
        ({"status": 99}, {}),
        ({"status": np.nan}, {}),
        ({"modalities": np.nan}, {}),
        ({}, {"threshold": "half"}),
    ],
)
def test_a_recording_of_nonsense_is_refused(
    row: dict[str, float], desc: dict[str, str], command: Command, tmp_path: Path
) -> None:
    path = write_recording(tmp_path / "session.xdf", [row_of(**row)], **desc)
    error = command("rtasmr", "report", path, "--out", tmp_path / "out").error_line()
    assert "session.xdf" in error
    assert "corrupt" in error
    assert not (tmp_path / "out").exists()


def test_a_recording_without_predictions_names_the_command_that_makes_them(
    command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "raw.xdf"
    writer = XdfWriter(path, header={})
    writer.write(writer.add_stream(ppg_spec(10.0, source_id="p", channels=("raw",))), [1.0], [[0.5]])
    writer.close()
    error = command("rtasmr", "report", path, "--out", tmp_path / "out").error_line()
    assert f"rtasmr run {path} --out FOLDER" in error
    assert not (tmp_path / "out").exists()


class _Attack:
    """Makes a file when it is unpickled by a reader that trusts."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_pickle_that_asks_for_more_than_arrays_is_refused(command: Command, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    attack = tmp_path / "attack.pkl"
    attack.write_bytes(pickle.dumps([{"y_true": np.zeros(3)}, _Attack(mark)]))
    error = command("offline", "reproduce", "--predictions", attack, "--out", tmp_path / "out").error_line()
    assert "mkdir" in error
    assert not mark.exists()
    assert not (tmp_path / "out").exists()
