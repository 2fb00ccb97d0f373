"""Real time for sources: wait, send, and end cleanly."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

import pylsl

from rtasmr.ending import end_signals, ignore_hangups
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.packets import Item, Packet, items_on_time, merge
from rtasmr.sources.prefetch import Prefetch
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec

DRAIN_S = 1.0
STOPPED_DRAIN_S = 0.2
"""How long outlets stay open after the last sample, so that consumers can take it; less when stopped."""

AHEAD_PACKETS = 120
"""Packets decoded ahead: 4 s of pictures at 30 per second (18 MB), 2.4 s of sound in packets of 20 ms."""

PRIME_TIMEOUT_S = 10.0

CONSUMER_MARGIN_S = 1.0
"""After a consumer has come, time for it to open the other streams."""

_CONSUMER_CHECK_S = 0.2


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into an event, so that streams end in order.

    A second Ctrl-C or SIGTERM kills.
    """
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in end_signals()}

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        ignore_hangups()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_until(lsl_time: float, stop: threading.Event) -> bool:
    """Wait for a moment on the LSL clock; False if asked to stop before."""
    while (rest_s := lsl_time - pylsl.local_clock()) > 0:
        if stop.wait(rest_s):
            return False
    return not stop.is_set()


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """A stream to be, with its packets in order.

    ``is_decoded`` marks packets that cost time to make and are therefore made ahead.
    """

    spec: StreamSpec
    packets: Iterator[Packet]
    is_decoded: bool = False

    @property
    def is_marker(self) -> bool:
        """Whether the stream carries events rather than a signal."""
        return self.spec.stype == "Markers"


def decode_ahead(streams: Sequence[PlannedStream], stack: ExitStack) -> list[Iterator[Packet]]:
    """Start to make the packets that cost time; ``stack`` ends that."""
    ready: list[Iterator[Packet]] = []
    for stream in streams:
        if stream.is_decoded:
            ahead = stack.enter_context(Prefetch(stream.packets, AHEAD_PACKETS))
            ahead.prime(PRIME_TIMEOUT_S)
            ready.append(ahead)
        else:
            ready.append(stream.packets)
    return ready


def wait_for_consumer(outlets: Sequence[Outlet], stop: threading.Event) -> bool:
    """Wait until the pulse, or without one any stream, is taken; False if asked to stop before."""
    awaited = [outlet for outlet in outlets if outlet.spec.stype == "PPG"] or list(outlets)
    while not stop.is_set():
        if any(outlet.wait_for_consumers(_CONSUMER_CHECK_S / len(awaited)) for outlet in awaited):
            return True
    return False


def play_live(streams: Sequence[PlannedStream], stop: threading.Event, *, hold: bool = False) -> PlayReport:
    """Publish streams until they end or ``stop`` is set.

    Parameters
    ----------
    streams : sequence of PlannedStream
        Their session second 0 is now; with ``hold``, 1 s after a consumer has come.
    stop : threading.Event
    hold : bool
    """
    with ExitStack() as stack:
        packets = decode_ahead(streams, stack)
        outlets = [stack.enter_context(Outlet(stream.spec)) for stream in streams]
        items = [
            items_on_time(i, stream.is_marker, ready)
            for i, (stream, ready) in enumerate(zip(streams, packets, strict=True))
        ]
        lead_s = CONSUMER_MARGIN_S if hold else 0.0
        if hold and not wait_for_consumer(outlets, stop):
            return PlayReport((0,) * len(outlets), 0.0)
        report = play(merge(items), outlets, TimeBase(t0=pylsl.local_clock() + lead_s), stop)
        drain(stop)
    return report


@dataclass(frozen=True, slots=True)
class PlayReport:
    """What was sent: samples per outlet, and how late the worst packet left, in seconds."""

    n_samples: tuple[int, ...]
    worst_late_s: float


def play(
    items: Iterable[Item], outlets: Sequence[Outlet], timebase: TimeBase, stop: threading.Event
) -> PlayReport:
    """Send items when they are due, until they or the user end it.

    Parameters
    ----------
    items : iterable of Item
        In the order in which they are due; ``stream`` counts through ``outlets``.
    outlets : sequence of Outlet
    timebase : TimeBase
        From session seconds to the LSL clock.
    stop : threading.Event
    """
    n_samples = [0] * len(outlets)
    worst_late_s = 0.0
    for item in items:
        due = timebase.from_session(item.due_s)
        if not wait_until(due, stop):
            break
        worst_late_s = max(worst_late_s, pylsl.local_clock() - due)
        _send(outlets[item.stream], item.packet, timebase)
        n_samples[item.stream] += len(item.packet.times)
    return PlayReport(tuple(n_samples), worst_late_s)


def drain(stop: threading.Event) -> None:
    """Leave consumers time to take the last samples before the outlets close."""
    if stop.wait(DRAIN_S):
        time.sleep(STOPPED_DRAIN_S)


def _send(outlet: Outlet, packet: Packet, timebase: TimeBase) -> None:
    times = timebase.from_session(packet.times)
    if packet.is_regular:
        outlet.push(packet.data, float(times[-1]))
    else:
        outlet.push_at(packet.data, times)
