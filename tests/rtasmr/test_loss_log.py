"""A loss is told at once, or, in a run that ends with its streams, once it is no end; and how a run ended."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from rtasmr import loss_log
from rtasmr.engine import Engine
from rtasmr.features.spec import live_ppg_spec
from rtasmr.link import SnapshotStore
from rtasmr.loss_log import END_GRACE_S, LossLog
from rtasmr.snapshot import ModelState, RunState
from rtasmr.stream_events import Lost
from rtasmr.timebase import TimeBase
from rtasmr.types import Role


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """A clock that stands still until it is set: ``clock.now``."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(loss_log, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def told(caplog) -> list[tuple[int, str]]:
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_loss_is_told_at_once(caplog):
    log = LossLog()

    log.tell("ppg stream 'a' is gone, 50 % of it", is_alarm=False)
    log.tell("sound stream 'b' is LOST", is_alarm=True)

    assert told(caplog) == [
        (logging.WARNING, "ppg stream 'a' is gone, 50 % of it"),
        (logging.ERROR, "sound stream 'b' is LOST"),
    ]


def test_where_the_run_ends_with_its_streams_their_end_is_no_loss(clock, caplog):
    log = LossLog(until_lost=True)
    log.tell("ppg stream 'a' is LOST", is_alarm=True)
    clock.now += END_GRACE_S - 0.1
    log.tell("sound stream 'b' is gone", is_alarm=False)
    log.turn()

    log.settle(is_end=True)

    assert told(caplog) == []


def test_a_stream_that_the_others_outlive_is_told(clock, caplog):
    log = LossLog(until_lost=True)
    log.tell("ppg stream 'a' is LOST", is_alarm=True)
    clock.now += END_GRACE_S
    log.turn()
    assert told(caplog) == [(logging.ERROR, "ppg stream 'a' is LOST")]

    log.tell("picture stream 'c' is gone", is_alarm=False)
    log.settle(is_end=False)  # stopped by its user, with streams left

    assert told(caplog)[1:] == [(logging.WARNING, "picture stream 'c' is gone")]


@pytest.mark.parametrize(
    ("until_lost", "any_data", "told"),
    [
        (True, False, "all streams have ended"),
        (True, True, "clip stream LOST, which this run requires; looking for it"),  # stopped by its user
        (False, False, "clip stream LOST, which this run requires; looking for it"),
    ],
)
def test_the_last_word_of_a_run_is_how_it_ended(until_lost, any_data, told):
    store = SnapshotStore()
    streams = SimpleNamespace(any_data=any_data, timebase=TimeBase(), inlets={})
    engine = Engine(
        streams,
        SimpleNamespace(flush=list, aligner=None),
        live_ppg_spec(),
        ModelState("m", True, 0.5, 10, 200, (), "cpu", "random"),
        store=store,
        until_lost=until_lost,
        require=(Role.CLIP,),
    )
    engine._handle(Lost(Role.CLIP))

    engine.end()

    last = store.read()
    assert (last.state, last.message) == (RunState.ENDED, told)
