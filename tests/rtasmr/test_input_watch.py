"""Input that comes and is none: told once when it begins and once when it ends."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from rtasmr.incidents import incident_text
from rtasmr.input_watch import InputWatch
from rtasmr.remarks import bad_input_words
from rtasmr.stream_events import GoodAgain, Unusable
from rtasmr.types import Chunk, Modality, Role, Status, StreamSpec

SPEC = StreamSpec("belt\x1b[2J", "PPG", "b", 100.0, "float32", ("pulse",))


def status(ppg: Status) -> dict[Modality, Status]:
    return {Modality.PPG: ppg, Modality.SOUND: Status.ABSENT, Modality.PICTURE: Status.OK}


def ticks(watch: InputWatch, n: int, ppg: Status, time_s: float = 0.0) -> None:
    for _ in range(n):
        watch.push(time_s, status(ppg))


def sent(samples) -> Chunk:
    data = np.asarray(samples, dtype=np.float32)[:, None]
    return Chunk(Role.PPG, np.arange(len(data)) / 100, data)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([1.0, np.nan, 2.0], "what is sent is not a finite number"),
        ([1.0, np.inf], "what is sent is not a finite number"),
        ([512.0] * 30, "it stands still at 512"),
        ([0.0] * 30, "it stands still at 0"),
        ([0.0, 1.0] * 15, "it stands still, or at the ends of its range"),
    ],
)
def test_an_episode_is_told_once_and_its_end_once(samples, reason, caplog):
    watch = InputWatch()
    watch.see(sent(samples), SPEC)
    with caplog.at_level(logging.WARNING):
        ticks(watch, 14, Status.BAD_INPUT)
        assert watch.take_news() == []
        ticks(watch, 10, Status.BAD_INPUT)
        ticks(watch, 5, Status.OK)  # it slips on and off: the same episode
        ticks(watch, 16, Status.BAD_INPUT)
        assert watch.take_news() == [Unusable(Role.PPG, reason)]
        ticks(watch, 19, Status.OK)
        assert watch.take_news() == []
        ticks(watch, 100, Status.OK)
        assert watch.take_news() == [GoodAgain(Role.PPG, 4.0)]
    begin, end = (record.getMessage() for record in caplog.records)
    assert reason in begin
    assert "\x1b" not in begin
    assert "after 4.0 s of bad input" in end
    assert watch.n_ticks == {"ppg": 40}


def test_a_short_one_is_not_told(caplog):
    watch = InputWatch()
    watch.see(sent([0.0]), SPEC)
    for _ in range(5):
        ticks(watch, 14, Status.BAD_INPUT)
        ticks(watch, 1, Status.OK)
    assert watch.take_news() == []
    assert not caplog.records
    assert watch.n_ticks == {"ppg": 70}


def test_a_stream_that_sends_nothing_is_told_elsewhere():
    watch = InputWatch()
    ticks(watch, 100, Status.BAD_INPUT)  # refused from the start
    watch.see(sent([0.0]), SPEC)
    watch.leave(Role.PPG)
    watch.leave(Role.CLIP)
    ticks(watch, 100, Status.BAD_INPUT)
    assert watch.take_news() == []
    assert watch.n_ticks == {}
    watch.see(sent([0.0]), SPEC)  # it is back; ticks from before it still wait for their look-ahead
    ticks(watch, 100, Status.BAD_INPUT, time_s=-0.1)
    assert watch.n_ticks == {}


def test_the_recording_has_both_ends():
    told = [json.loads(incident_text(e)) for e in (Unusable(Role.PPG, "why"), GoodAgain(Role.PPG, 3.25))]
    assert told == [
        {"stream": "ppg", "what": "bad input", "reason": "why"},
        {"stream": "ppg", "what": "good again", "bad_s": 3.25},
    ]


def test_more_than_a_hundredth_of_the_ticks_is_remarked():
    assert bad_input_words("ppg", 6, 600) == []
    (told,) = bad_input_words("ppg", 60, 600)
    assert told.startswith("the ppg stream was bad input in 60 of 600 ticks (10 %): ")
