"""Simulated people and pulses: what the truth says is what the signals hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from offline.simulation.drive import stimulus_drives
from offline.simulation.processes import slow_noise, smoothed
from offline.simulation.pulse import NO_EFFECT, STEP_MV, TINGLE_EFFECT, simulate_pulse
from offline.simulation.response import Person, draw_person, key_strokes, tingle_intensity
from rtasmr.types import ASMR_VIDEOS, VIDEOS

PROMPT = Person(sensitivity=0.0, is_responder=True, rise_s=1.0, reaction_s=1.0, patience_s=2.0)


def test_drives_cover_every_video_and_differ(rng: np.random.Generator) -> None:
    drives = stimulus_drives(rng)
    assert tuple(drives) == VIDEOS
    assert all(drive.shape == (600,) and drive.min() >= 0 and drive.max() <= 1 for drive in drives.values())
    correlations = np.corrcoef(list(drives.values()))
    assert np.abs(correlations - np.eye(8)).max() < 0.95


def test_slow_noise_has_the_wanted_spread_and_memory(rng: np.random.Generator) -> None:
    noise = slow_noise(200_000, sd=0.5, time_s=2.0, rng=rng)
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    lag = 20  # two seconds
    assert np.corrcoef(noise[:-lag], noise[lag:])[0, 1] == pytest.approx(np.exp(-1), abs=0.05)


def test_smoothing_rests_on_its_first_value_and_follows_a_step() -> None:
    step = np.where(np.arange(100) < 50, 2.0, 4.0)
    followed = smoothed(step, time_s=1.0)
    np.testing.assert_allclose(followed[:50], 2.0)
    # After n further ticks a first-order lag has 1 - exp(-n / 10) of the step.
    np.testing.assert_allclose(followed[50:], 4.0 - 2.0 * np.exp(-np.arange(1, 51) / 10))


def test_a_non_responder_feels_nothing(rng: np.random.Generator) -> None:
    person = Person(sensitivity=0.0, is_responder=False, rise_s=1.0, reaction_s=1.0, patience_s=2.0)
    assert not any(tingle_intensity(person, video, np.ones(600), rng).any() for video in ASMR_VIDEOS)


def test_keys_follow_a_step_after_the_reaction_time(rng: np.random.Generator) -> None:
    feeling = np.where(np.arange(600) < 200, 0.0, 2.0)
    firsts = [key_strokes(PROMPT, feeling, 600_000, rng)[0] for _ in range(40)]
    plain = [stroke for stroke in firsts if stroke.code == 3 and 210_000 <= stroke.offset < 211_000]
    # The others open with a stroke on a boundary.
    assert len(plain) >= 30


def test_a_rating_lag_moves_every_key_and_nothing_else() -> None:
    feeling = np.where(np.arange(600) % 200 < 100, 0.0, 2.0)
    # Seed 3 draws no stroke on a boundary: those lie where they lie.
    prompt, late = (
        key_strokes(PROMPT, feeling, 600_000, np.random.default_rng(3), lag_s=lag_s) for lag_s in (0.0, 1.5)
    )
    assert [(stroke.offset + 15_000, stroke.code) for stroke in prompt] == [
        (stroke.offset, stroke.code) for stroke in late
    ]
    assert len(late) >= 5


def test_a_scaled_effect_keeps_its_time() -> None:
    half = TINGLE_EFFECT.scaled(0.5)
    assert (half.rr_gain, half.amplitude_gain) == (0.03, 0.15)
    assert half.lag_s == TINGLE_EFFECT.lag_s
    assert TINGLE_EFFECT.scaled(1.0) == TINGLE_EFFECT


def test_small_wavering_presses_no_key(rng: np.random.Generator) -> None:
    feeling = 0.5 + 0.15 * np.sin(np.arange(600))
    strokes = [stroke for _ in range(40) for stroke in key_strokes(PROMPT, feeling, 600_000, rng)]
    assert len(strokes) <= 2 * 40 * 0.3  # boundary strokes alone


def test_no_stroke_lies_past_the_end_and_some_lie_on_it(rng: np.random.Generator) -> None:
    strokes = [stroke for _ in range(300) for stroke in key_strokes(PROMPT, np.full(600, 1.0), 600_000, rng)]
    assert {stroke.code for stroke in strokes} <= {1, 2, 3, 4}
    assert max(stroke.offset for stroke in strokes) == 600_000
    assert any(stroke.offset == 50_000 for stroke in strokes)


def agreement(tracks: np.ndarray) -> float:
    """Mean leave-one-out correlation of every varying track with the mean of the others, by Fisher's z."""
    values = []
    for i, track in enumerate(tracks):
        if track.std() > 0:
            values.append(np.corrcoef(track, np.delete(tracks, i, axis=0).mean(axis=0))[0, 1])
    return float(np.tanh(np.mean(np.arctanh(values))))


