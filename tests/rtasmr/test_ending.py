"""A run is told to end: at once, or with what it accompanies."""

from __future__ import annotations

import threading

from rtasmr.ending import RunEnd

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
