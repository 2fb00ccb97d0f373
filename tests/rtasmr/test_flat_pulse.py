"""Stretches in which a recorded pulse does not move."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.flat_pulse import flat_stretch_s, saturation

SFREQ = 100


def wave(n_s: float = 60.0) -> np.ndarray:
    """A pulse of 40 beats a minute, as a converter of 0.001 gives it."""
    t = np.arange(round(n_s * SFREQ)) / SFREQ
    return np.round(0.1 * np.sin(2 * np.pi * 2 / 3 * t), 3).astype(np.float32)


def test_a_pulse_that_moves_is_not_flat():
    assert flat_stretch_s(wave(), SFREQ) == 0.0


@pytest.mark.parametrize("values", [(0.0,), (0.3, 0.301)], ids=["one value", "one step of the converter"])
def test_a_sensor_that_sees_nothing_is_flat_for_as_long_as_it_lasts(values, rng):
    lost = wave()
    lost[2000:4500] = rng.choice(values, 2500)
    assert flat_stretch_s(lost, SFREQ) == pytest.approx(25.0, abs=0.1)
    lost[2250:] = wave()[2250:]  # 2.5 s
    assert flat_stretch_s(lost, SFREQ) == 0.0
    whole = rng.choice(values, 6000).astype(np.float32)
    assert flat_stretch_s(whole, SFREQ) == 60.0
    whole[::2] = np.nan
    assert flat_stretch_s(whole, SFREQ) == 30.0


def test_without_a_number_nothing_is_flat():
    assert flat_stretch_s(np.full(1000, np.nan, np.float32), SFREQ) == 0.0


def test_a_saturated_channel_is_said_to_be_used(rng):
    ramp = np.arange(1000, dtype=np.float32)
    assert saturation(ramp, SFREQ) == ""
    told = "saturated in 40.1 % of the samples"  # 400 at the limit and the lowest
    assert saturation(np.minimum(ramp, 600), SFREQ) == told
    dead = rng.choice((0.3, 0.301), 1000)
    dead[0] = 7.0
    assert saturation(dead, SFREQ) == ""
