"""What is published of the screen: every change as of its moment, and stills in between."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.player.seen import STILL_MARGIN_S, Seen, SeenPictures
from rtasmr.sources.media_file import BLANK_RATE_HZ

STILL_S = 1 / BLANK_RATE_HZ
GREY = np.full((2, 2, 3), 200, np.uint8)
LIGHT = np.full((2, 2, 3), 250, np.uint8)


def levels(seen: list[Seen]) -> list[tuple[float, int]]:
    return [(time_s, int(picture.max())) for time_s, picture in seen]


def test_pictures_come_with_their_stamps_and_stay():
    seen = SeenPictures()
    seen.show(GREY, 10.0)
    seen.show(LIGHT, 10.04)
    assert levels(seen.take(10.05)) == [(10.0, 200), (10.04, 250)]
    assert seen.take(10.04 + STILL_S) == []
    later_s = 10.04 + STILL_S + STILL_MARGIN_S + 0.001
    assert levels(seen.take(later_s)) == [(pytest.approx(later_s - STILL_MARGIN_S), 250)]


def test_a_pause_is_black_from_its_mark_to_its_mark():
    """Stills are stamped a moment ago; none of the picture is stamped into the pause."""
    seen = SeenPictures()
    seen.show(GREY, 10.0)
    seen.cover(True, 10.02)
    seen.show(LIGHT, 10.01)  # shown behind it
    assert levels(seen.take(10.03)) == [(10.0, 200), (10.02, 0)]
    told = [item for k in range(30) for item in levels(seen.take(10.03 + k / 100))]
    assert len(told) == 2
    assert {level for _, level in told} == {0}
    assert all(10.02 < time_s < 10.33 for time_s, _ in told)
    seen.cover(False, 10.33)
    told = levels(seen.take(10.335))
    assert told == [(10.33, 250)]
    assert seen.take(10.38) == []


def test_stamps_never_fall():
    seen = SeenPictures()
    seen.cover(True, 10.0)
    seen.cover(False, 10.5)
    seen.show(GREY, 10.498)
    times = [time_s for time_s, _ in seen.take(10.51)]
    assert times == [10.0, 10.5, 10.5]


def test_a_picture_of_a_clip_that_was_left_is_not_seen_any_more():
    seen = SeenPictures()
    seen.show(GREY, 10.0)
    seen.blank(10.1)
    seen.show(LIGHT, 10.09)
    assert levels(seen.take(10.12)) == [(10.0, 200), (10.1, 0)]
    assert {level for _, level in levels(seen.take(11.0))} == {0}
    seen.show(LIGHT, 11.1)  # of the next clip
    assert levels(seen.take(11.1)) == [(11.1, 250)]
