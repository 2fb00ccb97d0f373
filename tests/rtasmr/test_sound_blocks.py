"""Blocks of a card that is neither mono nor at 44.1 kHz."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.sources.sound_blocks import BlockConverter


def converted(converter, sound, cuts):
    parts = [converter.convert(block) for block in np.split(sound, cuts)]
    return np.concatenate([samples for samples, _ in parts]), np.concatenate([count for _, count in parts])


def test_mono_at_the_wanted_rate_passes_as_it_is(rng):
    sound = rng.integers(-32768, 32768, size=(1000, 1)).astype(np.int16)
    converter = BlockConverter(44_100, 1)
    samples, counter = converted(converter, sound, [10, 700])
    np.testing.assert_array_equal(samples, sound[:, 0])
    np.testing.assert_array_equal(counter, np.arange(1000))
    assert converter.held_s == 0


def test_two_channels_are_averaged():
    sound = np.tile(np.array([[1000, 3000]], np.int16), (500, 1))
    samples, _ = BlockConverter(44_100, 2).convert(sound)
    np.testing.assert_allclose(samples, 2000, atol=1)


def test_resampling_keeps_pitch_and_place_and_does_not_depend_on_the_cuts(rng):
    n = 48_000
    sound = np.round(10_000 * np.sin(2 * np.pi * 1000 * np.arange(n) / 48_000)).astype(np.int16)[:, None]
    converter = BlockConverter(48_000, 1)
    samples, counter = converted(converter, sound, np.sort(rng.integers(0, n, 60)))
    whole, _ = BlockConverter(48_000, 1).convert(sound)
    np.testing.assert_array_equal(samples, whole)
    np.testing.assert_array_equal(counter, np.arange(len(samples)))
    assert converter.held_s == pytest.approx((n / 48_000) - len(samples) / 44_100)
    assert 0 <= converter.held_s < 0.01
    wanted = 10_000 * np.sin(2 * np.pi * 1000 * counter / 44_100)
    np.testing.assert_allclose(samples[100:], wanted[100:], atol=20)
