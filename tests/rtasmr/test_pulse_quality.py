"""What is read from a pulse, and what is said of one that cannot be read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import butter, find_peaks, sosfiltfilt

from rtasmr.pulse_monitor import PulseMonitor, trouble_bits
from rtasmr.pulse_quality import clipped_share
from rtasmr.types import Trouble

SFREQ = 200.0


def pulse(duration_s, bpm=72.0, sfreq=SFREQ, start_s=0.0):
    """Times and a wave of height 1: a beat, and a smaller wave 0.3 s after it."""
    times = start_s + np.arange(round(duration_s * sfreq)) / sfreq
    phase_s = np.mod(times - start_s, 60.0 / bpm)
    wave = np.exp(-0.5 * ((phase_s - 0.2) / 0.08) ** 2) + 0.4 * np.exp(-0.5 * ((phase_s - 0.5) / 0.1) ** 2)
    return times, wave


def readings_of(times, values, sfreq=SFREQ):
    return PulseMonitor(sfreq).push(times, values)


def in_pieces(times, values, rng, sfreq=SFREQ):
    monitor, readings, start = PulseMonitor(sfreq), [], 0
    while start < len(times):
        stop = start + int(rng.integers(1, 700))
        readings += monitor.push(times[start:stop], values[start:stop])
        start = stop
    return readings


@pytest.mark.parametrize("bpm", [45.0, 72.0, 120.0, 170.0])
@pytest.mark.parametrize("sfreq", [25.0, 64.0, 200.0, 2000.0])
def test_a_clean_pulse_has_its_rate_at_any_sampling_rate(bpm, sfreq):
    times, wave = pulse(20.5, bpm, sfreq, start_s=1000.0)
    readings = readings_of(times, wave, sfreq)
    assert [r.time_s for r in readings] == [1000.0 + k for k in range(1, 21)]
    for reading in readings[9:]:
        assert reading.troubles == ()
        assert reading.rate_bpm == pytest.approx(bpm, rel=0.01)
        assert reading.quality > 0.8


def test_beats_stand_where_the_wave_has_its_crests():
    times, wave = pulse(15.5, 60.0, start_s=500.0)
    *_, last = readings_of(times, wave)
    np.testing.assert_allclose(last.beats % 1.0, 0.2, atol=0.03)
    assert len(last.beats) in (9, 10)


def test_the_first_seconds_are_no_verdict():
    first, *_ = readings_of(*pulse(8.5))
    assert first.troubles == (Trouble.STARTING,)
    assert math.isnan(first.rate_bpm)
    assert math.isnan(first.quality)


def test_pieces_do_not_matter(rng):
    times, wave = pulse(40.5)
    wave += 0.05 * rng.standard_normal(len(wave))
    wave[2000:2010] = np.nan
    wave[4000:4300] = 0.7
    whole, pieces = readings_of(times, wave), in_pieces(times, wave, rng)
    assert len(whole) == 40
    for a, b in zip(whole, pieces, strict=True):
        assert (a.time_s, a.troubles) == (b.time_s, b.troubles)
        np.testing.assert_array_equal((a.rate_bpm, a.quality, a.height), (b.rate_bpm, b.quality, b.height))


def test_later_samples_change_no_earlier_reading():
    times, wave = pulse(30.5)
    changed = wave.copy()
    changed[times >= 20.0] = 5.0
    before = [(r.rate_bpm, r.quality) for r in readings_of(times, wave)[:20]]
    np.testing.assert_array_equal(before, [(r.rate_bpm, r.quality) for r in readings_of(times, changed)[:20]])


def test_a_flat_line_has_no_quality():
    times, wave = pulse(20.5)
    wave[times >= 12.0] = 0.3
    readings = readings_of(times, wave)
    assert readings[11].troubles == ()  # at 12.0, of what was before
    assert readings[12].troubles == (Trouble.FLAT,)
    assert readings[12].quality == 0.0
    assert math.isnan(readings[12].rate_bpm)
    assert len(readings[12].beats) == 0


def test_a_clipped_wave_is_named_and_keeps_its_rate():
    times, wave = pulse(20.5)
    reading = readings_of(times, np.minimum(wave, 0.6))[-1]
    assert reading.troubles == (Trouble.CLIPPED,)
    assert reading.rate_bpm == pytest.approx(72.0, rel=0.02)
    clean = readings_of(times, wave)[-1]
    assert reading.quality < clean.quality


@pytest.mark.parametrize("limit", [0.95, 0.8, 0.5])
def test_plateaus_are_counted_and_crests_are_not(limit):
    sine = np.sin(2 * np.pi * np.arange(0, 5, 1 / SFREQ))
    at_limits = np.count_nonzero(np.abs(sine) >= limit) / len(sine)
    assert clipped_share(np.clip(sine, -limit, limit), SFREQ) == pytest.approx(at_limits)
    assert clipped_share(sine, SFREQ) == 0.0


@pytest.mark.parametrize("n_levels", [8, 20, 100, 1000])
def test_a_coarse_converter_does_not_clip(n_levels):
    sine = np.sin(2 * np.pi * np.arange(0, 5, 1 / SFREQ))
    assert clipped_share(np.round(sine * n_levels / 2), SFREQ) == 0.0


def test_noise_is_told(rng):
    times = np.arange(0, 60.5, 1 / SFREQ)
    noise = sosfiltfilt(
        butter(2, (0.5, 8.0), "bandpass", fs=SFREQ, output="sos"), rng.standard_normal(len(times))
    )
    readings = readings_of(times, noise)[9:]
    named = [r for r in readings if Trouble.NOISY in r.troubles]
    assert len(named) >= 0.9 * len(readings)
    assert all(math.isnan(r.rate_bpm) and r.quality < 0.5 for r in named)


def test_a_rhythm_that_no_heart_has_is_no_beat():
    times = np.arange(0, 20.5, 1 / SFREQ)
    fast = readings_of(times, np.sin(2 * np.pi * 3.6 * times))[-1]  # 216 a minute
    assert fast.troubles == (Trouble.NO_BEATS,)
    slow = readings_of(times, np.sin(2 * np.pi * 0.55 * times))[-1]  # 33 a minute
    assert slow.troubles == (Trouble.NO_BEATS,)


def test_a_finger_lifted_is_seen_by_the_height(rng):
    times, wave = pulse(40.5)
    off = times >= 30.0
    # What an open sensor picks up: a faint copy of the mains' beat, as regular as a pulse.
    wave[off] = wave[off].mean() + 0.01 * np.sin(2 * np.pi * 1.5 * times[off])
    wave += 1e-4 * rng.standard_normal(len(wave))
    readings = readings_of(times, wave)
    assert readings[29].troubles == ()
    assert all(r.troubles == (Trouble.CONTACT_LOST,) for r in readings[34:])
    assert all(r.quality == 0.0 for r in readings[34:])


def test_a_short_gap_is_bridged_and_a_long_one_starts_anew():
    times, wave = pulse(40.5)
    short, long = wave.copy(), wave.copy()
    short[(times >= 20.0) & (times < 20.2)] = np.nan
    long[(times >= 20.0) & (times < 21.0)] = np.nan
    bridged = readings_of(times, short)
    assert all(r.troubles == () for r in bridged[9:])
    assert bridged[24].rate_bpm == pytest.approx(72.0, rel=0.02)
    broken = readings_of(times, long)
    lost = [r.time_s for r in broken if Trouble.LOST_SAMPLES in r.troubles]
    assert lost == [21.0, 22.0, 23.0, 24.0, 25.0]
    assert broken[26].rate_bpm == pytest.approx(72.0, rel=0.02)


def test_samples_that_never_came_are_a_gap_like_those_that_are_no_number():
    times, wave = pulse(40.5)
    kept = (times < 20.0) | (times >= 23.0)
    readings = readings_of(times[kept], wave[kept])
    # Seconds without a sample have no reading, but the one that was due when the last sample had come.
    assert [r.time_s for r in readings[18:24]] == [19.0, 20.0, 24.0, 25.0, 26.0, 27.0]
    assert readings[20].troubles == (Trouble.LOST_SAMPLES,)


def test_a_clock_that_goes_back_starts_anew():
    times, wave = pulse(12.5, start_s=1000.0)
    again, wave_again = pulse(12.5, start_s=10.0)
    readings = readings_of(np.concatenate((times, again)), np.concatenate((wave, wave_again)))
    assert [r.time_s for r in readings[10:16]] == [1011.0, 1012.0, 11.0, 12.0, 13.0, 14.0]
    assert readings[12].troubles == (Trouble.STARTING,)


@pytest.mark.parametrize("stamp", [math.nan, math.inf, 1e9])
def test_stamps_that_are_none_do_no_harm(stamp):
    times, wave = pulse(20.5)
    times[1000] = stamp
    *_, last = readings_of(times, wave)
    assert last.rate_bpm == pytest.approx(72.0, rel=0.02)


@pytest.mark.parametrize(("sfreq", "back_s"), [(1000.0, 0.003), (SFREQ, 0.02), (SFREQ, 0.4)])
def test_stamps_that_go_back_a_little_cost_no_reading(sfreq, back_s):
    """A clock that runs fast is first moved back when it is 3 ms off: three samples at 1000 Hz."""
    times, wave = pulse(20.5, sfreq=sfreq)
    monitor, readings = PulseMonitor(sfreq), []
    shifted = np.where(times < 14.2, times, times - back_s)
    for first in range(0, len(times), 20):
        readings += monitor.push(shifted[first : first + 20], wave[first : first + 20])
    assert [r.time_s for r in readings] == [*range(1, 21)]
    assert [r.troubles for r in readings[5:14]] == [()] * 9
    assert not any(Trouble.STARTING in r.troubles for r in readings[5:])
    assert readings[-1].rate_bpm == pytest.approx(72.0, rel=0.02)
    # Division into chunks changes nothing.
    again = PulseMonitor(sfreq).push(shifted, wave)
    assert [(r.time_s, r.quality, r.troubles) for r in again] == [
        (r.time_s, pytest.approx(r.quality, nan_ok=True), r.troubles) for r in readings
    ]


def test_a_clock_that_was_set_back_begins_anew():
    times, wave = pulse(20.5)
    readings = PulseMonitor(SFREQ).push(np.where(times < 14.2, times, times - 0.6), wave)
    after = [r for r in readings if r.time_s > 14.0]
    assert after[0].troubles == (Trouble.STARTING,)


def test_stamps_that_stand_still_take_no_memory():
    monitor = PulseMonitor(SFREQ)
    for _ in range(200):
        monitor.push(np.full(1000, 5.5), np.zeros(1000))
    assert monitor._n_samples <= 2 * 10 * SFREQ + 3000


def test_troubles_are_bits_in_their_order():
    *_, reading = readings_of(*pulse(2.5))
    assert trouble_bits(reading) == 1
    assert [t.value for t in Trouble][:3] == ["starting", "lost samples", "flat"]


def test_a_real_finger_pulse_has_the_rate_that_scipy_finds(shared_data):
    wave = np.loadtxt(shared_data / "ppg" / "biosppy_ppg_1000hz.txt")
    smooth = sosfiltfilt(butter(2, (0.5, 8.0), "bandpass", fs=1000.0, output="sos"), wave)
    peaks_s = find_peaks(smooth, distance=400, prominence=smooth.std())[0] / 1000.0
    readings = readings_of(np.arange(1, len(wave) + 1) / 1000.0, wave, 1000.0)[9:]
    assert len(readings) == 11
    for reading in readings:
        assert reading.troubles == ()
        assert reading.quality > 0.85
        inside = peaks_s[(peaks_s >= reading.time_s - 10.0) & (peaks_s < reading.time_s)]
        assert reading.rate_bpm == pytest.approx(60.0 / np.diff(inside).mean(), abs=1.5)


def test_a_camera_pulse_agrees_with_a_chest_strap(shared_data):
    table = np.genfromtxt(shared_data / "ppg" / "welltory_s01_PPG.csv", delimiter=",", names=True)
    beats_s = np.cumsum(np.loadtxt(shared_data / "ppg" / "welltory_s01_RR.txt")) / 1000.0
    readings = readings_of(table["time"] / 1000.0, -table["R"], 28.0)
    errors = []
    for reading in readings[9:]:
        inside = beats_s[(beats_s >= reading.time_s - 10.0) & (beats_s < reading.time_s)]
        errors.append(abs(reading.rate_bpm - 60.0 / np.diff(inside).mean()))
    assert np.isfinite(errors).mean() > 0.95
    # The two are not synchronised; on 19 such recordings this kind of detector is 1.4 off on average.
    assert np.nanmean(errors) < 2.5
    assert np.nanmedian(errors) < 1.5
