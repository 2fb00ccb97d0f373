"""Where the engine leaves its state and the windows' threads find it."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.latency import Durations, Percentiles
from rtasmr.snapshot import Snapshot, TickRecord

HISTORY_RECORDS = 600 * FRAME_RATE_HZ
"""Ten minutes of records, kept for windows that attach late."""

RECORDS_PER_REPLY = 600
"""Bounds the time one reply keeps the interpreter busy (about 2 ms); a reader behind asks again."""

_STORE_OWNED = frozenset(
    {"version", "session", "revision", "seq", "n_behind", "start_s", "published_ago_s", "records"}
)


class SnapshotStore:
    """The newest state of the runtime and ten minutes of records; every method is thread-safe.

    Parameters
    ----------
    history : int
        Number of records kept.
    clock : callable
        The steady clock of ``published``, in seconds.
    """

    def __init__(
        self, history: int = HISTORY_RECORDS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._published = math.nan
        self._drawn = Durations()
        self._snapshot = Snapshot(session=secrets.token_hex(8))
        self._records: deque[TickRecord] = deque(maxlen=history)

    def update(self, **changes: Any) -> None:
        """Replace fields of the snapshot: ``state``, ``streams``, ``now_s``, ``ppg_values``, ..."""
        owned = _STORE_OWNED & changes.keys()
        if owned:
            raise TypeError(f"expected fields that the engine owns, got {sorted(owned)}")
        with self._lock:
            self._snapshot = replace(self._snapshot, **changes, revision=self._snapshot.revision + 1)

    def publish(self, snapshot: Snapshot) -> None:
        """Replace the whole snapshot; its records and counters are the store's, not the argument's."""
        with self._lock:
            mine = self._snapshot
            kept = {name: getattr(mine, name) for name in _STORE_OWNED}
            self._snapshot = replace(snapshot, **{**kept, "revision": mine.revision + 1})

    def add_records(self, records: Iterable[TickRecord], published: float = math.nan) -> None:
        """Append finished ticks, oldest first; the last one was published at ``published``."""
        new = tuple(records)
        if not new:
            return
        with self._lock:
            mine = self._snapshot
            self._published = published
            self._records.extend(new)
            self._snapshot = replace(
                mine,
                seq=mine.seq + len(new),
                start_s=new[0].time_s if mine.seq == 0 else mine.start_s,
                newest_tick_s=new[-1].time_s,
                revision=mine.revision + 1,
            )

    def note_drawn(self, seconds: float) -> None:
        """Take a window's word on how long after its publication a record was on the screen."""
        with self._lock:
            self._drawn.add(seconds)

    def drawn(self, newest: int | None = None) -> Percentiles:
        """Return how long after their publication records were on the screen; NaN without a window."""
        with self._lock:
            return self._drawn.percentiles(newest)

    @property
    def revision(self) -> int:
        """How often the state changed."""
        return self._snapshot.revision

    def read(self, since_seq: int = 0, session: str = "", limit: int = RECORDS_PER_REPLY) -> Snapshot:
        """Return the state with the records after ``since_seq``, at most ``limit``, oldest first.

        A reader of another session, or one that claims to be ahead, gets the history from its start.
        """
        with self._lock:
            snapshot, n_kept = self._snapshot, len(self._records)
            known = since_seq if session == snapshot.session and since_seq <= snapshot.seq else 0
            first = max(known, snapshot.seq - n_kept)
            skip = first - (snapshot.seq - n_kept)
            records = tuple(islice(self._records, skip, skip + limit))
            published_ago_s = self._clock() - self._published
        seq = first + len(records)
        return replace(
            snapshot,
            records=records,
            seq=seq,
            n_behind=snapshot.seq - seq,
            published_ago_s=published_ago_s,
        )
