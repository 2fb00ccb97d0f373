"""What a run adds up to: every tick counted, and how long each took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rtasmr.latency import DRAW, Durations, Percentiles, StageDurations
from rtasmr.snapshot import LatencyState, StageState
from rtasmr.types import Cause, Prediction, Status

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
    reasons: Counter[str] = field(default_factory=Counter)
    """As ``status``, but with the ticks that lack their data for a known cause under the name of that."""
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

    def count(self, prediction: Prediction) -> None:
        """Count one record; ticks of a segment must come as 0, 1, 2, ..."""
        segment, tick = prediction.segment.index, prediction.tick
        self.ticks += 1
        self.status[prediction.status.name.lower()] += 1
        self.reasons[reason_of(prediction.status, prediction.cause)] += 1
        last_segment, last_tick = self._last
        expected = last_tick + 1 if segment == last_segment else 0
        self.missing += max(0, tick - expected)
        self.duplicates += tick < expected
        self._last = (segment, tick)


def reason_of(status: Status, cause: Cause) -> str:
    """Return the name of why a tick has no probability, or ``ok``: the cause, where one is known."""
    return status.name.lower() if status is Status.OK or cause is Cause.NONE else cause.value
