"""A run is told to end: at once, or with what it accompanies."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack

from rtasmr.ending import RunEnd, end_signals
from rtasmr.live import end_on_signals

SAFETY_S = 30.0


def test_a_run_alone_ends_at_the_first_request():
    end = RunEnd()
    end.request()
    assert end.stop.is_set()


def test_a_request_asks_what_the_run_ends_with_and_waits_for_it():
    end, asked, ended = RunEnd(), threading.Event(), threading.Event()
    end.follow(ended.wait, asked.set)
    end.request()
    assert asked.wait(SAFETY_S)
    assert not end.stop.is_set()
    ended.set()
    assert end.stop.wait(SAFETY_S)


def test_a_lost_terminal_that_is_told_twice_is_one_request(hangups_heard):
    end, never, asked = RunEnd(), threading.Event(), threading.Event()
    end.follow(never.wait, asked.set)
    before = signal.getsignal(signal.SIGHUP)
    with ExitStack() as stack:
        end_on_signals(end, stack)
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
        assert asked.wait(SAFETY_S)
        assert not end.stop.is_set()
    assert signal.getsignal(signal.SIGHUP) is before
    never.set()
    assert end.stop.wait(SAFETY_S)


def test_a_program_under_nohup_does_not_hear_of_its_terminal(hangups_heard):
    assert signal.SIGHUP in end_signals()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert end_signals() == (signal.SIGINT, signal.SIGTERM)


def test_what_does_not_end_is_not_waited_for():
    end, never = RunEnd(), threading.Event()
    end.follow(never.wait, lambda: None)
    end.request()
    assert end.stop.wait(SAFETY_S)
    never.set()


def test_a_second_request_ends_at_once():
    end, never, asked = RunEnd(), threading.Event(), threading.Event()
    end.follow(never.wait, asked.set)
    end.request()
    end.request()
    assert end.stop.is_set()
    never.set()


def test_nothing_is_asked_for_when_the_end_has_come_by_itself():
    end, asked = RunEnd(), threading.Event()
    end.follow(lambda: None, asked.set)
    assert end.stop.wait(SAFETY_S)
    end.request()
    assert not asked.wait(0.1)
