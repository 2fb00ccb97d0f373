"""Pulse rates of waves whose beats are known."""

import numpy as np
import pytest

from offline.beats import published_rate
from rtasmr.pulse_quality import LEAST_HARMONIC_SHARE, harmonic_share
from rtasmr.pulse_rate import beat_rate, find_beats

SFREQ = 2000.0


def pulse(beat_times_s, duration_s, dicrotic=0.4, sfreq=SFREQ):
    """Gaussian systolic waves of height 1 at the beats, each with a dicrotic wave 0.3 s later."""
    time_s = np.arange(round(duration_s * sfreq)) / sfreq
    wave = np.zeros(len(time_s))
    for beat_s in beat_times_s:
        wave += np.exp(-0.5 * ((time_s - beat_s) / 0.08) ** 2)
        wave += dicrotic * np.exp(-0.5 * ((time_s - beat_s - 0.3) / 0.1) ** 2)
    return wave


@pytest.mark.parametrize("bpm", [55.0, 75.0, 110.0])
def test_both_rules_read_the_rate_of_a_strong_pulse(bpm):
    wave = pulse(np.arange(0.3, 5.0, 60.0 / bpm), 5.0)
    assert published_rate(wave, SFREQ) == pytest.approx(bpm, rel=0.01)
    assert beat_rate(find_beats(wave, SFREQ), 0.0, 5.0) == pytest.approx(bpm, rel=0.01)


def test_the_published_rule_loses_a_weak_pulse_and_ours_does_not():
    wave = pulse(np.arange(0.3, 5.0, 0.8), 5.0)
    assert np.isnan(published_rate(0.2 * wave, SFREQ))
    np.testing.assert_allclose(find_beats(0.2 * wave, SFREQ), find_beats(wave, SFREQ), atol=1e-9)


def test_the_published_rule_has_no_rate_for_a_slow_pulse():
    wave = pulse(np.arange(0.3, 10.0, 1.5), 10.0)
    assert np.isnan(published_rate(wave[:10_000], SFREQ))
    assert beat_rate(find_beats(wave, SFREQ), 0.0, 10.0) == pytest.approx(40.0, rel=0.02)


def test_a_lost_sample_or_a_short_window_has_no_published_rate():
    wave = pulse(np.arange(0.3, 5.0, 0.8), 5.0)
    assert np.isnan(published_rate(wave[:1000], SFREQ))
    wave[4000] = np.nan
    assert np.isnan(published_rate(wave, SFREQ))


def test_every_beat_of_an_uneven_pulse_is_found_once(rng):
    beats_s = 0.5 + np.cumsum(rng.uniform(0.75, 1.05, size=30))
    wave = pulse(beats_s, beats_s[-1] + 1.0) + 0.01 * rng.standard_normal(round((beats_s[-1] + 1.0) * SFREQ))
    found = find_beats(wave, SFREQ)
    assert len(found) == len(beats_s)
    # The band-pass moves peaks of uneven beats a little.
    np.testing.assert_allclose(found, beats_s, atol=0.03)


def test_no_beats_in_a_constant():
    assert len(find_beats(np.ones(20_000), SFREQ)) == 0


def test_an_interval_over_a_missed_beat_is_left_out():
    assert beat_rate(np.array([0.0, 0.8, 1.6, 3.2, 4.0]), 0.0, 5.0) == pytest.approx(75.0)


def test_a_rate_needs_two_intervals_within_the_window():
    beats_s = np.array([0.0, 1.0, 2.0, 3.0])
    assert beat_rate(beats_s, 0.0, 3.0) == pytest.approx(60.0)
    assert np.isnan(beat_rate(beats_s, 0.5, 3.0))
    assert np.isnan(beat_rate(np.array([0.0, 0.1, 0.2, 0.3]), 0.0, 5.0))


def test_power_lies_at_the_harmonics_of_a_pulse_and_not_of_noise(rng):
    clean = pulse(np.arange(0.3, 5.0, 0.8), 5.0)
    # White up to 50 Hz, held, so that it has the content promised.
    noise = np.repeat(rng.standard_normal((40, 500)), 20, axis=1)
    shares = [harmonic_share(wave, SFREQ) for wave in noise]
    assert harmonic_share(clean, SFREQ) > 0.85
    assert np.mean(np.array(shares) < LEAST_HARMONIC_SHARE) >= 0.9
    assert np.isnan(harmonic_share(np.zeros(10_000), SFREQ))
