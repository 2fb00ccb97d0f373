"""Recorded sessions in real time, or faster: the loop that follows the schedule."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
import pylsl

from replay.recorded import ReplaySession, ReplayStream
from replay.schedule import Chunking, Faults
from rtasmr.errors import ConfigError
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.pacing import (
    CONSUMER_MARGIN_S,
    PlannedStream,
    PlayReport,
    decode_ahead,
    drain,
    play,
    wait_for_consumer,
)
from rtasmr.sources.packets import Item, Packet, items_on_time, merge
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec

MAX_SPEED = 100.0
_BURST_S = 0.05


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """How to replay.

    Parameters
    ----------
    speed : float
        Session seconds per second.
    n_passes : int
        How often to play the session; 0 means until stopped. Session time runs on from pass to pass.
    wait_for_consumer : bool
        Hold the first sample until somebody takes the pulse (or, without one, any stream).
    lead_s : float
        Seconds from opening the streams to the first sample.
    chunking, faults, seed
        Packet lengths, transport faults and the seed of both.
    """

    speed: float = 1.0
    n_passes: int = 1
    wait_for_consumer: bool = False
    lead_s: float = 2.0
    chunking: Chunking = field(default_factory=Chunking)
    faults: Faults = field(default_factory=Faults)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.speed <= MAX_SPEED:
            raise ConfigError(
                f"expected --speed above 0 and up to {MAX_SPEED:g}, got {self.speed:g}. Correct it."
            )
        if self.n_passes < 0:
            raise ConfigError(
                f"expected --loop of 0 (until stopped) or more, got {self.n_passes}. Correct it."
            )


def replay(
    session: ReplaySession,
    config: ReplayConfig,
    stop: threading.Event,
    on_start: Callable[[float], None] = lambda _: None,
) -> PlayReport:
    """Publish a session.

    Parameters
    ----------
    session : ReplaySession
    config : ReplayConfig
    stop : threading.Event
        Ends the replay early.
    on_start : callable
        Called when the first sample's time is settled, with the seconds by which session times were
        moved while waiting for a consumer.

    Returns
    -------
    PlayReport
        Counts in the order of the session's streams.
    """
    shift_s = 0.0
    rngs = np.random.default_rng(config.seed).spawn(2 * len(session.streams))
    chunk_rngs, fault_rngs = rngs[::2], rngs[1::2]
    with ExitStack() as stack:
        planned = [
            PlannedStream(stream.spec, _passes(session, stream, config, rng), stream.is_decoded)
            for stream, rng in zip(session.streams, chunk_rngs, strict=True)
        ]
        packets = decode_ahead(planned, stack)
        timebase = TimeBase(pylsl.local_clock() + config.lead_s, session.start_s, config.speed)
        outlets = [
            stack.enter_context(Outlet(_published(stream.spec, timebase, config)))
            for stream in session.streams
        ]
        if config.wait_for_consumer:
            if not wait_for_consumer(outlets, stop):
                return PlayReport((0,) * len(outlets), 0.0)
            shift_s = _shift_for(pylsl.local_clock() + CONSUMER_MARGIN_S, timebase)
        on_start(shift_s)
        items: list[Iterator[Item]] = [
            config.faults.apply(items_on_time(i, stream.is_marker, _shifted(ready, shift_s)), rng)
            for i, (stream, ready, rng) in enumerate(zip(session.streams, packets, fault_rngs, strict=True))
        ]
        report = play(merge(items), outlets, timebase, stop)
        drain(stop)
    return report


def _shift_for(earliest_lsl: float, timebase: TimeBase) -> float:
    """Return by how much to move the session so that it begins at ``earliest_lsl`` or later.

    The clock map stands in the metadata before a consumer can have come; only session time is still
    free then. Whole seconds keep the 10 Hz grid of a session without markers where it was.
    """
    return float(max(0, math.ceil(timebase.to_session(earliest_lsl) - timebase.start)))


def _shifted(packets: Iterator[Packet], shift_s: float) -> Iterator[Packet]:
    return (packet.shifted(shift_s) for packet in packets)


def _passes(
    session: ReplaySession, stream: ReplayStream, config: ReplayConfig, rng: np.random.Generator
) -> Iterator[Packet]:
    """Yield the packets of all passes, one after the other."""
    numbers = itertools.count() if config.n_passes == 0 else range(config.n_passes)
    durations_s = config.chunking.durations(rng)
    for n in numbers:
        for packet in stream.packets(durations_s):
            yield packet.shifted(n * (session.stop_s - session.start_s))


def _published(spec: StreamSpec, timebase: TimeBase, config: ReplayConfig) -> StreamSpec:
    """Return the description on the LSL clock: the rate there, the clock map, the bursts."""
    desc = {**spec.desc, **timebase.as_desc()}
    if spec.sfreq > 0 and config.chunking.longest_s > _BURST_S:
        desc["burst_s"] = repr(config.chunking.longest_s)
    return replace(spec, sfreq=spec.sfreq * config.speed, desc=desc)
