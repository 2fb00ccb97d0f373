"""Recorded sessions in real time, or faster: the loop that follows the schedule."""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
import pylsl

from replay.controls import Command, Controls
from replay.faults import Faults, Switch
from replay.recorded import ReplaySession, ReplayStream
from replay.schedule import Chunking, OpenClip, Passes
from rtasmr.declared import EXACT_STAMPS
from rtasmr.errors import ConfigError
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.pacing import (
    CONSUMER_MARGIN_S,
    PlannedStream,
    PlayReport,
    decode_ahead,
    drain,
    wait_for_consumer,
)
from rtasmr.sources.packets import Item, Packet, items_on_time, merge
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec

MAX_SPEED = 100.0
EVENTS_NAME = "rtasmr-replay"
"""Markers of a replay that loops or can be steered: ``loop 2``, ``pause``, ``resume``, ``seek 12.5``."""

_BURST_S = 0.05
_CHECK_S = 0.05
_GRID_HZ = 10
"""Session time is moved by multiples of 0.1 s: whole samples of sound and of a 2 kHz pulse, whole ticks."""


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
        Packet lengths, faults and the seed of both.
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
    controls: Controls | None = None,
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
    controls : Controls, optional
        Where commands to pause and to seek come from.

    Returns
    -------
    PlayReport
        Counts in the order of the session's streams.
    """
    plan = _Plan(session, config)
    with ExitStack() as stack:
        stretch = stack.enter_context(ExitStack())
        packets = decode_ahead(plan.streams(session.start_s), stretch)
        timebase = TimeBase(pylsl.local_clock() + config.lead_s, session.start_s, config.speed)
        outlets = [
            stack.enter_context(Outlet(_published(stream.spec, timebase, config, is_hit)))
            for stream, is_hit in zip(session.streams, plan.is_hit, strict=True)
        ]
        with_events = config.n_passes != 1 or controls is not None
        events = stack.enter_context(Outlet(_events_spec(session, timebase))) if with_events else None
        playback = _Playback(outlets, events, timebase, stop, controls, session.zero_s)
        stack.callback(playback.close)
        if config.wait_for_consumer:
            if not wait_for_consumer(outlets, stop):
                return playback.report()
            playback.shift_s = _shift_for(pylsl.local_clock() + CONSUMER_MARGIN_S, timebase)
        on_start(playback.shift_s)
        from_s = session.start_s
        while True:
            target_s = playback.play(plan.events(packets, from_s), plan.passes)
            if target_s is None:
                break
            from_s = target_s
            stretch.close()
            packets = decode_ahead(plan.streams(from_s), stretch)
            playback.land(from_s)
        drain(stop)
    return playback.report()


class _Plan:
    """What leaves when, from any moment on: pure but for the decoding of files."""

    def __init__(self, session: ReplaySession, config: ReplayConfig) -> None:
        rngs = np.random.default_rng(config.seed).spawn(2 * len(session.streams))
        self._session = session
        self._faults = config.faults
        self._durations = [config.chunking.durations(rng) for rng in rngs[::2]]
        self._fault_rngs = rngs[1::2]
        self.passes = Passes(session.start_s, session.stop_s, config.n_passes)
        signals = [stream for stream in session.streams if not stream.is_marker]
        hit = session.matching(config.faults.only, "--faults-on") if config.faults.only else signals
        self.is_hit = [stream in hit and not stream.is_marker for stream in session.streams]

    def streams(self, from_s: float) -> list[PlannedStream]:
        """Return every stream with its packets from ``from_s`` on."""
        return [
            PlannedStream(stream.spec, self._packets(stream, durations_s, is_hit, from_s), stream.is_decoded)
            for stream, durations_s, is_hit in zip(
                self._session.streams, self._durations, self.is_hit, strict=True
            )
        ]

    def events(self, packets: Sequence[Iterator[Packet]], from_s: float) -> Iterator[Item | Switch]:
        """Put all that happens from ``from_s`` on in order: packets, loops, sources that go and come back."""
        start_s = self.passes.start_s
        items: list[Iterator[Item]] = []
        switches: list[Iterator[Switch]] = []
        for i, (ready, rng) in enumerate(zip(packets, self._fault_rngs, strict=True)):
            on_time = items_on_time(i, self._session.streams[i].is_marker, ready)
            items.append(self._faults.on_items(on_time, rng) if self.is_hit[i] else on_time)
            if self.is_hit[i]:
                switches.append(self._faults.switches(i, start_s, from_s, self.passes.end_s))
        items.append(items_on_time(len(packets), True, self.passes.announcements(from_s)))
        in_order: list[Iterator[Item | Switch]] = [*switches, merge(items)]
        return heapq.merge(*in_order, key=lambda event: event.due_s)

    def _packets(
        self, stream: ReplayStream, durations_s: Iterator[float], is_hit: bool, from_s: float
    ) -> Iterator[Packet]:
        packets = self.passes.packets(stream.packets, durations_s, from_s)
        return self._faults.on_packets(packets, self.passes.start_s) if is_hit else packets


class _Playback:
    """Sends what is due; the only place with a clock.

    ``shift_s`` is what session times are moved by: waiting, pausing and seeking move it on.
    """

    def __init__(
        self,
        outlets: list[Outlet],
        events: Outlet | None,
        timebase: TimeBase,
        stop: threading.Event,
        controls: Controls | None,
        zero_s: float,
    ) -> None:
        self._zero_s = zero_s
        self.shift_s = 0.0
        self._outlets = outlets
        self._events = events
        self._timebase = timebase
        self._stop = stop
        self._controls = controls
        self._away: set[int] = set()
        self._clips = [OpenClip() for _ in outlets]
        self._n_samples = [0] * len(outlets)
        self._worst_late_s = 0.0
        self._target_s: float | None = None

    def report(self) -> PlayReport:
        """Return what was sent."""
        return PlayReport(tuple(self._n_samples), self._worst_late_s)

    def play(self, events: Iterable[Item | Switch], passes: Passes) -> float | None:
        """Send until the end or a stop (None), or until the user goes elsewhere: to which second."""
        self._target_s = None
        for event in events:
            due = self._wait(event.due_s, passes)
            if due is None:
                return self._target_s
            if isinstance(event, Switch):
                self._switch(event)
                continue
            self._worst_late_s = max(self._worst_late_s, pylsl.local_clock() - due)
            self._send(event)
        return None

    def land(self, from_s: float) -> None:
        """Go on at ``from_s``, now: session time runs on, whatever second of the recording comes next."""
        self.shift_s = _on_grid(self._now_s() - from_s)
        for number in tuple(self._away):
            self._switch(Switch(from_s, number, is_up=True))

    def close(self) -> None:
        """Close the outlets that came back after a restart."""
        for outlet in self._outlets:
            outlet.close()

    def _wait(self, due_s: float, passes: Passes) -> float | None:
        """Wait until a moment of the time line and return it on the LSL clock; None to leave."""
        while not self._stop.is_set():
            if self._controls is not None and self._obey(self._controls, passes):
                return None
            due = self._timebase.from_session(due_s + self.shift_s)
            rest_s = due - pylsl.local_clock()
            if rest_s <= 0:
                return due
            self._stop.wait(rest_s if self._controls is None else min(rest_s, _CHECK_S))
        return None

    def _obey(self, controls: Controls, passes: Passes) -> bool:
        """Carry out what the user asked for, if anything; True if it leads elsewhere."""
        command = controls.take()
        if command is not None and command.verb in ("pause", "toggle"):
            command = self._pause(controls)
        if command is None or command.verb not in ("seek", "skip"):
            return False
        self._seek(command, passes)
        return True

    def _pause(self, controls: Controls) -> Command | None:
        """Send nothing until told to go on; return the command that said so."""
        began_s = self._now_s()
        self._mark("pause")
        command = None
        while not self._stop.wait(_CHECK_S):
            command = controls.take()
            if command is not None and command.verb != "pause":
                break
        self.shift_s += _on_grid(self._now_s() - began_s)
        self._mark("resume")
        return command

    def _seek(self, command: Command, passes: Passes) -> None:
        """Settle where to go; a clip that is open ends here."""
        number, place_s = passes.place(max(self._now_s() - self.shift_s, passes.start_s))
        wanted_s = command.seconds + (self._zero_s if command.verb == "seek" else place_s)
        target_s = min(max(wanted_s, passes.start_s), passes.stop_s - 1 / _GRID_HZ)
        for clip, outlet in zip(self._clips, self._outlets, strict=True):
            if clip.end is not None:
                outlet.push_marker(clip.end, pylsl.local_clock())
                clip.end = None
        self._mark(f"seek {target_s - self._zero_s:g}")
        self._target_s = target_s + number * passes.length_s

    def _mark(self, text: str) -> None:
        if self._events is not None:
            self._events.push_marker(text, pylsl.local_clock())

    def _now_s(self) -> float:
        return self._timebase.to_session(float(pylsl.local_clock()))

    def _switch(self, switch: Switch) -> None:
        """Close an outlet, or open it again: another life of the same source."""
        number = switch.stream
        if not switch.is_up:
            self._outlets[number].close()
            self._away.add(number)
        elif number in self._away:
            self._outlets[number] = Outlet(self._outlets[number].spec)
            self._away.remove(number)

    def _send(self, item: Item) -> None:
        if item.stream in self._away:
            return
        packet = item.packet
        times = self._timebase.from_session(packet.times + self.shift_s)
        if item.stream == len(self._outlets):
            if self._events is not None:
                self._events.push_at(packet.data, times)
            return
        outlet = self._outlets[item.stream]
        if packet.is_regular:
            outlet.push(packet.data, float(times[-1]))
        else:
            outlet.push_at(packet.data, times)
        self._clips[item.stream].note(packet)
        self._n_samples[item.stream] += len(times)


def _shift_for(earliest_lsl: float, timebase: TimeBase) -> float:
    """Return by how much to move the session so that it begins at ``earliest_lsl`` or later.

    The clock map stands in the metadata before a consumer can have come; only session time is still
    free then. Whole seconds keep the 10 Hz grid of a session without markers where it was.
    """
    return float(max(0, math.ceil(timebase.to_session(earliest_lsl) - timebase.start)))


def _on_grid(seconds: float) -> float:
    return math.ceil(seconds * _GRID_HZ - 1e-6) / _GRID_HZ


def _published(spec: StreamSpec, timebase: TimeBase, config: ReplayConfig, is_hit: bool) -> StreamSpec:
    """Return the description on the LSL clock: the rate there, the clock map, the bursts."""
    desc = {**spec.desc, **timebase.as_desc()}
    if spec.sfreq > 0 and config.chunking.longest_s > _BURST_S:
        desc["burst_s"] = repr(config.chunking.longest_s)
    if is_hit and config.faults.drift_ppm:
        # A device that drifts does not keep the rate of its header.
        desc = {key: value for key, value in desc.items() if key not in EXACT_STAMPS}
    return replace(spec, sfreq=spec.sfreq * config.speed, desc=desc)


def _events_spec(session: ReplaySession, timebase: TimeBase) -> StreamSpec:
    source_id = f"{session.streams[0].spec.source_id}-events"
    return StreamSpec(
        EVENTS_NAME,
        "Markers",
        source_id,
        0.0,
        "string",
        ("event",),
        ("Markers",),
        ("text",),
        timebase.as_desc(),
    )
