"""What leaves when: packet lengths and transport faults. No clock and no socket.

The same seed gives the same schedule, whatever the speed. Stamps are never altered: a fault moves or
removes a packet, not its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from rtasmr.errors import ConfigError
from rtasmr.sources.packets import Item

RANDOM_CHUNK_S = (0.001, 0.1)
"""Shortest and longest packet of random length, in seconds."""


@dataclass(frozen=True, slots=True)
class Chunking:
    """How long packets are: ``duration_s`` seconds, or random from 1 to 100 ms where it is None."""

    duration_s: float | None = 0.02

    @classmethod
    def parse(cls, text: str) -> Chunking:
        """Read ``random`` or a number of milliseconds.

        Raises
        ------
        ConfigError
            For anything else, and for a length that is not from 1 ms to 10 s.
        """
        if text == "random":
            return cls(None)
        try:
            duration_ms = float(text)
        except ValueError:
            duration_ms = np.nan
        if not 1 <= duration_ms <= 10_000:
            raise ConfigError(f"expected --chunk random or 1 to 10000 ms, got {text!r}. Correct it.")
        return cls(duration_ms / 1000)

    @property
    def longest_s(self) -> float:
        """Longest packet in seconds."""
        return RANDOM_CHUNK_S[1] if self.duration_s is None else self.duration_s

    def durations(self, rng: np.random.Generator) -> Iterator[float]:
        """Yield packet lengths in seconds, for ever."""
        while True:
            yield float(rng.uniform(*RANDOM_CHUNK_S)) if self.duration_s is None else self.duration_s


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on the way; markers are spared.

    Parameters
    ----------
    jitter_s : float
        Packets are late by the absolute value of a normal deviate with this standard deviation, in
        session seconds; those of one stream keep their order.
    drop : float
        Probability that a packet is lost.
    """

    jitter_s: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        if not self.jitter_s >= 0:
            raise ConfigError(f"expected --jitter of 0 ms or more, got {1000 * self.jitter_s:g}. Correct it.")
        if not 0 <= self.drop <= 1:
            raise ConfigError(f"expected --drop as a probability from 0 to 1, got {self.drop:g}. Correct it.")

    def apply(self, items: Iterable[Item], rng: np.random.Generator) -> Iterator[Item]:
        """Yield the items of one stream as they come through."""
        due_s = -np.inf
        for item in items:
            if item.is_marker:
                yield item
                continue
            late_s = self.jitter_s * abs(rng.standard_normal())
            is_lost = rng.random() < self.drop
            if not is_lost:
                due_s = max(due_s, item.due_s + late_s)
                yield replace(item, due_s=due_s)
