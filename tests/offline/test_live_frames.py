"""The pulse of a clip from a recording: nothing before the clip, nothing after the look-ahead."""

from __future__ import annotations

import numpy as np

from offline.live_frames import pulse_frames
from rtasmr.biopac import PpgRecording
from rtasmr.features.spec import FeatureSpec
from rtasmr.presentation_log import Clip
from rtasmr.types import Modality

SPEC = FeatureSpec(encoder_sha256="e" * 64)


def recording(n_s: float = 80.0) -> PpgRecording:
    t = np.arange(round(n_s * 2000)) / 2000
    wave = np.sin(2 * np.pi * 1.2 * t).astype(np.float32)
    return PpgRecording(samples=np.stack([wave, wave], axis=1))


def test_a_clip_sees_nothing_of_the_pulse_before_it():
    clip = Clip("vid1", 10.0, 60.0, 1)
    clean = recording()
    disturbed = recording()
    disturbed.samples[: 10 * 2000] = 99.0
    a, b = (pulse_frames(r, clip, SPEC) for r in (clean, disturbed))
    np.testing.assert_array_equal(a.values, b.values)
    assert len(a.values) == 600


def test_later_samples_change_no_earlier_frame():
    clip = Clip("vid1", 10.0, 60.0, 1)
    clean, changed = recording(), recording()
    changed.samples[round(40.1005 * 2000) :] = 0.0
    ppg = SPEC.columns(Modality.PPG)[0]
    a, b = (pulse_frames(r, clip, SPEC).values[:, ppg] for r in (clean, changed))
    np.testing.assert_array_equal(a[:301], b[:301])  # tick 300 is at 40.0 s and reads to 40.1 s
    assert not np.array_equal(a[301:], b[301:])
