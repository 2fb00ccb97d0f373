"""The rating in force at a tick."""

from __future__ import annotations

import numpy as np

from rtasmr.feed import marker_chunk
from rtasmr.ratings import RatingTrack
from rtasmr.snapshot import NO_RATING
from rtasmr.types import Role, Segment

CLIP = Segment(1, "vid3", 10.0)


def test_a_press_holds_until_the_next():
    ratings = RatingTrack()
    ratings.connect()
    for time_s, level in ((12.0, 2), (15.0, 0), (13.0, 3)):  # the third came late
        ratings.push(marker_chunk(time_s, f"rating={level}", Role.RATING))
    assert [ratings.at(t, CLIP) for t in (11.9, 12.0, 12.9, 13.0, 14.9, 15.0)] == [0, 2, 2, 3, 3, 0]


def test_nothing_is_carried_over_from_the_clip_before():
    ratings = RatingTrack()
    ratings.connect()
    ratings.push(marker_chunk(9.9, "rating=3", Role.RATING))
    assert ratings.at(10.5, CLIP) == 0
    ratings.push(marker_chunk(10.0, "rating=1", Role.RATING))
    assert ratings.at(10.5, CLIP) == 1


def test_without_a_rater_there_is_no_rating():
    assert RatingTrack().at(12.0, CLIP) == NO_RATING


def test_a_foreign_marker_is_named_and_ignored(caplog):
    ratings = RatingTrack()
    ratings.connect()
    ratings.push(marker_chunk(12.0, "rating=9", Role.RATING))
    assert ratings.at(np.nextafter(12.0, 13.0), CLIP) == 0
    assert "'rating=9' ignored" in caplog.text
