"""Packets and their order: pure, so the answers are exact."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.faults import Faults
from replay.schedule import RANDOM_CHUNK_S, Chunking
from rtasmr.errors import ConfigError
from rtasmr.sources.packets import (
    Item,
    Packet,
    items_on_time,
    merge,
    regular_packets,
    single_packets,
    stamped_packets,
)

seeds = st.integers(0, 2**32 - 1)


def random_durations(seed: int) -> Iterator[float]:
    return Chunking.parse("random").durations(np.random.default_rng(seed))


def session(seed: int, faults: Faults) -> list[Item]:
    """A second of pulse (a counter), markers and an irregular stream, all under one seed."""
    rng_pulse, rng_pictures, rng_markers = np.random.default_rng(seed).spawn(3)
    pulse = regular_packets([np.arange(1000)], 10.0, 1000.0, random_durations(seed))
    pictures = single_packets((10 + k / 30, np.full((2, 2), k)) for k in range(30))
    markers = single_packets([(10.0, "clip_start vid3"), (10.5, "rating=1"), (10.9995, "clip_end vid3")])
    return list(
        merge(
            [
                faults.on_items(items_on_time(0, False, pulse), rng_pulse),
                faults.on_items(items_on_time(1, False, pictures), rng_pictures),
                faults.on_items(items_on_time(2, True, markers), rng_markers),
            ]
        )
    )


def joined(items: list[Item], stream: int) -> tuple[np.ndarray, np.ndarray]:
    packets = [item.packet for item in items if item.stream == stream]
    return np.concatenate([p.times for p in packets]), np.concatenate([p.data for p in packets])


@given(seeds, st.integers(1, 500), st.floats(1, 5000), st.integers(-50, 50))
def test_regular_samples_leave_once_on_their_grid(seed: int, n: int, sfreq: float, first: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.arange(n)
    blocks = np.split(data, np.sort(rng.integers(0, n, 3)))
    packets = list(regular_packets(blocks, 5.0, sfreq, random_durations(seed), first))
    assert all(len(packet.data) for packet in packets)
    np.testing.assert_array_equal(np.concatenate([packet.data for packet in packets]), data)
    times = np.concatenate([packet.times for packet in packets])
    np.testing.assert_array_equal(times, 5.0 + np.arange(first, first + n) / sfreq)


def test_fixed_packets_have_the_length_asked_for() -> None:
    packets = list(regular_packets([np.arange(100)], 0.0, 2000.0, itertools.repeat(0.02)))
    assert [len(packet.data) for packet in packets] == [40, 40, 20]


def test_empty_stretch_has_no_packet() -> None:
    assert list(regular_packets([], 0.0, 10.0, itertools.repeat(0.1))) == []
    assert list(regular_packets([np.empty(0)], 0.0, 10.0, itertools.repeat(0.1))) == []
    assert list(stamped_packets(np.empty(0), np.empty(0), itertools.repeat(0.1))) == []


@given(seeds, st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_stamped_samples_keep_order_where_the_clock_jumps(seed: int, times: list[float]) -> None:
    stamps, data = np.array(times), np.arange(len(times))
    packets = list(stamped_packets(stamps, data, random_durations(seed)))
    np.testing.assert_array_equal(np.concatenate([packet.data for packet in packets]), data)
    np.testing.assert_array_equal(np.concatenate([packet.times for packet in packets]), stamps)
    due = [item.due_s for item in items_on_time(0, False, packets)]
    assert due == sorted(due)
    assert all(d >= packet.times.max() for d, packet in zip(due, packets, strict=True))


def test_a_gap_in_the_stamps_ends_a_packet() -> None:
    stamps = np.array([0.0, 0.01, 5.0, 5.01])
    packets = list(stamped_packets(stamps, np.arange(4), itertools.repeat(0.02)))
    assert [packet.data.tolist() for packet in packets] == [[0, 1], [2, 3]]


@given(seeds, st.floats(0, 0.2))
def test_nothing_leaves_before_it_is_due_nor_twice(seed: int, jitter_s: float) -> None:
    items = session(seed, Faults(jitter_s))
    due = [item.due_s for item in items]
    assert due == sorted(due)
    assert all(item.due_s >= item.packet.times[-1] for item in items)
    times, counter = joined(items, 0)
    np.testing.assert_array_equal(counter, np.arange(1000))
    np.testing.assert_array_equal(times, 10 + np.arange(1000) / 1000)  # jitter moves arrivals, not stamps


@given(seeds, st.floats(0, 0.2))
def test_a_marker_leaves_before_any_sample_stamped_after_it(seed: int, jitter_s: float) -> None:
    items = session(seed, Faults(jitter_s))
    for i, item in enumerate(items):
        if item.is_marker:
            assert item.due_s == item.packet.times[0]
            assert all(before.packet.times[-1] <= item.due_s for before in items[:i])


def test_a_marker_goes_first_where_both_are_due() -> None:
    sample = Packet(np.array([1.0]), np.array([0]))
    marker = Packet(np.array([1.0]), np.array(["clip_start vid3"], dtype=object))
    order = merge([items_on_time(0, False, [sample]), items_on_time(1, True, [marker])])
    assert [item.stream for item in order] == [1, 0]


@given(seeds)
def test_the_same_seed_gives_the_same_schedule(seed: int) -> None:
    faults = Faults(jitter_s=0.05, drop=0.2)
    one, two = session(seed, faults), session(seed, faults)
    assert [(i.due_s, i.stream, len(i.packet.times)) for i in one] == [
        (i.due_s, i.stream, len(i.packet.times)) for i in two
    ]


def test_drop_takes_whole_packets_and_spares_markers() -> None:
    items = session(7, Faults(drop=0.5))
    everything = session(7, Faults())
    kept = {item.packet.times[0] for item in items if item.stream == 1}
    assert 5 <= len(kept) <= 25  # of 30; binomial, p of leaving this range below 1e-3
    assert kept < {item.packet.times[0] for item in everything if item.stream == 1}
    assert joined(items, 2)[1].tolist() == ["clip_start vid3", "rating=1", "clip_end vid3"]


def test_everything_dropped_leaves_only_markers() -> None:
    assert {item.stream for item in session(3, Faults(drop=1.0))} == {2}


@pytest.mark.parametrize(("text", "longest_s"), [("20", 0.02), ("762", 0.762), ("random", 0.1)])
def test_chunk_lengths_are_read(text: str, longest_s: float) -> None:
    chunking = Chunking.parse(text)
    assert chunking.longest_s == longest_s
    lengths = list(itertools.islice(chunking.durations(np.random.default_rng(1)), 200))
    assert max(lengths) <= longest_s
    assert min(lengths) >= (RANDOM_CHUNK_S[0] if text == "random" else longest_s)


@pytest.mark.parametrize("text", ["", "0", "-5", "nan", "fast", "1e9"])
def test_a_chunk_length_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--chunk"):
        Chunking.parse(text)


@pytest.mark.parametrize("values", [(-1.0, 0.0), (float("nan"), 0.0), (0.0, 1.5), (0.0, float("nan"))])
def test_impossible_faults_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="Correct it"):
        Faults(*values)
