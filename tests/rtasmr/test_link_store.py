"""What the engine leaves for its windows, and which part of it a reader gets."""

from __future__ import annotations

import math

import pytest

from rtasmr.link import SnapshotStore
from rtasmr.snapshot import PulsePoint, PulseState, RunState, TickRecord
from rtasmr.types import Status


def records(n: int, first: int = 0) -> list[TickRecord]:
    return [
        TickRecord(0, "vid1", i, 100.0 + i / 10, i / 10_000, Status.OK, 7, 0) for i in range(first, first + n)
    ]


@pytest.fixture
def store() -> SnapshotStore:
    return SnapshotStore()


def test_records_are_numbered_and_the_newest_are_kept():
    store = SnapshotStore(history=5)
    store.update(records(4))
    store.update(records(4, first=4))
    snapshot = store.read()
    assert [r.tick for r in snapshot.records] == [3, 4, 5, 6, 7]
    assert (snapshot.seq, snapshot.n_behind) == (8, 0)
    assert (snapshot.start_s, snapshot.records[-1].time_s) == (100.0, 100.7)


def test_a_reader_gets_what_it_lacks(store: SnapshotStore):
    store.update(records(8))
    session = store.read().session
    assert [r.tick for r in store.read(6, session).records] == [6, 7]
    assert store.read(8, session).records == ()


def test_a_reader_far_behind_gets_portions(store: SnapshotStore):
    store.update(records(8))
    first = store.read(limit=5)
    assert ([r.tick for r in first.records], first.seq, first.n_behind) == ([0, 1, 2, 3, 4], 5, 3)
    rest = store.read(first.seq, first.session, limit=5)
    assert ([r.tick for r in rest.records], rest.seq, rest.n_behind) == ([5, 6, 7], 8, 0)


@pytest.mark.parametrize(("since_seq", "session"), [(6, "another run"), (99, "")])
def test_a_reader_of_another_run_starts_again(store: SnapshotStore, since_seq: int, session: str):
    store.update(records(8))
    assert len(store.read(since_seq, session).records) == 8


def test_update_changes_the_named_fields_only(store: SnapshotStore):
    store.update(state=RunState.RUNNING, now_s=3.0)
    before = store.revision
    store.update(message="hello")
    after = store.read()
    assert (after.state, after.now_s, after.message) == (RunState.RUNNING, 3.0, "hello")
    assert after.revision == before + 1


def test_a_reply_tells_how_long_ago_its_newest_record_was_published():
    store = SnapshotStore(clock=lambda: 50.25)
    assert math.isnan(store.read().published_ago_s)
    store.update(records(2), published=50.0)
    assert store.read().published_ago_s == 0.25


def test_the_counters_are_not_the_engines(store: SnapshotStore):
    with pytest.raises(TypeError, match=r"got \['seq'\]"):
        store.update(seq=3)


def test_records_and_state_are_one_change(store: SnapshotStore):
    before = store.revision
    store.update(records(2), 50.0, message="two more")
    after = store.read()
    assert (after.seq, after.message, after.revision) == (2, "two more", before + 1)


def test_a_reader_gets_the_part_of_the_wave_that_it_lacks(store: SnapshotStore):
    store.update(ppg_times=(1.0, 2.0, 3.0), ppg_values=(10.0, 20.0, 30.0))
    session = store.read().session
    assert store.read(0, session, wave_s=1.0).ppg_values == (20.0, 30.0)
    assert store.read(0, session, wave_s=3.0).ppg_values == ()
    assert store.read(0, "another run", wave_s=3.0).ppg_values == (10.0, 20.0, 30.0)


def test_readings_of_the_pulse_are_kept_once_each(store: SnapshotStore):
    for time_s in (5.0, 5.0, 6.0):
        store.update(pulse=PulseState(time_s, 60.0 + time_s, 0.9, (), (4.1,)))
    store.update(pulse=None)
    first, second = PulsePoint(5.0, 65.0, 0.9), PulsePoint(6.0, 66.0, 0.9)
    session = store.read().session
    assert store.read().trend == (first, second)
    assert store.read(0, session, trend_s=5.0).trend == (second,)
    assert store.read(0, "another run", trend_s=5.0).trend == (first, second)
