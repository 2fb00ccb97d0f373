"""What a run adds up to: every tick counted, and how long each took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rtasmr.latency import Durations, StageDurations
from rtasmr.types import Segment, Status


@dataclass
class Tally:
    """What a run adds up to."""

    ticks: int = 0
    missing: int = 0
    duplicates: int = 0
    outside: int = 0
    """Ticks whose features lie outside what the model was trained on."""
    status: Counter[str] = field(default_factory=Counter)
    publish: Durations = field(default_factory=Durations)
    compute: Durations = field(default_factory=Durations)
    age: Durations = field(default_factory=Durations)
    stages: StageDurations = field(default_factory=StageDurations)
    _last: tuple[int, int] = (-1, -1)

    def count(self, segment: Segment, tick: int, status: Status) -> None:
        """Count one record; ticks of a segment must come as 0, 1, 2, ..."""
        self.ticks += 1
        self.status[status.name.lower()] += 1
        last_segment, last_tick = self._last
        expected = last_tick + 1 if segment.index == last_segment else 0
        self.missing += max(0, tick - expected)
        self.duplicates += tick < expected
        self._last = (segment.index, tick)
