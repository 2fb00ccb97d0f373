"""A loss is told at once, or, in a run that ends with its streams, once it is no end."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from rtasmr import loss_log
from rtasmr.loss_log import END_GRACE_S, LossLog


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
