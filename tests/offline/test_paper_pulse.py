"""Pulse of the paper's sets: window, resampling, and what has no z-score."""

from __future__ import annotations

import numpy as np
import pytest

from offline.paper_pulse import PulseClip, paper_pulse, pulse_notes
from rtasmr.biopac import PpgRecording, read_ppg
from rtasmr.presentation_log import Clip, read_log

SFREQ = 2000
CLIP = Clip("vid3", 10.0, 60.0, 1)
FIRST_CLIP = Clip("vid1", 10.0, 55.7, 0)


def recording(filtered: np.ndarray, time_min: np.ndarray | None = None) -> PpgRecording:
    samples = np.stack([np.full(len(filtered), np.nan), filtered], axis=1).astype(np.float32)
    if time_min is None:
        time_min = np.arange(len(filtered)) / SFREQ / 60
    return PpgRecording(samples, time_min=time_min)


def seconds(n: float = 80.0) -> np.ndarray:
    return np.arange(round(n * SFREQ)) / SFREQ


@pytest.mark.parametrize(("clip", "n_frames"), [(CLIP, 550), (FIRST_CLIP, 507)])
def test_a_sine_of_whole_cycles_comes_out_as_itself(clip, n_frames):
    length = n_frames / 10
    t = seconds() - 15.0
    pulse = paper_pulse(recording(3.0 + 0.2 * np.sin(2 * np.pi * 50 / length * t)), clip)
    at = np.arange(n_frames) / 10
    assert pulse_notes({"vid3": pulse}) == []
    assert pulse.values is not None
    assert pulse.values.dtype == np.float32
    np.testing.assert_allclose(pulse.values, np.sqrt(2) * np.sin(2 * np.pi * 50 / length * at), atol=1e-4)


def test_the_window_holds_its_start_and_not_its_end():
    """An outlier at 15.0 s counts, one just before and one at 70.0 s do not."""
    wave = np.sin(2 * np.pi * seconds())
    plain = paper_pulse(recording(wave), CLIP).values
    for index, counts in (
        (15 * SFREQ - 1, False),
        (15 * SFREQ, True),
        (70 * SFREQ - 1, True),
        (70 * SFREQ, False),
    ):
        changed = wave.copy()
        changed[index] = 500.0
        same = np.array_equal(plain, paper_pulse(recording(changed), CLIP).values)
        assert same != counts


def test_the_end_is_a_whole_number_of_log_units():
    """120.0006 s + 60 s is 180.00060000000002 as floats; a time printed on 180.0006 s lies outside."""
    clip = Clip("vid3", 120.0006, 60.0, 1)
    assert clip.stop_s > 180.0006
    time_min = np.arange(round(200 * SFREQ)) / SFREQ / 60
    edge = 180 * SFREQ + 1
    time_min[edge] = 3.00001
    assert time_min[edge] * 60.0 == 180.0006
    wave = np.sin(2 * np.pi * np.arange(len(time_min)) / SFREQ)
    changed = wave.copy()
    changed[edge] = 500.0
    np.testing.assert_array_equal(
        paper_pulse(recording(wave, time_min), clip).values,
        paper_pulse(recording(changed, time_min), clip).values,
    )


def test_times_printed_in_steps_of_6_ms_are_taken_as_they_are(rng):
    time_min = np.round(np.arange(round(80 * SFREQ)) / SFREQ / 60, 4)
    pulse = paper_pulse(recording(rng.normal(size=len(time_min)), time_min), CLIP)
    assert pulse.values is not None
    assert len(pulse.values) == 550
    assert pulse.values.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert pulse.values.std(dtype=np.float64) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.1, -2.5])
def test_a_flat_clip_has_no_z_score(level):
    pulse = paper_pulse(recording(np.full(80 * SFREQ, level)), CLIP)
    assert pulse.values is None
    assert pulse_notes({"vid3": pulse}) == ["pulse flat in the only clip (vid3); marked invalid there"]


def test_a_dead_sensor_with_one_step_of_noise_has_no_z_score(rng):
    pulse = paper_pulse(recording(rng.choice([0.3, 0.301], 80 * SFREQ)), CLIP)
    assert pulse.values is None
    assert pulse_notes({"vid3": pulse}) == ["pulse flat in the only clip (vid3); marked invalid there"]


def test_a_pulse_that_drops_out_is_not_scaled_by_the_loss():
    wave = np.sin(2 * np.pi * seconds())
    wave[40 * SFREQ : 60 * SFREQ] = 0.0
    pulse = paper_pulse(recording(wave), CLIP)
    assert pulse.values is None
    told = "pulse flat for up to 20.0 s in the only clip (vid3); marked invalid there"
    assert pulse_notes({"vid3": pulse}) == [told]


def test_a_short_loss_is_interpolated_and_a_long_one_is_named():
    wave = np.sin(2 * np.pi * seconds())
    whole = paper_pulse(recording(wave), CLIP).values
    short, long = wave.copy(), wave.copy()
    short[40 * SFREQ : 40 * SFREQ + 100] = np.nan
    long[40 * SFREQ : 40 * SFREQ + 400] = np.nan
    mended = paper_pulse(recording(short), CLIP)
    assert mended.values is not None
    assert pulse_notes({"vid3": mended}) == ["100 missing samples in the only clip (vid3); interpolated"]
    np.testing.assert_allclose(mended.values, whole, atol=0.02)
    lost = paper_pulse(recording(long), CLIP)
    assert lost.values is None
    assert pulse_notes({"vid3": lost}) == [
        "pulse missing for up to 0.20 s in the only clip (vid3); marked invalid there"
    ]


@pytest.mark.parametrize("stop_s", [5.0, 60.0])
def test_a_recording_that_ends_early_is_not_stretched(stop_s):
    pulse = paper_pulse(recording(np.sin(seconds(stop_s))), CLIP)
    assert pulse.values is None
    assert pulse.is_lost


def test_clips_with_the_same_fault_stand_in_one_sentence():
    whole = PulseClip(np.zeros(550, np.float32))
    flat, mended = PulseClip(None), PulseClip(whole.values, n_missing=1)
    lost = [PulseClip(None, n_missing=200, gap_s=gap_s) for gap_s in (0.15, 55.0)]
    pulses = dict(zip(("vid4", "vid1", "vid2", "vid3"), (flat, lost[0], whole, lost[1]), strict=True))
    assert pulse_notes(pulses | {"vid5": mended}) == [
        "pulse missing for up to 55.00 s in 2 of 5 clips (vid1, vid3); marked invalid there",
        "pulse flat in 1 of 5 clips (vid4); marked invalid there",
        "1 missing sample in 1 of 5 clips (vid5); interpolated",
    ]
    assert pulse_notes({f"vid{k}": flat for k in range(1, 9)}) == [
        "pulse flat in all 8 clips; marked invalid there"
    ]


def test_the_published_values(shared_data):
    reference = shared_data / "reference"
    recorded = read_ppg(reference / "ppg" / "021_csv.txt.xz")
    log = read_log(next((reference / "log").glob("021-*.log")))
    assert len(log.clips) == 8
    with np.load(reference / "expected.npz") as expected:
        for clip in log.clips:
            pulse = paper_pulse(recorded, clip)
            assert pulse.n_missing == 0
            np.testing.assert_allclose(pulse.values, expected[f"P_{clip.video}"], atol=1e-4)
