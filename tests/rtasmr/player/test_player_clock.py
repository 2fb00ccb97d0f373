from __future__ import annotations

import numpy as np
import pytest

from rtasmr.player.clock import STEP_S, ClockLine, SoundClock

BLOCK_S = 1102 / 44_100
T0 = 5_000.0


def observe(clock: SoundClock, positions, times) -> None:
    for position, time_s in zip(positions, times, strict=True):
        clock.observe(float(position), float(time_s))


def blocks(duration_s: float, start_s: float = 0.0) -> np.ndarray:
    return np.arange(start_s, start_s + duration_s, BLOCK_S)


def test_a_line_goes_both_ways():
    line = ClockLine(position_s=10.0, time_s=100.0, rate=1.5)
    assert line.time_of(12.0) == 103.0
    assert line.position_at(103.0) == 12.0


def test_nothing_is_known_before_the_observations_agree():
    clock = SoundClock()
    observe(clock, blocks(STEP_S / 2), T0 + blocks(STEP_S / 2))
    assert clock.line is None
    assert not clock.is_steady
    observe(clock, blocks(0.5, 0.2), T0 + blocks(0.5, 0.2))
    assert clock.line is not None
    assert not clock.is_steady


@pytest.mark.parametrize("drift", [-500e-6, 0.0, 50e-6, 500e-6])
def test_a_card_that_is_off_is_followed_for_ten_minutes(rng, drift):
    """With 1 ms of jitter on every observation the line stays within 1 ms of the truth."""
    clock = SoundClock()
    errors = []
    positions = blocks(600.0)
    truth = T0 + positions * (1 + drift)
    for position, true_s, time_s in zip(
        positions, truth, truth + rng.normal(0, 1e-3, len(truth)), strict=True
    ):
        clock.observe(position, time_s)
        if clock.is_steady:
            errors.append(clock.line.time_of(position) - true_s)
    assert np.abs(errors).max() < 1e-3
    assert np.abs(errors[-4000:]).max() < 0.5e-3
    assert clock.line.rate - 1 == pytest.approx(drift, abs=60e-6)
    assert clock.n_steps == 0


def test_without_jitter_the_line_is_exact():
    clock = SoundClock()
    observe(clock, blocks(5.0), T0 + blocks(5.0) * (1 + 80e-6))
    assert clock.line.time_of(6.0) == pytest.approx(T0 + 6.0 * (1 + 80e-6), abs=5e-6)
    assert clock.noise_s < 2e-5


def test_single_outliers_do_not_move_the_line(rng):
    """Every tenth callback comes 50 ms late, as it does on a busy machine."""
    positions = blocks(20.0)
    times = T0 + positions + rng.normal(0, 1e-4, len(positions))
    times[5::10] += 0.05
    clock = SoundClock()
    observe(clock, positions, times)
    assert clock.line.time_of(20.0) == pytest.approx(T0 + 20.0, abs=3e-4)
    assert clock.n_steps == 0


def test_buffers_filled_before_the_card_starts_are_left_out():
    """PortAudio asks for the first buffers all at once and says that they leave now."""
    ahead = blocks(0.12)
    clock = SoundClock()
    observe(clock, ahead, np.full(len(ahead), T0))
    observe(clock, blocks(2.0, ahead[-1] + BLOCK_S), T0 + 1.8 + blocks(2.0, ahead[-1] + BLOCK_S))
    assert clock.line.time_of(2.0) == pytest.approx(T0 + 3.8, abs=1e-4)


@pytest.mark.parametrize("pause_s", [0.03, 2.0, -0.02])
def test_a_pause_of_the_card_is_taken_up(pause_s):
    """After an underrun of 30 ms everything leaves 30 ms later; half a second on, the line knows."""
    clock = SoundClock()
    observe(clock, blocks(5.0), T0 + blocks(5.0))
    observe(clock, blocks(0.2, 5.0), T0 + pause_s + blocks(0.2, 5.0))
    assert clock.line.time_of(5.2) == pytest.approx(T0 + 5.2, abs=1e-4)  # it might be jitter
    assert clock.in_doubt
    observe(clock, blocks(0.3, 5.2), T0 + pause_s + blocks(0.3, 5.2))
    assert clock.line.time_of(5.5) == pytest.approx(T0 + pause_s + 5.5, abs=1e-4)
    assert clock.n_steps == 1
    assert not clock.in_doubt
    assert not clock.is_steady