@pytest.mark.parametrize(("video", "paper"), [("vid2", 0.424), ("vid3", 0.539)])
def test_people_agree_about_as_much_as_in_the_study(
    rng: np.random.Generator, video: str, paper: float
) -> None:
    drives = stimulus_drives(rng)
    people = [draw_person(rng) for _ in range(170)]
    tracks = []
    for person in people:
        strokes = key_strokes(person, tingle_intensity(person, video, drives[video], rng), 600_000, rng)
        offsets = [stroke.offset for stroke in strokes]
        levels = np.array([0, *(stroke.code - 1 for stroke in strokes)])
        tracks.append(levels[np.searchsorted(offsets, 1000 * np.arange(50, 600), side="right")])
    assert agreement(np.array(tracks)) == pytest.approx(
        paper, abs=0.1
    )  # 0.03 from one draw of drives to the next


def intervals_s(intensity: np.ndarray, tingle: bool) -> tuple[np.ndarray, np.ndarray]:
    """Beat intervals and the tingle at each."""
    effect = TINGLE_EFFECT if tingle else NO_EFFECT
    beats = simulate_pulse(intensity, effect, np.random.default_rng(5)).beat_times_s
    middle = (beats[1:] + beats[:-1]) / 2
    return np.diff(beats), np.interp(middle, np.arange(7200) / 10, intensity)


def test_a_tingle_slows_the_pulse_by_the_stated_share_and_only_in_its_scenario() -> None:
    intensity = np.where(np.arange(7200) % 1200 < 600, 3.0, 0.0)
    rest, _ = intervals_s(np.zeros(7200), tingle=True)
    for tingle, share in ((True, TINGLE_EFFECT.rr_gain), (False, 0.0)):
        rr_s, felt = intervals_s(intensity, tingle)
        ratio = rr_s[felt == 3.0].mean() / rr_s[felt == 0.0].mean()
        # Slow drifts of 2.5 % over six minutes each.
        assert ratio == pytest.approx(1.0 + share, abs=0.015)
    assert 60.0 / 90.0 < rest.mean() < 60.0 / 50.0


def test_a_tingle_enlarges_the_waves_by_the_stated_share() -> None:
    intensity = np.where(np.arange(7200) < 3600, 0.0, 3.0)
    spread = []
    for effect in (TINGLE_EFFECT, NO_EFFECT):
        wave = STEP_MV * simulate_pulse(intensity, effect, np.random.default_rng(5)).codes[:, 1].astype(float)
        spread.append(wave[760_000:].std() / wave[:680_000].std())
    # The same random numbers: all but the effect cancels.
    assert spread[0] / spread[1] == pytest.approx(1.0 + TINGLE_EFFECT.amplitude_gain, abs=0.05)


def test_beats_of_the_truth_are_the_feet_of_the_waves(rng: np.random.Generator) -> None:
    pulse = simulate_pulse(np.zeros(7200), NO_EFFECT, rng)
    wave = STEP_MV * pulse.codes[:, 1].astype(float)
    feet = pulse.beat_times_s[1:-2]
    peaks = np.array(
        [
            np.argmax(wave[round(2000 * a) : round(2000 * b)]) / (2000 * (b - a))
            for a, b in itertools.pairwise(feet)
        ]
    )
    # The systolic wave stands at 0.22 of the beat.
    assert np.median(peaks) == pytest.approx(0.22, abs=0.03)


def test_the_filtered_channel_is_a_causal_band_pass(rng: np.random.Generator) -> None:
    codes = simulate_pulse(np.zeros(7200), NO_EFFECT, rng).codes.astype(float)
    spectrum = np.abs(np.fft.rfft(codes, axis=0))
    hz = np.fft.rfftfreq(len(codes), 1 / 2000)
    raw, filtered = spectrum[:, 0], spectrum[:, 1]
    for low, high, gain in ((1.0, 10.0, 1.0), (0.01, 0.1, 0.0), (200.0, 900.0, 0.03)):
        band = (hz >= low) & (hz < high)
        assert np.median(filtered[band] / raw[band]) == pytest.approx(gain, abs=0.1)
