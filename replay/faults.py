"""What goes wrong on the way, on purpose: pure, and the same for the same seed. Markers are spared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import ConfigError
from rtasmr.sources.packets import Item, Packet

OUTAGE_S = 1.0
"""How long a source that restarts is away, in session seconds."""

MAX_DRIFT_PPM = 100_000.0


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that are missing: from ``at_s`` seconds after the replay's start, ``length_s`` long."""

    at_s: float
    length_s: float

    @classmethod
    def parse(cls, text: str) -> Gap:
        """Read ``AT,LEN``, both in seconds.

        Raises
        ------
        ConfigError
            For anything else.
        """
        try:
            at_s, length_s = (float(part) for part in text.split(","))
        except ValueError:
            at_s = length_s = np.nan
        if not (0 <= at_s < np.inf and 0 < length_s < np.inf):
            raise ConfigError(f"expected --gap AT,LEN in seconds such as 10,2.5, got {text!r}. Correct it.")
        return cls(at_s, length_s)


@dataclass(frozen=True, slots=True)
class Switch:
    """A source goes away (``is_up`` False) or comes back; ``stream`` as in `Item`."""

    due_s: float
    stream: int
    is_up: bool


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to the signals of a replay.

    Parameters
    ----------
    jitter_s : float
        Packets are late by the absolute value of a normal deviate with this standard deviation, in
        session seconds; those of one stream keep their order, and stamps stay.
    drop : float
        Probability that a packet is lost.
    drift_ppm : float
        The device runs this much faster than its nominal rate: samples are stamped and sent earlier by
        so many millionths of the time since the start.
    gaps : tuple of Gap
    restart_every_s : float or None
        The source goes away and comes back `OUTAGE_S` later, each time so many session seconds after the
        last; what falls in between is lost.
    only : tuple of str
        Names or types of the streams that suffer; empty for all signals.
    """

    jitter_s: float = 0.0
    drop: float = 0.0
    drift_ppm: float = 0.0
    gaps: tuple[Gap, ...] = ()
    restart_every_s: float | None = None
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.jitter_s < np.inf:
            raise ConfigError(f"expected --jitter of 0 ms or more, got {1000 * self.jitter_s:g}. Correct it.")
        if not 0 <= self.drop <= 1:
            raise ConfigError(f"expected --drop as a probability from 0 to 1, got {self.drop:g}. Correct it.")
        if not abs(self.drift_ppm) <= MAX_DRIFT_PPM:
            raise ConfigError(
                f"expected --drift from -{MAX_DRIFT_PPM:g} to {MAX_DRIFT_PPM:g} ppm, "
                f"got {self.drift_ppm:g}. Correct it."
            )
        if self.restart_every_s is not None and not 2 * OUTAGE_S <= self.restart_every_s < np.inf:
            raise ConfigError(
                f"expected --restart-every of {2 * OUTAGE_S:g} s or more, got {self.restart_every_s:g}. "
                "Correct it."
            )

    def on_packets(self, packets: Iterable[Packet], start_s: float) -> Iterator[Packet]:
        """Yield the packets of one stream as the device makes them: drifting, with gaps and outages.

        Parameters
        ----------
        packets : iterable of Packet
        start_s : float
            Session second at which the replay begins.
        """
        for packet in packets:
            if self.drift_ppm:
                times = start_s + (packet.times - start_s) / (1 + 1e-6 * self.drift_ppm)
                packet = Packet(times, packet.data)
            if self.gaps or self.restart_every_s is not None:
                yield from _kept(packet, ~self._is_missing(packet.times - start_s))
            else:
                yield packet

    def on_items(self, items: Iterable[Item], rng: np.random.Generator) -> Iterator[Item]:
        """Yield the items of one stream as they come through: late, or not at all."""
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

    def switches(self, stream: int, start_s: float, from_s: float, end_s: float) -> Iterator[Switch]:
        """Yield when a source goes away and comes back between two session seconds."""
        if self.restart_every_s is None:
            return
        for number in count(1):
            away_s = start_s + number * self.restart_every_s
            if away_s >= end_s:
                return
            if away_s >= from_s:
                yield Switch(away_s, stream, is_up=False)
                yield Switch(away_s + OUTAGE_S, stream, is_up=True)

    def _is_missing(self, since_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        missing = np.zeros(len(since_s), dtype=np.bool_)
        for gap in self.gaps:
            missing |= (since_s >= gap.at_s) & (since_s < gap.at_s + gap.length_s)
        if self.restart_every_s is not None:
            missing |= (since_s >= self.restart_every_s) & (since_s % self.restart_every_s < OUTAGE_S)
        return missing


def _kept(packet: Packet, keep: NDArray[np.bool_]) -> Iterator[Packet]:
    """Yield the runs of samples that are kept."""
    edges = np.flatnonzero(np.diff(keep)) + 1
    runs = np.split(np.arange(len(keep)), edges)
    for run in runs:
        if len(run) and keep[run[0]]:
            part = slice(run[0], run[-1] + 1)
            yield replace(packet, times=packet.times[part], data=packet.data[part])
