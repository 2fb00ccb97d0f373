"""What arrival and age of blocks tell of the time of a sound input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtasmr.sources.sound_blocks import BlockConverter
from rtasmr.sources.sound_delivery import CAPTURED, FIRST_LIMIT_S, SLIDE_SEEN_S, DeliveryWatch, State
from rtasmr.sources.sound_inputs import PLAYED

SFREQ = 48_000
N = 960
BLOCK_S = 0.02
OPENED = 100.0
SECOND = round(1 / BLOCK_S)


def arrivals(n_blocks, *, drift=0.0):
    """Return when blocks arrive that nothing delays."""
    return OPENED + (1 + drift) * BLOCK_S * np.arange(1, n_blocks + 1)


def take(watch, times, ages=0.004, flagged=None):
    ages = np.broadcast_to(ages, len(times))
    return [watch.take(N, times[k], ages[k], is_flagged=k == flagged) for k in range(len(times))]


def first(places, *wanted):
    return next(k for k, place in enumerate(places) if place.state in wanted)


def lost(places):
    return {k: place.n_lost for k, place in enumerate(places) if place.n_lost}


def test_a_steady_input_begins_after_half_a_second_with_the_age_told():
    watch = DeliveryWatch(SFREQ, OPENED)
    places = take(watch, arrivals(100), 0.004)
    k = first(places, State.BEGINS)
    assert 0.4 <= (k + 1) * BLOCK_S <= 0.6
    assert watch.delay_s == pytest.approx(0.004)
    assert {place.state for place in places[k + 1 :]} == {State.GOES_ON}


def test_what_a_block_waited_in_a_buffer_is_not_in_the_delay(rng):
    watch = DeliveryWatch(SFREQ, OPENED)
    late = np.where(rng.random(100) < 0.5, 0.0, 0.015)
    take(watch, arrivals(100) + late, 0.004 + late)
    assert watch.delay_s == pytest.approx(0.004)


@pytest.mark.parametrize(
    ("ages", "told_s", "taken_s"),
    [
        (PLAYED, -0.0098, -0.0098),
        (PLAYED, math.nan, -0.010),
        (PLAYED, 0.021, -0.010),
        (CAPTURED, 0.15, 0.15),
        (CAPTURED, 3.0, 0.0),
        (CAPTURED, -0.003, 0.0),
        (CAPTURED, math.nan, 0.0),
    ],
)
def test_only_a_monitor_may_be_ahead(ages, told_s, taken_s):
    watch = DeliveryWatch(SFREQ, OPENED, ages)
    take(watch, arrivals(100), told_s)
    assert watch.delay_s == pytest.approx(taken_s)


@pytest.mark.parametrize("wrong_for_s", [0.0, 0.3, 0.6, 1.2])
def test_after_a_pause_of_the_server_no_age_is_taken_that_is_wrong(wrong_for_s):
    """As measured: nothing for 2 s, an age of 0.67 s for some time, which then falls to the true one."""
    times = arrivals(200) + 2.0
    elapsed = np.arange(200) * BLOCK_S
    told = np.maximum(-0.0098, 0.67 - np.maximum(0.0, 0.5 * (elapsed - wrong_for_s)))
    watch = DeliveryWatch(SFREQ, OPENED, PLAYED)
    places = take(watch, times, told)
    k = first(places, State.BEGINS)
    assert watch.delay_s == pytest.approx(-0.0098, abs=1e-3)
    assert times[k] < OPENED + FIRST_LIMIT_S
    assert watch.n_unsteady == 0


def test_an_age_that_never_settles_is_not_believed_and_that_is_told(rng):
    watch = DeliveryWatch(SFREQ, OPENED, PLAYED)
    times = arrivals(6 * SECOND)
    places = take(watch, times, rng.uniform(-0.1, 0.1, len(times)))
    k = first(places, State.BEGINS, State.BEGINS_UNSTEADY)
    assert places[k].state is State.BEGINS_UNSTEADY
    assert times[k] == pytest.approx(OPENED + FIRST_LIMIT_S, abs=2 * BLOCK_S)
    assert (watch.delay_s, watch.n_unsteady) == (PLAYED.usual_s, 1)


def test_sound_handed_out_ahead_at_once_is_left_out():
    """2 s of sound within 0.1 s, then nothing until it is due."""
    n_burst = 2 * SECOND
    times = arrivals(4 * SECOND)
    times[:n_burst] = OPENED + 0.001 * np.arange(n_burst)
    watch = DeliveryWatch(SFREQ, OPENED)
    places = take(watch, times)
    assert first(places, State.BEGINS, State.BEGINS_UNSTEADY) > n_burst
    assert lost(places) == {}


def test_late_blocks_and_a_clock_that_drifts_are_no_loss_and_no_slide(rng):
    watch = DeliveryWatch(SFREQ, OPENED)
    late = np.minimum(rng.exponential(0.02, 3000), 0.09)
    times = np.maximum.accumulate(arrivals(3000, drift=500e-6) + late)  # 30 ms apart after a minute
    places = take(watch, times, math.nan)
    assert lost(places) == {}
    assert watch.n_slides == 0


def test_a_block_that_lay_in_a_buffer_is_no_loss():
    watch = DeliveryWatch(SFREQ, OPENED)
    times, ages = arrivals(2 * SECOND), np.full(2 * SECOND, 0.004)
    held = slice(SECOND, SECOND + 10)
    ages[held] += times[held][-1] - times[held]
    times[held] = times[held][-1]
    assert lost(take(watch, times, ages)) == {}


@pytest.mark.parametrize("lost_s", [0.12, 0.5, 30.0])
def test_a_loss_is_counted_at_its_block_and_once(lost_s):
    watch = DeliveryWatch(SFREQ, OPENED)
    times = arrivals(150)
    times[80:] += lost_s
    places = take(watch, times)
    assert lost(places) == {80: pytest.approx(lost_s * SFREQ, abs=0.001 * SFREQ)}
    assert watch.n_slides == 0


def test_a_small_loss_counts_where_the_card_tells_of_it():
    watch = DeliveryWatch(SFREQ, OPENED)
    times = arrivals(150)
    times[80:] += 0.01
    assert lost(take(watch, times, flagged=80)) == {80: pytest.approx(480, abs=48)}


@pytest.mark.parametrize(
    ("moved_s", "seen_s"), [(-0.03, 0.0), (-0.5, 0.0), (0.03, SLIDE_SEEN_S), (0.09, SLIDE_SEEN_S)]
)
def test_a_slide_settles_anew_and_goes_on_at_its_true_place(moved_s, seen_s):
    n_before = 2 * SECOND
    times = arrivals(8 * SECOND)
    times[n_before:] += moved_s
    watch = DeliveryWatch(SFREQ, OPENED)
    places = take(watch, times)
    slid = first(places, State.SLID)
    assert times[slid] - times[n_before] == pytest.approx(seen_s, abs=2 * BLOCK_S)
    assert watch.n_slides == 1
    assert watch.slid_s == pytest.approx(moved_s, abs=0.005)
    again = slid + first(places[slid:], State.BEGINS)
    assert 0.4 <= (again - slid) * BLOCK_S <= 0.6
    assert {place.state for place in places[again + 1 :]} == {State.GOES_ON}


@pytest.mark.parametrize("moved_s", [-0.01, 0.01])
def test_a_sound_server_that_works_less_far_ahead_is_no_slide(moved_s):
    times = arrivals(8 * SECOND)
    times[2 * SECOND :] += moved_s
    watch = DeliveryWatch(SFREQ, OPENED)
    take(watch, times)
    assert watch.n_slides == 0


@pytest.mark.parametrize("sfreq", [44_100, SFREQ])
def test_lost_samples_leave_a_gap_of_their_length_in_the_counter(sfreq, rng):
    converter = BlockConverter(sfreq, 1)
    block = rng.integers(-1000, 1000, size=(sfreq, 1)).astype(np.int16)
    before, _ = converter.convert(block)
    converter.skip(sfreq // 2)
    after, counter = converter.convert(block)
    assert counter[0] == 1.5 * 44_100
    assert counter[-1] - counter[0] == len(after) - 1
    assert len(after) == pytest.approx(len(before), abs=1)
    assert converter.held_s == pytest.approx((44_100 - len(after)) / 44_100)
