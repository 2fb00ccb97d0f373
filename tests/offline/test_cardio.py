"""Windows, correlations and paired tests with answers worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from offline.behaviour import RatedTrial
from offline.cardio import (
    PulseComparison,
    PulseTrial,
    compare_conditions,
    condition_r,
    measure_comparison,
    published_rates,
    robust_rates,
    window_ratings,
    window_starts_s,
)
from rtasmr.biopac import PpgRecording
from rtasmr.types import TrialId

SFREQ = 2000.0
CLIP = RatedTrial(TrialId(1, "vid1"), 10.0, 70.0, np.zeros(550, dtype=np.int8))


@pytest.fixture
def recording():
    """80 s of pulse at 75 beats per minute, in phase with the clock; 1 mV from foot to peak."""
    time_s = np.arange(round(80 * SFREQ)) / SFREQ
    wave = np.exp(3.0 * (np.cos(2 * np.pi * 1.25 * time_s) - 1.0))
    return PpgRecording(
        np.stack((wave, wave), axis=1).astype(np.float32), SFREQ, 0.0, ("mV", "mV"), time_s / 60.0
    )


def pulse_trial(participant, video, rate_bpm, rating):
    rated = RatedTrial(TrialId(participant, video), 0.0, 60.0, np.zeros(550, dtype=np.int8))
    return PulseTrial(rated, np.asarray(rate_bpm, dtype=np.float64), np.asarray(rating, dtype=np.float64))


def comparison(asmr, nature):
    return PulseComparison(tuple(range(1, len(asmr) + 1)), np.array(asmr), np.array(nature), {}, 400, 300)


def test_windows_step_by_a_second_and_end_before_the_clip():
    assert list(window_starts_s(550)) == list(range(50))
    assert list(window_starts_s(507)) == list(range(46))
    assert list(window_starts_s(50)) == []


def test_the_rating_of_a_window_is_the_mean_of_its_frames():
    rating = np.zeros(550, dtype=np.int8)
    rating[70:] = 2  # from 7 s after the first frame
    means = window_ratings(rating)
    assert len(means) == 50
    # A window from 2 s ends at 7 s; each second later holds 10 more frames of 50 at level 2.
    np.testing.assert_allclose(means[:9], [0, 0, 0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.0])


def test_both_rules_read_a_steady_pulse(recording):
    faulty = np.zeros(len(recording.samples), dtype=bool)
    for rates in (published_rates(recording, CLIP), robust_rates(recording, CLIP, faulty)):
        np.testing.assert_allclose(rates, np.full(50, 75.0), rtol=0.01)


def test_the_published_windows_follow_the_time_column(recording):
    late = replace(recording, time_min=recording.time_min + 20.0 / 60.0)  # starts at 20 s by its own times
    rates = published_rates(late, CLIP)
    # The clip runs 10 to 70 s: windows up to 16 s hold less than half a second, or too few beats.
    assert np.isnan(rates[:2]).all()
    assert np.isfinite(rates[5:]).all()


def test_our_windows_leave_out_what_the_sensor_lost(recording):
    faulty = np.zeros(len(recording.samples), dtype=bool)
    faulty[round(30.5 * SFREQ)] = True  # 15.5 s after the first published frame
    rates = robust_rates(recording, CLIP, faulty)
    assert np.flatnonzero(np.isnan(rates)).tolist() == [11, 12, 13, 14, 15]
    assert np.isnan(robust_rates(recording, CLIP, ~np.zeros_like(faulty))).all()


def test_windows_after_the_end_of_the_recording_have_no_rate(recording):
    n_kept = round(40 * SFREQ)
    short = replace(recording, samples=recording.samples[:n_kept], time_min=recording.time_min[:n_kept])
    rates = robust_rates(short, CLIP, np.zeros(n_kept, dtype=bool))
    # The window from 20 s after the first published frame, at 15 s, ends with the file.
    assert np.isfinite(rates).tolist() == [i <= 20 for i in range(50)]


def test_noise_has_no_rate(recording, rng):
    noise = np.repeat(rng.standard_normal((len(recording.samples) // 20, 2)), 20, axis=0)
    rates = robust_rates(
        replace(recording, samples=noise.astype(np.float32)), CLIP, np.zeros(len(noise), dtype=bool)
    )
    assert np.mean(np.isnan(rates)) > 0.8


def test_correlation_pools_the_windows_of_a_condition():
    # Ranks fall throughout: -1, whatever the spacing.
    first = pulse_trial(1, "vid1", [90, 85, 84, 83, 82, 81], [0, 0.1, 0.2, 0.3, 0.4, 0.5])
    second = pulse_trial(1, "vid2", [70, 65, np.nan, 60, 50, 49], [1, 2, 0, 2.5, 2.6, 2.7])
    assert condition_r([first, second]) == (pytest.approx(-1.0), "")


@pytest.mark.parametrize(
    ("rate", "rating", "reason"),
    [
        (np.arange(10), np.arange(10), "10 windows with a pulse rate"),
        (np.arange(20), np.full(20, 0.7), "constant rating"),
        (np.full(20, 60.0), np.arange(20), "constant pulse rate"),
    ],
)
def test_no_correlation_has_a_reason(rate, rating, reason):
    r, why = condition_r([pulse_trial(1, "vid1", rate, rating)])
    assert math.isnan(r)
    assert why == reason


def test_a_participant_needs_both_conditions(rng):
    trials = []
    for participant in (3, 1, 2):
        trials.append(pulse_trial(participant, "vid1", rng.random(20), rng.random(20)))
        flat = participant == 2
        trials.append(
            pulse_trial(participant, "vid5", rng.random(20), np.zeros(20) if flat else rng.random(20))
        )
    found = compare_conditions(trials)
    assert found.participants == (1, 3)
    assert found.left_out == {2: "nature: constant rating"}
    assert (found.n_windows, found.n_with_rate) == (120, 120)


def test_paired_tests_on_z_and_on_r():
    measured = measure_comparison(comparison([-0.5, 0.0, 0.2], [0.1, 0.3, 0.0]), "cardio", [9])
    d = np.arctanh([-0.5, 0.0, 0.2]) - np.arctanh([0.1, 0.3, 0.0])
    assert measured["cardio.t"].value == pytest.approx(d.mean() / (d.std(ddof=1) / np.sqrt(3)))
    raw = np.array([-0.6, -0.3, 0.2])
    assert measured["cardio.raw_r.t"].value == pytest.approx(raw.mean() / (raw.std(ddof=1) / np.sqrt(3)))
    assert measured["cardio.asmr.mean_r"].value == pytest.approx(-0.1)
    assert measured["cardio.p"].value == measured["cardio.t"].p
    assert "75.0 % of the windows" in measured["cardio.t"].note
    assert "no pulse recording: 009" in measured["cardio.t"].note


def test_a_correlation_of_1_is_held_at_a_finite_z():
    found = measure_comparison(comparison([1.0, 0.5, -0.2], [0.0, 0.1, 0.3]), "cardio", [])["cardio.t"]
    assert found.value is not None
    assert math.isfinite(found.value)
    assert "1 correlations of 1 or -1" in found.note


def test_too_few_participants_or_equal_differences_have_a_reason():
    alone = measure_comparison(comparison([0.1], [0.2]), "cardio.robust", [])
    assert {number.value for number in alone.values()} == {None}
    assert alone["cardio.robust.t"].note.startswith("a paired test needs two participants")
    equal = measure_comparison(comparison([0.1, 0.1], [0.2, 0.2]), "cardio", [])
    assert equal["cardio.t"].value is None
    assert "all differences are equal" in equal["cardio.t"].note
    assert equal["cardio.asmr.mean_r"].value == pytest.approx(0.1)
