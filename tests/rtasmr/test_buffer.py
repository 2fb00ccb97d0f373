"""A regular buffer keeps samples on their grid, whatever the chunks; pictures by presentation time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtasmr.buffer import PictureBuffer, RegularBuffer

SFREQ = 100.0


def push(buffer: RegularBuffer, start: float, values: np.ndarray) -> None:
    buffer.push(start + np.arange(len(values)) / SFREQ, values)


def test_consecutive_chunks_form_one_stretch() -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=10)
    push(buffer, 5.0, np.arange(30.0))
    push(buffer, 5.3, np.arange(30.0, 50.0))
    data, present = buffer.read(0, 50)
    assert present.all()
    np.testing.assert_array_equal(data, np.arange(50.0))
    assert buffer.index_at(5.25) == 25
    assert buffer.newest_time == pytest.approx(5.49)
    assert buffer.n_lost == 0


def test_a_jump_of_the_stamps_is_a_loss_of_known_length() -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=10)
    push(buffer, 0.0, np.arange(10.0))
    push(buffer, 0.15, np.arange(15.0, 20.0))
    data, present = buffer.read(0, 20)
    np.testing.assert_array_equal(np.flatnonzero(~present), [10, 11, 12, 13, 14])
    np.testing.assert_array_equal(data[present], [*range(10), *range(15, 20)])
    assert buffer.n_lost == 5


def test_a_jump_inside_a_chunk_is_found_too() -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=10)
    buffer.push(
        np.r_[np.arange(10), np.arange(15, 20)] / SFREQ, np.r_[np.arange(10.0), np.arange(15.0, 20.0)]
    )
    assert buffer.n_lost == 5
    assert buffer.next_index == 20


@pytest.mark.parametrize("phase", [-0.49, -0.3, 0.2, 0.49])
def test_a_new_sample_grid_is_picked_exactly(phase: float) -> None:
    """A clip opens its own grid a fraction of a sample away; its ticks still pick its own samples."""
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=10)
    push(buffer, 0.0, np.full(10, -1.0))
    origin = (10 + phase) / SFREQ
    push(buffer, origin, np.arange(100.0))
    assert buffer.n_lost == 0
    for tick in range(9):
        index = buffer.index_at(origin + tick / 10)
        data, present = buffer.read(index, index + 1)
        assert present[0]
        assert data[0] == 10 * tick


def test_old_stamps_are_refused_and_counted() -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=10)
    push(buffer, 0.0, np.arange(100.0))
    push(buffer, 0.95, np.arange(95.0, 110.0))
    data, present = buffer.read(0, 110)
    assert present.all()
    np.testing.assert_array_equal(data, np.arange(110.0))
    assert buffer.n_rejected == 5


def test_jitter_within_the_tolerance_does_not_tear_the_stretch(rng: np.random.Generator) -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=10, stamp_tolerance_s=0.05)
    for i in range(50):
        buffer.push(np.array([i / SFREQ + rng.uniform(-0.02, 0.02)]), np.array([float(i)]))
    data, present = buffer.read(0, 50)
    assert present.all()
    np.testing.assert_array_equal(data, np.arange(50.0))


def test_only_the_capacity_is_kept() -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=0.5)
    push(buffer, 0.0, np.arange(120.0))
    data, present = buffer.read(60, 125)
    np.testing.assert_array_equal(np.flatnonzero(present), np.arange(10, 60))
    np.testing.assert_array_equal(data[present], np.arange(70.0, 120.0))


def test_a_loss_longer_than_the_buffer_leaves_nothing_stale() -> None:
    buffer = RegularBuffer(SFREQ, np.float64, capacity_s=0.5)
    push(buffer, 0.0, np.arange(50.0))
    push(buffer, 7.0, np.arange(700.0, 705.0))
    _, present = buffer.read(655, 705)
    np.testing.assert_array_equal(np.flatnonzero(present), np.arange(45, 50))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.floats(0, 2e5))
@settings(max_examples=60, deadline=None)
def test_chunking_changes_nothing(sizes: list[int], start: float) -> None:
    n = sum(sizes)
    buffer = RegularBuffer(2000.0, np.float64, capacity_s=10)
    times = start + np.arange(n) / 2000.0
    first = 0
    for size in sizes:
        buffer.push(times[first : first + size], np.arange(float(first), first + size))
        first += size
    data, present = buffer.read(0, n)
    assert present.all()
    np.testing.assert_array_equal(data, np.arange(float(n)))


def test_the_newest_picture_at_a_tick() -> None:
    buffer = PictureBuffer(n_kept=3, capacity=5)
    pictures = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    buffer.push(np.arange(5) / 30, pictures)
    assert buffer.newest_at(0.05) is None  # forgotten: only the newest three are kept
    shown = buffer.newest_at(0.1)
    assert shown is not None
    assert shown[1].item() == 3
    buffer.push(np.array([0.0]), pictures[:1])
    assert (buffer.n_rejected, buffer.n_lost) == (1, 0)


def test_pictures_that_wait_for_their_ticks_are_kept_and_lost_ones_counted() -> None:
    buffer = PictureBuffer(n_kept=3, capacity=5)
    picture = np.zeros((1, 1, 1, 1), np.uint8)
    buffer.push(np.array([0.0]), picture)
    assert buffer.newest_at(0.0) is not None
    for k in range(1, 5):
        buffer.push(np.array([float(k)]), picture)
    shown = buffer.newest_at(1.5)  # 1.0 is still here though five are more than three
    assert shown is not None
    assert shown[0] == 1.0
    for k in range(5, 8):
        buffer.push(np.array([float(k)]), picture)
    # 3.0 to 7.0 are left: 2.0 was never shown, 1.0 stood up to it.
    assert buffer.n_lost == 2
    assert buffer.newest_at(2.5) is None
    late = buffer.newest_at(3.0)
    assert late is not None
    assert late[0] == 3.0
    buffer.push(np.array([8.0]), picture)
    assert buffer.n_lost == 3


@pytest.mark.parametrize(
    ("sfreq", "n_chunk", "sd_s"), [(1000.0, 50, 0.02), (1000.0, 50, 0.05), (25.0, 1, 0.02), (100.0, 1, 0.04)]
)
def test_stamps_by_arrival_lose_nothing_and_land_near_the_truth(
    sfreq: float, n_chunk: int, sd_s: float, rng: np.random.Generator
) -> None:
    """Chunks stamped when they arrive, late by the size of a normal error: what others' sources do."""
    buffer = RegularBuffer(sfreq, np.float64, capacity_s=40, stamp_tolerance_s=0.15)
    n_chunks = round(30 * sfreq / n_chunk)
    late_s = np.clip(np.abs(rng.normal(0, sd_s, n_chunks)), 0, 0.14)
    for k in range(n_chunks):
        index = np.arange(k * n_chunk, (k + 1) * n_chunk)
        buffer.push(index / sfreq + late_s[k], index.astype(np.float64))
    _, present = buffer.read(0, n_chunks * n_chunk)
    assert present.all()
    assert (buffer.n_lost, buffer.n_rejected) == (0, 0)
    # The mean lateness cannot be told from a late device; the jitter around it is averaged away.
    error_s = buffer.time_of(n_chunks * n_chunk - 1) - (n_chunks * n_chunk - 1) / sfreq - late_s.mean()
    assert abs(error_s) < 0.25 * sd_s + 1e-3


def test_a_clock_that_drifts_is_followed() -> None:
    buffer = RegularBuffer(100.0, np.float64, capacity_s=700, stamp_tolerance_s=0.15)
    for k in range(600):
        index = np.arange(100 * k, 100 * (k + 1))
        buffer.push(index / 100.0 * (1 + 500e-6), index.astype(np.float64))
    true_s = 59_999 / 100.0 * (1 + 500e-6)
    assert abs(buffer.time_of(59_999) - true_s) < 0.005
    assert (buffer.n_lost, buffer.n_rejected) == (0, 0)


def test_a_short_loss_shows_where_the_stamps_are_regular(rng: np.random.Generator) -> None:
    """A foreign source with 1 ms of jitter loses 50 ms after 10 s."""
    buffer = RegularBuffer(500.0, np.float64, capacity_s=40, stamp_tolerance_s=0.15)
    for k in range(400):
        if k == 200:
            continue
        index = np.arange(25 * k, 25 * (k + 1))
        buffer.push(index / 500.0 + rng.normal(0, 0.001), index.astype(np.float64))
    assert buffer.n_lost == pytest.approx(25, abs=1)
    assert buffer.n_rejected == 0
