from __future__ import annotations

import pytest

from rtasmr.player.rating import RatingDesk, level_of


class Outlet:
    """Notes what is published."""

    def __init__(self) -> None:
        self.levels: list[tuple[str, float]] = []
        self.values: list[tuple[float, float]] = []

    def marker(self, stream: str, text: str, time_s: float) -> None:
        assert stream == "rating"
        self.levels.append((text, time_s))

    def slid(self, value: float, time_s: float) -> None:
        self.values.append((value, time_s))


def desk(*, is_continuous: bool) -> tuple[RatingDesk, Outlet]:
    ratings, outlet = RatingDesk(is_continuous=is_continuous), Outlet()
    ratings.open(outlet)
    return ratings, outlet


@pytest.mark.parametrize(
    ("value", "level"), [(0, 0), (0.49, 0), (0.5, 1), (1.49, 1), (2.5, 3), (3, 3), (-1, 0), (7, 3)]
)
def test_a_value_stands_for_the_nearest_level(value, level):
    assert level_of(value) == level


def test_keys_publish_every_press_and_nothing_continuous():
    ratings, outlet = desk(is_continuous=False)
    for level, time_s in ((2, 1.0), (2, 2.0), (0, 3.0)):
        ratings.press(level, time_s)
    assert outlet.levels == [("rating=2", 1.0), ("rating=2", 2.0), ("rating=0", 3.0)]
    assert outlet.values == []


def test_a_slider_publishes_every_change_and_a_level_where_it_changes():
    ratings, outlet = desk(is_continuous=True)
    for value, time_s in ((0.2, 1.0), (0.6, 2.0), (0.6, 2.5), (1.4, 3.0), (9.0, 4.0), (0.0, 5.0)):
        ratings.slide(value, time_s)
    assert outlet.values == [(0.2, 1.0), (0.6, 2.0), (1.4, 3.0), (3.0, 4.0), (0.0, 5.0)]
    assert outlet.levels == [("rating=1", 2.0), ("rating=3", 4.0), ("rating=0", 5.0)]


def test_steps_and_keys_move_the_same_slider():
    ratings, outlet = desk(is_continuous=True)
    for time_s in (1.0, 2.0, 3.0):
        ratings.step(0.2, time_s)
    assert ratings.value == 0.6
    ratings.press(3, 4.0)
    ratings.step(0.5, 5.0)  # at the end already
    assert ratings.value == 3.0
    assert outlet.values[-1] == (3.0, 4.0)
    assert outlet.levels == [("rating=1", 3.0), ("rating=3", 4.0)]


def test_every_clip_begins_at_zero():
    ratings, outlet = desk(is_continuous=True)
    ratings.slide(2.0, 1.0)
    ratings.begin_clip(5.0)
    assert ratings.value == 0.0
    assert outlet.values[-1] == (0.0, 5.0)
    assert outlet.levels == [("rating=2", 1.0)]  # a clip's rating is 0 until somebody rates
    ratings.slide(2.0, 6.0)
    assert outlet.levels[-1] == ("rating=2", 6.0)


@pytest.mark.parametrize("is_continuous", [False, True])
def test_what_was_chosen_last_holds_until_the_next_clip(is_continuous):
    ratings, _ = desk(is_continuous=is_continuous)
    held = [ratings.held]
    for level, time_s in ((0, 1.0), (3, 2.0)):
        ratings.press(level, time_s)
        held.append(ratings.held)
    ratings.begin_clip(5.0)
    held.append(ratings.held)
    assert held == [None, 0, 3, None]


def test_a_slider_holds_the_level_that_it_stands_for():
    ratings, _ = desk(is_continuous=True)
    held = []
    for value, time_s in ((0.2, 1.0), (1.6, 2.0), (1.4, 3.0)):
        ratings.slide(value, time_s)
        held.append(ratings.held)
    assert held == [0, 2, 1]


@pytest.mark.parametrize("is_continuous", [False, True])
def test_a_press_that_overtakes_the_word_of_the_clip_s_beginning_is_the_clips(is_continuous):
    ratings, outlet = desk(is_continuous=is_continuous)
    ratings.press(2, 5.001)
    ratings.begin_clip(5.0)
    assert ratings.held == 2
    assert outlet.levels == [("rating=2", 5.001)]
    assert outlet.values == [(2.0, 5.001)] * is_continuous


def test_what_is_pressed_in_a_pause_is_left_out():
    ratings, outlet = desk(is_continuous=False)
    ratings.press(1, 1.0)
    ratings.pause(2.0)
    ratings.press(2, 1.999)  # pressed before it, taken after it began
    ratings.press(3, 2.0)
    assert ratings.held == 2
    ratings.resume(9.0)
    ratings.press(3, 8.999)  # pressed in it, taken after its end
    ratings.press(0, 9.5)
    assert outlet.levels == [("rating=1", 1.0), ("rating=2", 1.999), ("rating=0", 9.5)]


def test_a_slider_stands_still_in_a_pause():
    ratings, outlet = desk(is_continuous=True)
    ratings.slide(1.0, 1.0)
    ratings.pause(2.0)
    ratings.step(0.1, 3.0)
    ratings.press(3, 4.0)
    ratings.resume(5.0)
    assert ratings.value == 1.0
    assert outlet.values == [(1.0, 1.0)]


def test_a_pad_that_was_moved_in_a_pause_counts_from_its_end_on():
    ratings, outlet = desk(is_continuous=True)
    ratings.slide(1.0, 1.0)
    for value, expected in ((2.8, 2.8), (2.0, 2.0)):
        ratings.pause(2.0)
        ratings.slide(0.5, 3.0)
        ratings.slide(value, 4.0)
        ratings.resume(5.0)
        assert ratings.value == expected
    ratings.pause(6.0)
    ratings.resume(7.0)
    assert outlet.values == [(1.0, 1.0), (2.8, 5.0), (2.0, 5.0)]
    assert outlet.levels == [("rating=1", 1.0), ("rating=3", 5.0), ("rating=2", 5.0)]


def test_stamps_do_not_fall_where_two_inputs_cross():
    ratings, outlet = desk(is_continuous=True)
    ratings.press(1, 2.000)
    ratings.slide(2.0, 1.999)
    assert [time_s for _, time_s in outlet.levels] == [2.0, 2.0]


def test_ratings_before_the_streams_are_open_are_kept_but_not_published():
    ratings, outlet = RatingDesk(is_continuous=True), Outlet()
    ratings.press(2, 1.0)
    ratings.open(outlet)
    assert ratings.value == 2.0
    assert outlet.levels == []
