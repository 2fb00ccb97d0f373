"""What is said of a stream that fits in the place of one that is gone, and is another."""

from __future__ import annotations

import json
import logging
import queue

from rtasmr import stream_search
from rtasmr.discovery import FoundStream, Query
from rtasmr.incidents import incident_text
from rtasmr.stream_events import PassedOver
from rtasmr.stream_search import Search
from rtasmr.timebase import TimeBase
from rtasmr.types import Role, StreamSpec


def found(source_id, stype="PPG"):
    spec = StreamSpec("belt", stype, source_id, 100.0, "float32", ("pulse",), hostname="here")
    return FoundStream(info=None, spec=spec, uid=f"uid-{source_id}", is_own_host=True)


class Answers:
    """A resolver that sees these streams."""

    def __init__(self, *streams):
        self.seen = streams

    def find(self, _, query):
        return next(iter(self.fitting(_, query)), None)

    def fitting(self, _, query):
        return [stream for stream in self.seen if query.matches(stream.spec)]

    def forget(self, uid):
        self.seen = tuple(stream for stream in self.seen if stream.uid != uid)


def test_a_stream_that_fits_under_another_identity_is_named_once(monkeypatch, caplog):
    monkeypatch.setattr(stream_search, "STRANGERS_EVERY_S", 0.0)
    arrivals = queue.SimpleQueue()
    search = Search({Role.PPG: Query(stype="PPG")}, TimeBase(), arrivals, "viewer a: ", 0.0)
    answers = Answers(found("new"), found("other", stype="ECG"))
    search.step(answers)  # nothing is missing: nothing is looked for
    search.look_for(Role.PPG, found("old"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            search.step(answers)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("viewer a: the ppg stream that is gone was source_id='old'; ")
    assert "source_id='new'" in line
    assert "restart the runtime" in line
    event = arrivals.get_nowait()
    assert isinstance(event, PassedOver)
    assert arrivals.empty()
    told = json.loads(incident_text(event))
    assert (told["stream"], told["what"]) == ("ppg", "passed over")


def test_who_was_asked_for_by_identity_has_no_stranger(caplog):
    search = Search({Role.PPG: Query(source_id="old")}, TimeBase(), queue.SimpleQueue(), "", 0.0)
    search.look_for(Role.PPG, found("old"))
    search.step(Answers(found("new")))
    assert not caplog.records
