"""Notices input that comes and is none: no numbers, a line that stands still, the ends of a range."""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Mapping

import numpy as np

from rtasmr.discovery import printable
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.stream_events import Event, GoodAgain, Unusable
from rtasmr.types import Chunk, Modality, Role, Status, StreamSpec

logger = logging.getLogger(__name__)

TELL_AFTER_TICKS = 15
"""Input that is bad for 2 s is so in 15 ticks at least: it takes 1 s to see that a line stands still."""

GOOD_AFTER_TICKS = 20
"""Good ticks that end an episode: a sensor that slips on and off the skin is one episode."""

MOST_CHUNKS = {Role.PPG: 64, Role.SOUND: 4}
"""Newest chunks that say what is wrong."""

_NEWEST = 4096


class InputWatch:
    """Tells once that a stream's samples are of no use, and once that they are again.

    A stream that is refused, silent or gone sends nothing to judge, and is told as that.
    """

    def __init__(self) -> None:
        self._newest = {role: deque[Chunk](maxlen=n) for role, n in MOST_CHUNKS.items()}
        self._names: dict[Role, str] = {}
        self._since_s: dict[Role, float] = {}  # first stamp; ticks before it wait for their look-ahead
        self._bad: Counter[Role] = Counter()  # ticks in a row, over short rests
        self._good: Counter[Role] = Counter()  # ticks in a row since
        self._told: set[Role] = set()
        self._news: list[Event] = []
        self.n_ticks: Counter[str] = Counter()
        """Ticks with bad input, by stream."""

    def see(self, chunk: Chunk, spec: StreamSpec) -> None:
        """Take samples as they came, and the stream that they are of."""
        if chunk.role in self._newest:
            self._newest[chunk.role].append(chunk)
            self._names[chunk.role] = printable(spec.name)
            self._since_s.setdefault(chunk.role, float(chunk.times[0]))

    def push(self, time_s: float, status: Mapping[Modality, Status]) -> None:
        """Take what is known of each modality at the next tick, at ``time_s`` on the session clock."""
        for role in self._newest:
            known = status[role.modality] if role.modality is not None else Status.ABSENT
            if known is Status.BAD_INPUT and time_s >= self._since_s.get(role, math.inf):
                self.n_ticks[role.value] += 1
                self._bad[role] += 1
                self._good[role] = 0
                if self._bad[role] == TELL_AFTER_TICKS:
                    self._tell_bad(role)
            elif known is Status.OK:
                self._good[role] += 1
                if role not in self._told:
                    self._bad[role] = 0
                elif self._good[role] == GOOD_AFTER_TICKS:
                    self._tell_good(role)

    def leave(self, role: Role) -> None:
        """Note that a stream is gone or refused, which is told elsewhere."""
        if role in self._newest:
            self._newest[role].clear()
            self._since_s.pop(role, None)
            self._told.discard(role)
            self._bad[role] = self._good[role] = 0

    def take_news(self) -> list[Event]:
        """Return what has happened since the last call."""
        news, self._news = self._news, []
        return news

    def _tell_bad(self, role: Role) -> None:
        self._told.add(role)
        reason = _reason(self._newest[role])
        logger.warning(
            "%s stream %r: bad input: %s; no probability rests on it. Check its sensor",
            role,
            self._names[role],
            reason,
        )
        self._news.append(Unusable(role, reason))

    def _tell_good(self, role: Role) -> None:
        bad_s = self._bad[role] / FRAME_RATE_HZ
        self._told.discard(role)
        self._bad[role] = 0
        logger.warning("%s stream: its input is good again, after %.1f s of bad input", role, bad_s)
        self._news.append(GoodAgain(role, bad_s))


def _reason(chunks: deque[Chunk]) -> str:
    """Say what is wrong with the newest samples."""
    samples = np.concatenate([chunk.data[-_NEWEST:, 0] for chunk in chunks])[-_NEWEST:]
    if not np.isfinite(samples).all():
        return "what is sent is not a finite number"
    if samples.min() == samples.max():
        return f"it stands still at {samples[0]:g}"
    return "it stands still, or at the ends of its range"
