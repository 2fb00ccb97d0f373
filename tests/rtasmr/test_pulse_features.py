"""The columns of ``live+ppg``: what a pulse made by hand must give, and that no cut shows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.pulse_features import PulseFeatures, read_wave
from rtasmr.features.spec import FEATURE_NAMES, PULSE_NAMES, FeatureSpec, live_ppg_spec
from rtasmr.types import Chunk, Modality, Role

SPEC = live_ppg_spec()
COLUMNS = slice(len(FEATURE_NAMES), None)


def beats_wave(time_s, rate_hz, height=1.0):
    """A wave of one smooth crest per beat; rate (Hz) and height may change over time."""
    phase = np.cumsum(np.broadcast_to(rate_hz, time_s.shape)) * (time_s[1] - time_s[0])
    return height * np.exp(3.0 * (np.cos(2 * np.pi * phase) - 1.0))


def seconds(n_s, sfreq):
    return np.arange(round(n_s * sfreq)) / sfreq


def readings(samples, sfreq, cuts=()):
    """The newest values after each piece of a stream cut at ``cuts``."""
    pulse = PulseFeatures(SPEC, sfreq)
    values = []
    for piece in np.split(samples, cuts):
        pulse.push(piece)
        values.append(pulse.values)
    return np.array(values)


def test_the_set_is_live_with_seven_more_columns_and_a_fingerprint_of_its_own():
    live = FeatureSpec()
    assert SPEC.names == live.names + PULSE_NAMES
    assert SPEC.set_name == "live+ppg"
    assert SPEC.fingerprint != live.fingerprint
    assert SPEC.columns(Modality.PPG).tolist() == [543, *range(544, 551)]
    assert live.columns(Modality.PPG).tolist() == [543]


@pytest.mark.parametrize("sfreq", [25.0, 64.0, 100.0, 250.0, 2000.0])
@pytest.mark.parametrize("bpm", [50.0, 75.0, 110.0])
def test_rate_height_and_steadiness_of_a_pulse_made_by_hand(sfreq, bpm):
    time_s = seconds(20.0, 100.0 if sfreq < 100 else sfreq)
    reading = read_wave(beats_wave(time_s, bpm / 60), 1 / (time_s[1] - time_s[0]), SPEC.parameters)
    assert math.exp(reading.log_rate) == pytest.approx(bpm, abs=0.5)
    assert reading.rate_change == pytest.approx(0.0, abs=0.01)
    assert reading.height_change == pytest.approx(0.0, abs=0.05)
    assert reading.variability < 0.02
    relative = readings(beats_wave(seconds(40.0, sfreq), bpm / 60), sfreq)[-1]
    assert relative[PULSE_NAMES.index("pulse_rate_relative")] == pytest.approx(0.0, abs=0.01)


def test_a_pulse_that_slows_down_and_grows_says_so():
    time_s = seconds(20.0, 200.0)
    # From 80 to 72 a minute and from 1 to 1.3 of height, both along an exponential.
    share = time_s / 20.0
    wave = beats_wave(time_s, 80 / 60 * np.exp(share * math.log(0.9)), np.exp(share * math.log(1.3)))
    reading = read_wave(wave, 200.0, SPEC.parameters)
    assert reading.rate_change == pytest.approx(math.log(0.9) / 2, abs=0.02)
    assert reading.height_change == pytest.approx(math.log(1.3) / 2, abs=0.06)


@pytest.mark.parametrize("breaths_per_minute", [10.0, 15.0, 21.0])
def test_breath_is_read_from_the_heights_and_the_intervals_of_the_beats(breaths_per_minute):
    time_s = seconds(20.0, 200.0)
    breath = np.sin(2 * np.pi * breaths_per_minute / 60 * time_s)
    wave = beats_wave(time_s, 1.25 * (1 + 0.03 * breath), np.exp(0.1 * breath))
    reading = read_wave(wave, 200.0, SPEC.parameters)
    assert math.exp(reading.log_breath_rate) == pytest.approx(breaths_per_minute, abs=1.5)
    still = read_wave(beats_wave(time_s, 1.25), 200.0, SPEC.parameters)
    assert reading.breath_depth == pytest.approx(0.1 / math.sqrt(2), rel=0.4)
    assert still.breath_depth < 0.2 * reading.breath_depth


@pytest.mark.parametrize("unit", [1e-3, 1.0, 4096.0])
def test_the_unit_of_the_sensor_does_not_show(unit):
    time_s = seconds(30.0, 128.0)
    wave = beats_wave(time_s, 1.2 + 0.1 * np.sin(0.2 * time_s), 1.0 + 0.2 * np.sin(0.5 * time_s))
    np.testing.assert_allclose(readings(unit * wave, 128.0), readings(wave, 128.0), atol=1e-7)


def test_what_follows_a_running_mean_is_the_difference_to_it():
    pulse = PulseFeatures(SPEC, 100.0)
    wave = beats_wave(seconds(30.0, 100.0), np.where(seconds(30.0, 100.0) < 15.0, 1.0, 1.1))
    kept = []
    for piece in np.split(wave, 60):  # one reading each
        pulse.push(piece)
        kept.append(pulse.values[0])
    first = next(i for i, value in enumerate(kept) if math.isfinite(value))
    assert kept[first] == 0.0  # the first reading is its own mean
    assert kept[-1] > 0.03  # 10 % faster than at first, over a mean that has begun to follow


def test_nothing_is_read_from_too_little_from_noise_or_from_a_flat_line(rng):
    short = read_wave(beats_wave(seconds(4.9, 100.0), 1.2), 100.0, SPEC.parameters)
    noise = read_wave(rng.normal(size=2000), 100.0, SPEC.parameters)
    flat = read_wave(np.ones(2000), 100.0, SPEC.parameters)
    for reading in (short, noise, flat):
        assert all(math.isnan(getattr(reading, name)) for name in reading.__slots__)


@pytest.mark.parametrize("sfreq", [25.0, 128.0, 2000.0])
def test_no_division_into_pieces_shows(sfreq, rng):
    time_s = seconds(25.0, sfreq)
    wave = beats_wave(time_s, 1.2 + 0.1 * np.sin(0.3 * time_s), 1.0 + 0.2 * np.sin(0.5 * time_s))
    wave += 0.01 * rng.normal(size=len(wave))
    whole = readings(wave, sfreq)[-1]
    cuts = np.sort(rng.choice(np.arange(1, len(wave)), size=120, replace=False))
    np.testing.assert_array_equal(readings(wave, sfreq, cuts)[-1], whole)
    assert np.isfinite(whole).all()


def test_a_gap_forgets_the_wave_but_not_the_person():
    pulse = PulseFeatures(SPEC, 100.0)
    pulse.push(beats_wave(seconds(20.0, 100.0), 1.0))
    pulse.restart()
    assert np.isnan(pulse.values).all()
    pulse.push(beats_wave(seconds(20.0, 100.0), 1.2))
    assert pulse.values[0] == pytest.approx(math.log(1.2), abs=0.12)  # against the mean from before the gap
    pulse.reset()
    pulse.push(beats_wave(seconds(20.0, 100.0), 1.2))
    assert pulse.values[0] == pytest.approx(0.0, abs=0.02)


def run(samples, times, cuts, sfreq=200.0):
    """Frames of one free segment of a pulse handed over in pieces."""
    aligner = Aligner(SPEC)
    aligner.add_stream(Modality.PPG, ModalityFormat(sfreq=sfreq))
    extractor = FeatureExtractor(SPEC, lambda _: np.empty((0, 512), np.float32), sfreq, ppg_filtered=True)
    frames = []
    for t, x in zip(np.split(times, cuts), np.split(samples, cuts), strict=True):
        if len(t):
            aligner.push(Chunk(Role.PPG, t, x[:, None]))
            frames += [extractor.update(a) for a in aligner.pop_ready(now=-np.inf)]
    frames += [extractor.update(a) for a in aligner.finish(float(times[-1]))]
    return np.stack([f.values[COLUMNS] for f in frames]), np.stack([f.valid[COLUMNS] for f in frames])


def test_through_aligner_and_extractor_pieces_gaps_and_later_samples_do_not_show(rng):
    times = seconds(40.0, 200.0)
    wave = beats_wave(times, 1.2 + 0.1 * np.sin(0.3 * times), 1.0 + 0.2 * np.sin(0.5 * times))
    present = (times < 26.0) | (times >= 28.0)
    values, valid = run(wave[present], times[present], range(0, 7600, 200))
    for _ in range(3):
        cuts = np.sort(rng.choice(np.arange(1, present.sum()), size=200, replace=False))
        again, again_valid = run(wave[present], times[present], cuts)
        np.testing.assert_array_equal(again, values)
        np.testing.assert_array_equal(again_valid, valid)
    assert np.isnan(values[~valid]).all()
    rate = valid[:, 0]
    assert not rate[:49].any()
    assert rate[60:255].all()
    assert not rate[262:328].any()  # the gap, and 5 s of wave after it
    assert rate[340:399].all()  # tick 399 looks 0.1 s ahead, where the pulse has ended
    changed = wave.copy()
    changed[times > 35.1] = 0.3
    later, _ = run(changed[present], times[present], range(0, 7600, 200))
    np.testing.assert_array_equal(later[:350], values[:350])
