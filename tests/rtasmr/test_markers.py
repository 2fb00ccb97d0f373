"""Foreign marker chunks in, our markers and what to record out."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from rtasmr.marker_map import MarkerMap
from rtasmr.markers import MAX_NAMED, MarkerIntake, TakenMarkers, is_translated
from rtasmr.stream_specs import clip_spec, rating_spec
from rtasmr.types import Chunk, Role, StreamSpec

PSYCHOPY = StreamSpec("PsychoPy", "Markers", "pc-2", 0.0, "string", ("",))
MAP = MarkerMap.parse('[exact]\n"on" = "clip_start vid3"\n"off" = "clip_end"\n"k4" = "rating=3"')
TEXTS = ("on", "k4", "flip", "off")


def chunk(role: Role, *texts: str) -> Chunk:
    return Chunk(role, 10.0 + np.arange(len(texts)), np.array(texts, dtype=object))


def told(taken: TakenMarkers) -> list[tuple[float, str]]:
    return [] if taken.known is None else list(zip(taken.known.times, taken.known.data, strict=True))


def recorded(taken: TakenMarkers) -> list[tuple[str, list[str]]]:
    return [(record.spec.name, record.chunk.data.tolist()) for record in taken.records]


def test_one_foreign_stream_serves_clips_and_ratings_and_is_recorded_once() -> None:
    intake = MarkerIntake(MAP)
    for role in (Role.CLIP, Role.RATING):
        intake.join(role, PSYCHOPY)
    clips, ratings = (intake.take(chunk(role, *TEXTS)) for role in (Role.CLIP, Role.RATING))
    assert told(clips) == [(10.0, "clip_start vid3"), (13.0, "clip_end")]
    assert told(ratings) == [(11.0, "rating=3")]
    assert recorded(clips) == [("PsychoPy", list(TEXTS)), ("rtasmr-clip", ["clip_start vid3", "clip_end"])]
    assert recorded(ratings) == [("rtasmr-rating", ["rating=3"])]
    raw, ours = (record.spec for record in clips.records)
    assert is_translated(raw)
    assert raw.ch_names == ("marker",)
    assert not is_translated(ours)
    assert ours.desc["translated_from"] == "PsychoPy"
    assert len({record.key for taken in (clips, ratings) for record in taken.records}) == 3
    assert intake.account() == {"clip": 2, "rating": 1, "unknown": 1, "unknown_texts": {"flip": 1}}


def test_what_is_recorded_of_a_role_is_known_before_its_first_text() -> None:
    intake = MarkerIntake(MAP)
    own = clip_spec(source_id="replay")
    intake.join(Role.CLIP, own)
    intake.join(Role.RATING, PSYCHOPY)
    assert intake.recorded_spec(Role.CLIP) == own
    (_, ours) = intake.take(chunk(Role.RATING, *TEXTS)).records
    assert intake.recorded_spec(Role.RATING) == ours.spec


def test_streams_of_our_own_pass_as_they_are() -> None:
    intake = MarkerIntake(MAP)
    intake.join(Role.CLIP, clip_spec(source_id="replay"))
    intake.join(Role.RATING, rating_spec(source_id="keys"))
    taken = intake.take(chunk(Role.CLIP, "clip_start vid1", "on"))
    assert told(taken) == [(10.0, "clip_start vid1")]
    assert recorded(taken) == [("rtasmr-clip", ["clip_start vid1", "on"])]
    assert not is_translated(taken.records[0].spec)
    assert intake.account()["unknown_texts"] == {"on": 1}


def test_two_foreign_streams_are_recorded_apart_though_of_one_name() -> None:
    intake = MarkerIntake(MAP)
    intake.join(Role.CLIP, PSYCHOPY)
    intake.join(Role.RATING, StreamSpec("PsychoPy", "Markers", "pc-3", 0.0, "string", ("marker",)))
    first, second = intake.take(chunk(Role.CLIP, "x")), intake.take(chunk(Role.RATING, "y"))
    assert first.known is None
    assert [record.key for record in first.records] != [record.key for record in second.records]
    assert intake.account()["unknown_texts"] == {"x": 1, "y": 1}


def test_unknown_texts_are_counted_and_each_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    intake = MarkerIntake(MarkerMap())
    intake.join(Role.CLIP, PSYCHOPY)
    with caplog.at_level(logging.WARNING):
        for k in range(2 * MAX_NAMED):
            intake.take(chunk(Role.CLIP, f"event\n{k}", "again"))
    named = [record.getMessage() for record in caplog.records]
    assert len(named) == MAX_NAMED
    assert not any("\n" in text for text in named)
    assert sum("'again'" in text for text in named) == 1
    assert "only counted" in named[-1]
    account = intake.account()
    assert account["unknown"] == 4 * MAX_NAMED
    assert account["unknown_texts"]["again"] == 2 * MAX_NAMED
    assert len(account["unknown_texts"]) == MAX_NAMED


def test_a_stream_that_comes_back_goes_on() -> None:
    intake = MarkerIntake(MAP)
    intake.join(Role.CLIP, PSYCHOPY)
    keys = [intake.take(chunk(Role.CLIP, "on")).records[0].key]
    intake.join(Role.CLIP, PSYCHOPY)
    keys.append(intake.take(chunk(Role.CLIP, "off")).records[0].key)
    assert keys[0] == keys[1]


def test_a_name_that_no_clip_can_have_is_told_as_that(caplog: pytest.LogCaptureFixture) -> None:
    intake = MarkerIntake(MarkerMap.parse("[regex]\n'show (.+)' = 'clip_start \\1'"))
    intake.join(Role.CLIP, PSYCHOPY)
    with caplog.at_level(logging.WARNING):
        assert told(intake.take(chunk(Role.CLIP, "show day 1/rain", "clip_end a b", "flip"))) == []
    slash, blank, unknown = (record.getMessage() for record in caplog.records)
    assert "names a clip 'day 1/rain': left out and counted; a clip's name has letters, digits" in slash
    assert "names a clip 'a b'" in blank
    assert "give it a meaning with --marker-map" in unknown


def test_the_end_of_another_clip_than_the_one_that_runs_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    intake = MarkerIntake(MAP)
    intake.join(Role.CLIP, PSYCHOPY)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            intake.take(chunk(Role.CLIP, "clip_start vid5", "clip_end vid5", "clip_end vid9"))
            intake.take(chunk(Role.CLIP, "clip_start vid5"))
            intake.take(chunk(Role.CLIP, "clip_end vid9"))
            intake.take(chunk(Role.CLIP, "on", "off"))
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith("marker 'clip_end vid9' of stream 'PsychoPy' ends the clip 'vid5', which runs")
