"""Where the engine leaves its state and the windows' threads find it."""

from __future__ import annotations

import math
import secrets
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.latency import Durations, Percentiles
from rtasmr.snapshot import PulsePoint, PulseState, Snapshot, TickRecord

HISTORY_S = 600
"""Ten minutes are kept for windows that attach late."""

HISTORY_RECORDS = HISTORY_S * FRAME_RATE_HZ

RECORDS_PER_REPLY = 600
"""Bounds the time one reply keeps the interpreter busy (about 2 ms); a reader behind asks again."""

_STORE_OWNED = frozenset(
    {"version", "session", "revision", "seq", "n_behind", "start_s", "published_ago_s", "trend"}
)


class SnapshotStore:
    """The newest state of the runtime and ten minutes of history; every method is thread-safe.

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
        self._changed = threading.Condition()
        self._clock = clock
        self._published = math.nan
        self._drawn = Durations()
        self._snapshot = Snapshot(session=secrets.token_hex(8))
        self._records: deque[TickRecord] = deque(maxlen=history)
        self._trend: deque[PulsePoint] = deque(maxlen=HISTORY_S)  # a reading a second

    def update(self, records: Iterable[TickRecord] = (), published: float = math.nan, **changes: Any) -> None:
        """Append finished ticks and replace fields of the snapshot, as one change.

        Parameters
        ----------
        records : iterable of TickRecord
            Oldest first.
        published : float
            When the last of them was published, on the store's clock.
        **changes
            Fields of the snapshot: ``state``, ``streams``, ``now_s``, ``ppg_values``, ...
        """
        owned = _STORE_OWNED & changes.keys()
        if owned:
            raise TypeError(f"expected fields that the engine owns, got {sorted(owned)}")
        new = tuple(records)
        with self._changed:
            mine = self._snapshot
            if new:
                self._published = published
                self._records.extend(new)
                changes["seq"] = mine.seq + len(new)
                if mine.seq == 0:
                    changes["start_s"] = new[0].time_s
            self._follow(changes.get("pulse"))
            self._snapshot = replace(mine, **changes, revision=mine.revision + 1)
            self._changed.notify_all()

    def _follow(self, pulse: PulseState | None) -> None:
        """Keep a reading of the pulse that is new."""
        if pulse is not None and (not self._trend or pulse.time_s > self._trend[-1].time_s):
            self._trend.append(PulsePoint(pulse.time_s, pulse.rate_bpm, pulse.quality))

    def wait(
        self, seq: int, revision: int, session: str, timeout_s: float, given_up: Callable[[], bool]
    ) -> None:
        """Return as soon as there is more than this, at the latest after ``timeout_s``.

        Parameters
        ----------
        seq, revision, session
            What is known.
        timeout_s : float
        given_up : callable
            Ends the wait when it is true; looked at when ``wake`` was called.
        """

        def is_over() -> bool:
            mine = self._snapshot
            return (mine.seq, mine.revision, mine.session) != (seq, revision, session) or given_up()

        with self._changed:
            self._changed.wait_for(is_over, timeout_s)

    def wake(self) -> None:
        """Let whoever waits look whether to give up."""
        with self._changed:
            self._changed.notify_all()

    def note_drawn(self, seconds: float) -> None:
        """Take a window's word on how long after its publication a record was on the screen."""
        with self._changed:
            self._drawn.add(seconds)

    def drawn(self, newest: int | None = None) -> Percentiles:
        """Return how long after their publication records were on the screen; NaN without a window."""
        with self._changed:
            return self._drawn.percentiles(newest)

    @property
    def revision(self) -> int:
        """How often the state changed."""
        return self._snapshot.revision

    def read(
        self,
        since_seq: int = 0,
        session: str = "",
        limit: int = RECORDS_PER_REPLY,
        *,
        wave_s: float | None = None,
        trend_s: float | None = None,
    ) -> Snapshot:
        """Return the state with what a reader lacks.

        A reader of another session, or one that claims to be ahead, gets the history from its start.

        Parameters
        ----------
        since_seq, session
            Number of the newest record that the reader has, and the session it is of.
        limit : int
            Most records to return; the oldest come first.
        wave_s, trend_s : float or None
            Time of the reader's newest point of the pulse wave and of its newest reading.
        """
        with self._changed:
            snapshot, n_kept = self._snapshot, len(self._records)
            known = since_seq if session == snapshot.session and since_seq <= snapshot.seq else 0
            first = max(known, snapshot.seq - n_kept)
            skip = first - (snapshot.seq - n_kept)
            records = tuple(islice(self._records, skip, skip + limit))
            published_ago_s = self._clock() - self._published
            trend = tuple(self._trend)
        if session != snapshot.session:
            wave_s = trend_s = None
        wave = 0 if wave_s is None else bisect_right(snapshot.ppg_times, wave_s)
        seq = first + len(records)
        return replace(
            snapshot,
            records=records,
            seq=seq,
            n_behind=snapshot.seq - seq,
            published_ago_s=published_ago_s,
            ppg_times=snapshot.ppg_times[wave:],
            ppg_values=snapshot.ppg_values[wave:],
            trend=trend if trend_s is None else tuple(p for p in trend if p.time_s > trend_s),
        )
