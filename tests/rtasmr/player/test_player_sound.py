from __future__ import annotations

import itertools

import numpy as np
import pytest

from rtasmr.player.sound import PlayQueue, SoundDeviceError, SoundOutput


def numbered(first: int, stop: int) -> np.ndarray:
    """Samples that show their own number, on all three columns."""
    return np.repeat(np.arange(first, stop, dtype=np.int16)[:, None], 3, axis=1)


def samples(queue: PlayQueue, first: int, n_samples: int) -> np.ndarray:
    taken, is_held = queue.take(first, n_samples)
    assert not is_held
    return taken


def test_there_is_silence_around_what_is_queued():
    queue = PlayQueue()
    queue.push(10, numbered(10, 14))
    np.testing.assert_array_equal(samples(queue, 8, 8)[:, 2], [0, 0, 10, 11, 12, 13, 0, 0])
    np.testing.assert_array_equal(samples(queue, 16, 3), 0)


def test_blocks_and_calls_of_any_size_give_the_same_sound(rng):
    queue, taken, position = PlayQueue(), [], 0
    cuts = [0, *np.sort(rng.choice(np.arange(1, 500), 20, replace=False)), 500]
    for first, stop in itertools.pairwise(cuts):
        queue.push(int(first), numbered(first, stop))
    while position < 500:
        n_samples = int(rng.integers(1, 60))
        taken.append(samples(queue, position, n_samples))
        position += n_samples
    np.testing.assert_array_equal(np.concatenate(taken)[:500], numbered(0, 500))
    assert queue.n_late == 0


def test_what_comes_late_is_left_out_and_counted():
    queue = PlayQueue()
    queue.take(0, 10)
    queue.push(4, numbered(4, 8))
    queue.push(8, numbered(8, 14))
    np.testing.assert_array_equal(samples(queue, 10, 6)[:, 0], [10, 11, 12, 13, 0, 0])
    assert queue.n_late == 4 + 2


def test_a_hold_is_silent_and_moves_what_is_queued():
    queue = PlayQueue()
    queue.push(0, numbered(0, 10))
    assert samples(queue, 0, 4)[:, 0].tolist() == [0, 1, 2, 3]
    queue.is_held = True
    for first in (4, 7):
        held, is_held = queue.take(first, 3)
        assert is_held
        np.testing.assert_array_equal(held, 0)
    queue.is_held = False
    assert samples(queue, 10, 4)[:, 0].tolist() == [4, 5, 6, 7]
    queue.push(10, numbered(10, 12))  # counted without the hold, as before
    assert samples(queue, 14, 5)[:, 0].tolist() == [8, 9, 10, 11, 0]
    assert queue.n_late == 0


def test_a_card_that_runs_dry_in_silence_breaks_nothing_off():
    queue = PlayQueue()
    queue.note_underflow()
    queue.push(0, numbered(0, 10))
    queue.note_underflow()
    queue.is_held = True
    queue.note_underflow()
    assert queue.n_underflows == 1


def test_a_device_that_is_not_there_is_named_in_one_line():
    with pytest.raises(SoundDeviceError, match="no such card") as caught:
        SoundOutput("no such card")
    assert "\n" not in str(caught.value)
    assert "--sound-device" in str(caught.value)
