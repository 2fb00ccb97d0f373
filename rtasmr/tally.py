"""What a run adds up to: every tick counted, and how long each took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rtasmr.latency import DRAW, Durations, Percentiles, StageDurations
from rtasmr.snapshot import LatencyState, StageState
from rtasmr.types import Segment, Status

AGE_TICKS = 10
"""The age of an estimate is that of the last second."""


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

    def latency(self, n_ticks: int, drawn: Percentiles) -> LatencyState:
        """Return the figures of the newest ``n_ticks``, with what the windows took to draw them."""
        publish, compute = self.publish.percentiles(n_ticks), self.compute.percentiles(n_ticks)
        stages = {**self.stages.percentiles(n_ticks), DRAW: drawn}
        return LatencyState(
            publish.p50,
            publish.p99,
            compute.p50,
            compute.p99,
            self.age.percentiles(AGE_TICKS).p50,
            tuple(StageState(name, s.p50, s.p99, s.max) for name, s in stages.items()),
        )

    def count(self, segment: Segment, tick: int, status: Status) -> None:
        """Count one record; ticks of a segment must come as 0, 1, 2, ..."""
        self.ticks += 1
        self.status[status.name.lower()] += 1
        last_segment, last_tick = self._last
        expected = last_tick + 1 if segment.index == last_segment else 0
        self.missing += max(0, tick - expected)
        self.duplicates += tick < expected
        self._last = (segment.index, tick)
