"""Recordings of other programs, whose markers get their meaning afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtasmr.errors import DataError
from rtasmr.marker_map import MarkerMap
from rtasmr.markers import is_translated
from rtasmr.modelstore import find_model
from rtasmr.recorded_markers import translated
from rtasmr.run import run_file
from rtasmr.served import ServedModel
from rtasmr.session import read_xdf
from rtasmr.stream_specs import ppg_spec
from rtasmr.types import StreamSpec
from rtasmr.xdf import XdfWriter

MAP = MarkerMap.parse('[exact]\n"11" = "clip_start vid3"\n"12" = "clip_end vid3"\n"32" = "rating=2"')
TEXTS = ["fixation", "11", "32", "12"]
TIMES = np.array([1.0, 4.0, 12.0, 16.0])


def write(path: Path, markers: np.ndarray, dtype: str) -> Path:
    """Write 20 s of pulse with the markers of another program."""
    times = np.arange(2000) / 100
    wave = np.sin(2 * np.pi * 1.2 * times).astype(np.float32)[:, None]
    writer = XdfWriter(path, header={})
    pulse = writer.add_stream(ppg_spec(100.0, source_id="finger", channels=("filtered",)))
    writer.write(pulse, times, wave)
    spec = StreamSpec("PsychoPy", "Markers", "psychopy", 0.0, dtype, ("",))
    writer.write(writer.add_stream(spec), TIMES, markers)
    return writer.close()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write(tmp_path / "texts.xdf", np.array(TEXTS, dtype=object)[:, None], "string")


def test_what_foreign_markers_mean_stands_beside_them(texts):
    recording = translated(read_xdf(texts), MAP)
    clip, rating = recording.stream("rtasmr-clip"), recording.stream("rtasmr-rating")
    assert list(clip.data) == ["clip_start vid3", "clip_end vid3"]
    assert clip.times.tolist() == [4.0, 16.0]
    assert (list(rating.data), rating.times.tolist()) == (["rating=2"], [12.0])
    kept = recording.stream("PsychoPy")
    assert list(kept.data) == TEXTS
    assert is_translated(kept.spec)


def test_a_recording_is_translated_once(texts):
    once = translated(read_xdf(texts), MAP)
    with pytest.raises(DataError, match="expected foreign markers that the marker map knows, got none"):
        translated(once, MAP)


def test_triggers_may_be_numbers(tmp_path):
    numbers = np.array([[1.0], [11.0], [32.0], [12.0]], np.float32)
    recording = translated(read_xdf(write(tmp_path / "numbers.xdf", numbers, "float32")), MAP)
    assert list(recording.stream("rtasmr-clip").data) == ["clip_start vid3", "clip_end vid3"]


def test_a_run_of_such_a_recording_knows_clips_and_ratings(texts, tiny_home, monkeypatch):
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    served = ServedModel(find_model(), "cpu")
    assert {r.label for r in run_file(texts, served).records} == {""}
    records = [r for r in run_file(texts, served, MAP).records if r.label == "vid3"]
    assert [r.tick for r in records] == list(range(120))
    assert {r.rating for r in records[81:]} == {2}


def test_a_map_goes_with_a_recording(tiny_video, tiny_home, monkeypatch):
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    with pytest.raises(DataError, match="expected an XDF recording for a marker map"):
        run_file(tiny_video, ServedModel(find_model(), "cpu"), MAP)
