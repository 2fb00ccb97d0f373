from __future__ import annotations

import math

import pytest

from rtasmr.player.timeline import Timeline


def test_positions_follow_the_clock():
    line = Timeline(100.0)
    assert line.position_at(99.0) == -1.0
    assert line.position_at(103.5) == 3.5
    assert line.clock_at(3.5) == 103.5
    assert not line.held_at(103.5)


def test_a_hold_stops_positions_and_delays_what_follows():
    line = Timeline(100.0)
    line.hold(102.0)
    line.hold(102.5)  # held already
    assert line.is_held
    assert line.position_at(110.0) == 2.0
    assert line.clock_at(2.0) == 102.0  # what is due at the moment of the hold is still shown
    assert line.clock_at(2.1) == math.inf
    line.resume(105.0)
    line.resume(106.0)
    assert not line.is_held
    assert line.holds == [[102.0, 105.0]]
    assert line.position_at(103.0) == 2.0
    assert line.position_at(105.5) == 2.5
    assert line.clock_at(2.5) == 105.5
    assert [line.held_at(t) for t in (101.9, 102.0, 104.9, 105.0)] == [False, True, True, False]


def test_before_a_hold_that_is_to_come_time_goes_on():
    """A card is given silence 0.3 s before anybody hears it."""
    line = Timeline(0.0)
    line.hold(5.0)
    assert line.position_at(4.7) == 4.7
    assert not line.held_at(4.7)
    line.resume(4.0)  # taken back before it came
    assert line.holds == [[5.0, 5.0]]
    assert line.position_at(6.0) == 6.0


def test_a_step_that_ends_in_a_pause_takes_its_holds_along():
    """One that is over, one whose end is to come, one that has not begun."""
    line = Timeline(0.0)
    for start_s, stop_s in ((1.0, 2.0), (4.0, 5.3), (5.5, 6.0)):
        line.hold(start_s)
        line.resume(stop_s)
    line.end_holds(5.0)
    assert line.holds == [[1.0, 2.0], [4.0, 5.0]]
    assert line.position_at(5.0) == 3.0
    line.hold(7.0)
    line.end_holds(8.0)
    assert line.holds[-1] == [7.0, 8.0]


@pytest.mark.parametrize("position_s", [0.5, 1.0, 1.5, 3.0, 9.0])
def test_clock_and_position_are_each_others_inverse_over_several_holds(position_s):
    line = Timeline(10.0)
    for start_s, stop_s in ((11.0, 12.0), (13.0, 13.25), (20.0, 24.0)):
        line.hold(start_s)
        line.resume(stop_s)
    assert line.position_at(line.clock_at(position_s)) == position_s
