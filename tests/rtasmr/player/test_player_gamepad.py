"""A pad that a test plays: what the kernel would tell, through a pipe that is readable when it does."""

from __future__ import annotations

import os
import queue
from dataclasses import dataclass

import pylsl
import pytest

from rtasmr.player.gamepad import (
    AXES,
    EV_ABS,
    EV_KEY,
    MAX_EVENT_AGE_S,
    Axis,
    GamePad,
    GamePadError,
    choose_axis,
    open_gamepad,
    stamp_of,
)


@dataclass(frozen=True)
class Happened:
    type: int
    code: int
    value: int
    time_s: float

    def timestamp(self) -> float:
        return self.time_s


@dataclass(frozen=True)
class Span:
    min: int
    max: int


class Pad:
    """Stands in for `evdev.InputDevice`."""

    name = "Test pad"

    def __init__(self) -> None:
        self._out, self._into = os.pipe()
        self._events: queue.SimpleQueue[Happened | OSError] = queue.SimpleQueue()
        self.is_closed = False

    def happen(self, what: Happened | OSError) -> None:
        self._events.put(what)
        os.write(self._into, b".")

    def fileno(self) -> int:
        return self._out

    def read(self) -> list[Happened]:
        os.read(self._out, 1)
        what = self._events.get()
        if isinstance(what, OSError):
            raise what
        return [what]

    def absinfo(self, axis_num: int) -> Span:
        return Span(0, 0) if axis_num == AXES["gas"] else Span(0, 255)

    def close(self) -> None:
        self.is_closed = True
        for handle in (self._out, self._into):
            os.close(handle)


TRIGGER, STICK, SIDE = Axis("rz", 0, 255), Axis("y", -100, 100), Axis("x", -100, 100)


@pytest.mark.parametrize(
    ("axis", "value", "rating"),
    [
        (TRIGGER, 0, 0.0),
        (TRIGGER, 12, 0.0),  # 4.7 %: still released
        (TRIGGER, 255, 3.0),
        (STICK, 0, 0.0),
        (STICK, 4, 0.0),
        (STICK, -100, 3.0),  # pushed away
        (STICK, 100, 0.0),  # pulled back
        (SIDE, 100, 3.0),
        (SIDE, -100, 0.0),
        (SIDE, 300, 3.0),  # beyond what the driver promised
    ],
)
def test_positions_are_ratings(axis, value, rating):
    assert axis.rating(value) == rating


def test_half_a_trigger_is_half_the_scale_past_the_dead_zone():
    # 0.525 of the way: half of what lies past the first 0.05.
    assert Axis("rz", 0, 1000).rating(525) == 1.5


def test_moves_of_the_axis_are_handed_on_with_the_kernels_stamp():
    pad, ratings, lost = Pad(), queue.SimpleQueue(), []
    now_s = pylsl.local_clock()
    with GamePad(pad, TRIGGER, lambda *rating: ratings.put(rating), lost.append):
        pad.happen(Happened(EV_KEY, AXES["rz"], 1, now_s))  # a button of the same number
        pad.happen(Happened(EV_ABS, AXES["z"], 255, now_s))  # another axis
        pad.happen(Happened(EV_ABS, AXES["rz"], 255, now_s - 0.25))
        assert ratings.get(timeout=30) == (3.0, now_s - 0.25)
        assert ratings.empty()
    assert pad.is_closed
    assert lost == []


def test_a_pad_that_is_unplugged_is_told_in_one_line():
    pad, lost = Pad(), queue.SimpleQueue()
    with GamePad(pad, TRIGGER, lambda *_: None, lost.put):
        pad.happen(OSError(19, "No such device"))
        assert lost.get(timeout=30) == "game pad Test pad is gone (No such device): rate with the keys"


def test_stamps_of_another_clock_count_as_now(monkeypatch):
    monkeypatch.setattr(pylsl, "local_clock", lambda: 5000.0)
    assert stamp_of(4999.9) == 4999.9
    assert stamp_of(5000.1) == 5000.0
    assert stamp_of(5000.0 - MAX_EVENT_AGE_S - 0.1) == 5000.0
    assert stamp_of(1_700_000_000.0) == 5000.0


def test_the_default_axis_is_a_trigger_else_the_vertical_stick():
    pad = Pad()
    assert choose_axis(pad, [0, 1, 2, 5], "") == Axis("rz", 0, 255)
    assert choose_axis(pad, [0, 1], "").name == "y"
    assert choose_axis(pad, [0, 1, 3], "rx").name == "rx"
    with pytest.raises(GamePadError, match="expected an axis rz at Test pad, it has x, y"):
        choose_axis(pad, [0, 1], "rz")
    with pytest.raises(GamePadError, match="it has none"):
        choose_axis(pad, [], "")
    with pytest.raises(GamePadError, match="a range of axis gas"):
        choose_axis(pad, [9], "gas")
    pad.close()


def test_without_a_pad_it_says_what_to_do():
    with pytest.raises(GamePadError) as caught:
        open_gamepad("no such pad", "", lambda *_: None, lambda _: None)
    assert "\n" not in str(caught.value)
    assert "pip install" in str(caught.value) or "plug it in" in str(caught.value)
