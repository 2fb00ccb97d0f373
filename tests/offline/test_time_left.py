"""The time left: what is said can be planned by."""

from __future__ import annotations

import numpy as np
import pytest

from offline.time_left import TimeLeft


class Clock:
    """Seconds set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def minutes(words: str) -> int:
    return 0 if words.startswith("less") else int(words.split()[1])


def test_work_that_goes_evenly_by_hand(clock: Clock) -> None:
    left = TimeLeft(100.0, clock)
    clock.now_s += 54
    assert left.in_words(9.0) == ""  # too early to tell
    clock.now_s += 6
    assert left.in_words(10.0) == "about 9 min left"
    clock.now_s += 510
    assert left.in_words(95.0) == "less than a minute left"
    assert left.in_words(100.0) == ""


def test_what_is_said_does_not_jump_with_the_pace_of_single_steps(
    clock: Clock, rng: np.random.Generator
) -> None:
    left = TimeLeft(100.0, clock)
    done, said = 0.0, []
    for _ in range(190):
        clock.now_s += 36
        done += rng.uniform(0.3, 0.7)
        words = left.in_words(done)
        said += [minutes(words)] if words else []
    assert len(said) > 150
    assert said == sorted(said, reverse=True)


def test_a_machine_that_becomes_slower_is_noticed(clock: Clock) -> None:
    left = TimeLeft(100.0, clock)
    clock.now_s += 300
    assert left.in_words(50.0) == "about 5 min left"
    clock.now_s += 300
    assert left.in_words(51.0) == "about 10 min left"
