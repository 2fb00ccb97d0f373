from __future__ import annotations

import numpy as np
import pytest

from rtasmr.player.schedule import LATE_S, CatchUp, Picture, PictureSchedule, shown_stamp

IMAGE = np.zeros((2, 2, 3), np.uint8)


def filled(*positions: float) -> PictureSchedule:
    schedule = PictureSchedule()
    for position_s in positions:
        schedule.push(Picture(position_s, IMAGE, IMAGE))
    return schedule


def test_a_picture_is_due_at_its_time_and_only_once():
    schedule = filled(0.0, 0.04)
    assert schedule.take_due(-0.01) is None
    assert schedule.take_due(0.0).position_s == 0.0
    assert schedule.next_due_s == 0.04
    assert schedule.take_due(0.039) is None
    assert schedule.take_due(0.041).position_s == 0.04
    assert schedule.next_due_s is None
    assert schedule.n_dropped == 0


def test_what_is_late_makes_room_for_the_newest_and_is_counted():
    schedule = filled(0.0, 0.04, 0.08, 0.12)
    assert schedule.take_due(0.09).position_s == 0.08
    assert schedule.n_dropped == 2
    assert len(schedule) == 1


def test_nothing_is_due_where_nothing_was_decoded():
    schedule = PictureSchedule()
    assert schedule.take_due(1e9) is None
    assert (schedule.n_dropped, schedule.next_due_s) == (0, None)


@pytest.mark.parametrize(("late_s", "error_s"), [(0.002, 0.0), (LATE_S - 1e-6, 0.0), (0.03, 0.03)])
def test_a_stamp_is_never_further_than_the_limit_from_what_was_seen(late_s, error_s):
    assert shown_stamp(7.0, 7.0 + late_s) == pytest.approx(7.0 + error_s, abs=1e-12)


def test_a_decoder_that_keeps_up_leaves_nothing_out():
    catch_up = CatchUp()
    assert not any(catch_up.skips(k / 25, now_s=k / 25 - 0.2) for k in range(100))
    assert catch_up.n_skipped == 0


def test_a_decoder_that_is_behind_leaves_out_what_is_late():
    """A second behind: of 25 pictures per second two are given, so that something is seen."""
    catch_up = CatchUp()
    given = [k for k in range(100) if not catch_up.skips(k / 25, now_s=k / 25 + 1.0)]
    assert given == [0, *range(13, 100, 13)]
    assert catch_up.n_skipped == 100 - len(given)
    assert not catch_up.skips(4.0, now_s=4.04)
