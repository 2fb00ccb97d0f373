"""Stamps against arrivals: jumps are undone, losses and late data left alone, drift followed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtasmr.clockwatch import ClockJump, ClockWatch

SFREQ = 100.0
UNIX_S = 1_764_000_000.0


class Source:
    """Chunks of 5 samples, delivered 3 ms after their last one, on a clock that can be set."""

    def __init__(self, watch: ClockWatch, sfreq: float = SFREQ, start_s: float = 5000.0) -> None:
        self.watch = watch
        self.sfreq = sfreq
        self.start_s = start_s
        self.shift_s = 0.0
        self.next = 0
        self.errors: list[float] = []
        self.jumps: list[ClockJump] = []

    def deliver(self, n_chunks: int, late_s: float = 0.003, n_samples: int = 5) -> None:
        for _ in range(n_chunks):
            true = self.start_s + np.arange(self.next, self.next + n_samples) / self.sfreq
            self.next += n_samples
            corrected, jumps = self.watch.correct(true + self.shift_s, float(true[-1]) + late_s)
            self.errors += (corrected - true).tolist()
            self.jumps += jumps


@pytest.mark.parametrize("shift_s", [1.0, -1.0, 3600.0, -3600.0, 2e5, -2e5, UNIX_S])
def test_a_clock_that_is_set_loses_nothing_and_is_told_at_once(shift_s: float) -> None:
    source = Source(ClockWatch(SFREQ))
    source.deliver(40)
    source.shift_s = shift_s
    source.deliver(1)
    assert [jump.shift_s for jump in source.jumps] == [pytest.approx(shift_s, abs=1e-5)]
    source.deliver(40)
    assert len(source.jumps) == 1
    np.testing.assert_allclose(source.errors, 0, atol=1e-5)


@given(st.lists(st.floats(0.6, 2e5).flatmap(lambda s: st.sampled_from([s, -s])), max_size=5))
@settings(max_examples=30, deadline=None)
def test_any_run_of_jumps_leaves_the_stamps_true(shifts: list[float]) -> None:
    source = Source(ClockWatch(SFREQ))
    source.deliver(20)
    for shift_s in shifts:
        source.shift_s += shift_s
        source.deliver(20)
    assert len(source.jumps) == len(shifts)
    np.testing.assert_allclose(source.errors, 0, atol=1e-5)


def test_a_jump_within_a_delivery_is_found_at_its_sample() -> None:
    watch = ClockWatch(SFREQ)
    watch.correct(np.arange(10) / SFREQ, 0.1)
    true = np.arange(10, 20) / SFREQ
    sent = true + np.where(np.arange(10) < 4, 0.0, -3600.0)
    corrected, jumps = watch.correct(sent, 0.2)
    np.testing.assert_allclose(corrected, true, atol=1e-9)
    assert len(jumps) == 1


@pytest.mark.parametrize("lag_s", [-1.0, 60.0, UNIX_S, -UNIX_S])
def test_a_source_on_another_clock_from_the_start_is_stamped_by_arrival(lag_s: float) -> None:
    source = Source(ClockWatch(SFREQ))
    source.shift_s = -lag_s
    source.deliver(10)
    assert [jump.shift_s for jump in source.jumps] == [pytest.approx(-lag_s, abs=0.01)]
    np.testing.assert_allclose(source.errors, 0.003, atol=1e-5)  # as late as the first delivery


@pytest.mark.parametrize("outage_s", [0.6, 5.0, 4000.0])
def test_a_loss_is_not_a_jump(outage_s: float) -> None:
    source = Source(ClockWatch(SFREQ))
    source.deliver(40)
    source.next += round(outage_s * SFREQ)
    source.deliver(40)
    assert source.jumps == []
    np.testing.assert_allclose(source.errors, 0, atol=1e-9)


def test_a_jump_that_hides_a_loss_is_placed_by_arrival() -> None:
    source = Source(ClockWatch(SFREQ))
    source.deliver(40)
    source.next += 300  # 3 s lost, and the clock set back an hour meanwhile
    source.shift_s = -3600.0
    source.deliver(40)
    assert len(source.jumps) == 1
    np.testing.assert_allclose(source.errors, 0, atol=1e-5)


def test_late_data_are_not_a_jump() -> None:
    """A stall of the network: 4 s come at once, up to 4 s late, after which all is as before."""
    source = Source(ClockWatch(SFREQ))
    source.deliver(40)
    for i in range(80):
        source.deliver(1, late_s=4.0 - i * 0.05)
    source.deliver(40)
    assert source.jumps == []
    np.testing.assert_allclose(source.errors, 0, atol=1e-9)


def test_what_waited_for_the_first_pull_feigns_no_jump() -> None:
    """Two pictures a second; the first one is picked up 0.4 s late, the others at once."""
    watch = ClockWatch(0.0)
    for k in range(20):
        corrected, jumps = watch.correct(np.array([k / 2]), k / 2 + (0.4 if k == 0 else 0.005))
        assert (corrected[0], jumps) == (k / 2, [])


def test_a_backlog_that_clears_with_a_loss_feigns_no_jump() -> None:
    """For 8 s everything comes 3 s late; then 3 s are thrown away and the rest is on time."""
    source = Source(ClockWatch(SFREQ))
    source.deliver(40)
    source.deliver(160, late_s=3.0)
    source.next += 300
    source.deliver(40)
    assert source.jumps == []
    np.testing.assert_allclose(source.errors, 0, atol=1e-9)


def test_bursts_are_not_jumps() -> None:
    source = Source(ClockWatch(SFREQ, burst_s=0.8))
    source.deliver(50, n_samples=80)
    assert source.jumps == []
    source.shift_s = 1.0
    source.deliver(5, n_samples=80)
    assert [jump.shift_s for jump in source.jumps] == [pytest.approx(1.0)]


def test_an_irregular_stream_is_put_back_by_arrival() -> None:
    source = Source(ClockWatch(0.0), sfreq=30.0)
    source.deliver(60, n_samples=1)
    source.shift_s = 3600.0
    source.deliver(60, n_samples=1)
    assert [jump.shift_s for jump in source.jumps] == [pytest.approx(3600.0, abs=0.04)]
    np.testing.assert_allclose(source.errors, 0, atol=1e-5)


def test_markers_may_be_early_and_late_but_not_on_another_clock() -> None:
    watch = ClockWatch(0.0, is_marker=True)
    for lag_s in (0.0, 12.0, -8.0, 3.0):
        corrected, jumps = watch.correct(np.array([1000.0 - lag_s]), 1000.0)
        assert (corrected[0], jumps) == (1000.0 - lag_s, [])
    corrected, jumps = watch.correct(np.array([UNIX_S]), 1001.0)
    assert corrected[0] == 1001.0
    assert len(jumps) == 1


def misalignment(ppm: float, rng: np.random.Generator, **options: float) -> NDArray[np.float64]:
    """Run 150 s of a source whose clock drifts; return what its correction is off by, in s, per delivery.

    The jitter of the stamps themselves is left out: the buffer behind averages it.
    """
    burst_s, jitter_s = options.get("burst_s", 0.0), options.get("jitter_s", 0.0)
    step_s = burst_s or 0.05
    n = round(step_s * SFREQ)
    watch = ClockWatch(SFREQ, burst_s, follow_drift=True)
    errors = []
    for k in range(round(150 / step_s)):
        true = np.arange(k * n, (k + 1) * n) / SFREQ
        arrival_s = (k + 1) * step_s + abs(rng.normal(0, 0.003))
        sent = true * (1 + ppm * 1e-6) + rng.normal(0, jitter_s)
        corrected, jumps = watch.correct(sent, arrival_s)
        assert jumps == []
        errors.append(float(np.mean(corrected - sent + true * ppm * 1e-6)))
    return np.array(errors)


@pytest.mark.parametrize("ppm", [500.0, -500.0, 100.0, 0.0])
@pytest.mark.parametrize("burst_s", [0.0, 0.8])
def test_drift_is_followed_from_the_start(ppm: float, burst_s: float, rng: np.random.Generator) -> None:
    errors = np.abs(misalignment(ppm, rng, burst_s=burst_s))
    assert errors.max() < 0.0085
    assert errors[len(errors) * 2 // 5 :].max() < (0.003 if ppm else 1e-9)


@pytest.mark.parametrize("ppm", [500.0, -500.0, 0.0])
def test_drift_is_followed_through_jitter_within_ten_milliseconds(ppm: float) -> None:
    """In most runs; jitter of 20 ms hides a drift of 500 ppm for some 15 s."""
    worst = [
        np.abs(misalignment(ppm, np.random.default_rng(seed), jitter_s=0.02)).max() for seed in range(10)
    ]
    assert max(worst) < 0.015
    assert np.median(worst) < 0.010


def test_a_clock_that_is_set_goes_as_fast_as_before(rng: np.random.Generator) -> None:
    """500 ppm for a minute and an hour back: half a minute later nothing is off by the 15 ms since."""
    watch = ClockWatch(SFREQ, follow_drift=True)
    errors = []
    for k in range(1800):
        true = np.arange(k * 5, (k + 1) * 5) / SFREQ
        sent = true * (1 + 500e-6) - (3600.0 if k >= 1200 else 0.0)
        corrected, _ = watch.correct(sent, float(true[-1]) + 0.003 + abs(rng.normal(0, 0.001)))
        errors.append(float(np.abs(corrected - true).max()))
    assert max(errors[1200:]) < 0.005


def test_one_stall_does_not_pass_for_drift(rng: np.random.Generator) -> None:
    """For 5 s everything is 0.3 s late, and then on time again."""
    watch = ClockWatch(SFREQ, follow_drift=True)
    errors = []
    for k in range(2400):
        true = np.arange(k * 5, (k + 1) * 5) / SFREQ
        late_s = 0.3 if 600 <= k < 700 else 0.0
        corrected, _ = watch.correct(true, float(true[-1]) + late_s + abs(rng.normal(0, 0.003)))
        errors.append(float(np.abs(corrected - true).max()))
    assert max(errors) < 0.003


def test_a_backlog_is_not_a_drift() -> None:
    """A reader that falls behind by a tenth of a second every second."""
    watch = ClockWatch(SFREQ, follow_drift=True)
    for k in range(600):
        true = np.arange(k * 5, (k + 1) * 5) / SFREQ
        corrected, _ = watch.correct(true, float(true[-1]) * 1.1 + 0.003)
        np.testing.assert_array_equal(corrected, true)


def test_a_source_on_this_clock_is_left_as_it_is() -> None:
    source = Source(ClockWatch(SFREQ))
    for k in range(1200):
        source.deliver(1, late_s=0.003 + k * 1e-5)
    assert not any(source.errors)
    assert not any(map(math.isnan, source.errors))
