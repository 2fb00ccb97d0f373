"""The set ``live+ppg`` among the feature sets: what it shares with ``live`` and what it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from offline.compute import compute
from offline.feature_sets import feature_spec
from offline.live_frames import pulse_frames
from offline.units import Kind, Unit
from rtasmr.biopac import PpgRecording
from rtasmr.dataset import DataSet
from rtasmr.presentation_log import Clip
from rtasmr.types import Modality


def content(kind: Kind, name: str) -> dict[str, object]:
    return Unit(kind, Path("file"), feature_spec(name, "e" * 64)).content("f" * 64)  # type: ignore[arg-type]


def test_sound_and_pictures_are_computed_once_for_both_sets_and_the_pulse_for_each():
    assert content(Kind.LIVE_STIMULUS, "live") == content(Kind.LIVE_STIMULUS, "live+ppg")
    assert content(Kind.LIVE_PULSE, "live") != content(Kind.LIVE_PULSE, "live+ppg")


def test_the_pulse_of_a_clip_from_a_file_has_all_columns_and_the_wave_that_live_has():
    t = np.arange(80 * 2000) / 2000
    wave = np.sin(2 * np.pi * 1.2 * t).astype(np.float32)
    recording = PpgRecording(samples=np.stack([wave, wave], axis=1))
    clip = Clip("vid1", 10.0, 60.0, 1)
    live, more = (feature_spec(name, "e" * 64) for name in ("live", "live+ppg"))
    plain, frames = (pulse_frames(recording, clip, spec) for spec in (live, more))
    columns = more.columns(Modality.PPG)
    np.testing.assert_array_equal(frames.values[:, columns[0]], plain.values[:, columns[0]])
    # A sine has neither breath nor anything that varies: there is a reading from 5 s of wave on.
    assert frames.valid[60:, columns[1:6]].all()
    assert not frames.valid[:48, columns[1:]].any()
    assert np.abs(frames.values[60:, columns[1]]).max() < 0.02


def test_a_pulse_that_is_there_is_not_called_missing(simulated_set, tmp_path):
    data = DataSet.open(simulated_set)
    clips = data.log(1).clips[:1]
    spec = feature_spec("live+ppg", "e" * 64)
    entry = compute(Unit(Kind.LIVE_PULSE, data.ppg_files[1], spec, clips=clips), tmp_path, "cpu")
    # Where the breath has no reading yet, the wave has one.
    assert np.isnan(entry.arrays[clips[0].video]).any()
    assert entry.notes == ()
