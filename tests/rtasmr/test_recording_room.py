from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from rtasmr.config import LiveConfig
from rtasmr.features.spec import FeatureSpec
from rtasmr.live import tell_room
from rtasmr.modelstore import find_model
from rtasmr.recorded_features import features_spec
from rtasmr.recording_room import USUAL_BYTES_PER_HOUR, bytes_per_hour, room_words
from rtasmr.served import ServedModel
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, sound_spec
from rtasmr.types import Role
from rtasmr.xdf import XdfWriter

Usage = namedtuple("Usage", "total used free")
FEATURES = features_spec(FeatureSpec(encoder_sha256="e" * 64))


@pytest.fixture
def free(monkeypatch):
    """Say how many bytes are free: ``free(10**9)``."""

    def say(n_bytes: float) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(10**12, 0, int(n_bytes)))

    return say


def test_an_hour_takes_what_is_written_in_it(tmp_path):
    """Ten seconds of each stream in a file, but for the headers."""
    pulse, sound = ppg_spec(100.0, source_id="p", channels=("raw",)), sound_spec(source_id="s")
    writer = XdfWriter(tmp_path / "x.xdf", header={})
    numbers = {writer.add_stream(spec): spec for spec in (pulse, sound, FEATURES)}
    before = writer.n_bytes
    for (number, spec), n_samples in zip(numbers.items(), (1000, 441_000, 100), strict=True):
        data = np.zeros((n_samples, spec.n_channels), spec.dtype)
        writer.write(number, np.arange(n_samples) / n_samples, data)
    written = writer.n_bytes - before
    writer.close()
    told = bytes_per_hour((pulse, sound, clip_spec(source_id="c")), (FEATURES,))
    assert told == pytest.approx(360 * written, rel=0.001)


def test_pictures_take_what_they_would_at_thirty_a_second():
    assert bytes_per_hour([picture_spec(source_id="v")]) == 3600 * 30 * (9 + 224 * 224 * 3)


def test_the_usual_hour_is_that_of_a_viewing():
    told = bytes_per_hour([ppg_spec(100.0, source_id="p", channels=("raw",))], (FEATURES,))
    assert 0.75 * USUAL_BYTES_PER_HOUR < told < USUAL_BYTES_PER_HOUR


@pytest.mark.parametrize(
    ("n_free", "hourly", "told"),
    [
        (1.5e9, 100e6, None),  # 15 h
        (5e9, 1e9, None),
        (0.9e9, 100e6, "only 900 MB are free where this is recorded, and an hour takes about 100 MB: "),
        (3e9, 1e9, "only 3.0 GB are free where this is recorded, and an hour takes about 1.0 GB: "),
    ],
)
def test_it_is_told_where_little_is_free(tmp_path, free, n_free, hourly, told):
    free(n_free)
    words = room_words(tmp_path, hourly)
    assert words == "" if told is None else words.startswith(told)


@pytest.mark.parametrize(
    ("n_free", "lasts"),
    [(999e6, "after 10.0 h."), (250e6, "after 2.5 h."), (5e6, "after 3 min."), (0, "after 0 min.")],
)
def test_how_long_it_lasts_is_told(tmp_path, free, n_free, lasts):
    free(n_free)
    words = room_words(tmp_path, 100e6)
    assert lasts in words
    assert words.endswith("Free space, or record to another disk.")


def test_texts_alone_take_next_to_nothing_and_are_told_of_a_full_disk_too(tmp_path, free):
    free(250e6)
    told = room_words(tmp_path, bytes_per_hour([clip_spec(source_id="c")]))
    assert told == "only 250 MB are free where this is recorded. Free space, or record to another disk."
    free(2e9)
    assert room_words(tmp_path, 0.0) == ""


def test_a_folder_that_is_not_made_yet_is_on_the_disk_of_those_above_it(tmp_path, monkeypatch):
    asked: list[Path] = []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: asked.append(folder) or Usage(1, 0, 10**12))
    assert room_words(tmp_path / "not" / "yet", 1.0) == ""
    assert asked == [tmp_path]


def test_many_recordings_fill_a_disk_that_has_room_for_one(tiny_home, tmp_path, free, monkeypatch):
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    model = ServedModel(find_model(None), "cpu")
    config = LiveConfig(record=str(tmp_path / "day.xdf"))
    streams = [(Role.PPG, ppg_spec(100.0, source_id="p")), (Role.SOUND, sound_spec(source_id="s"))]
    free(1.5e9)
    told: list[str] = []
    tell_room(config, streams, model, told.append)
    assert told == []
    tell_room(config, 32 * streams, model, told.append, 32)
    assert len(told) == 1
    assert told[0].startswith("only 1.5 GB are free where this is recorded, and an hour takes about 2.")
