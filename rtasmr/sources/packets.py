"""Samples cut to the packets a source sends, and put in the order in which they are due. No clock here."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """Consecutive samples of one stream that leave together.

    Parameters
    ----------
    times : ndarray of shape (n_samples,), float64
        Session seconds.
    data : ndarray of shape (n_samples, ...) or of str with shape (n_samples,)
    is_regular : bool
        Whether the times lie on the stream's nominal rate, so that the last one tells all.
    """

    times: NDArray[np.float64]
    data: NDArray[Any]
    is_regular: bool = False

    def shifted(self, shift_s: float) -> Packet:
        """Return the same samples ``shift_s`` seconds later."""
        return self if shift_s == 0 else replace(self, times=self.times + shift_s)


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A packet and when it is due: never before its last sample.

    ``stream`` is the number of the stream among those played together; markers go first where two
    items are due at once.
    """

    due_s: float
    stream: int
    is_marker: bool
    packet: Packet


def regular_packets(
    blocks: Iterable[NDArray[Any]],
    origin_s: float,
    sfreq: float,
    durations_s: Iterator[float],
    first: int = 0,
) -> Iterator[Packet]:
    """Cut a stretch without loss.

    Parameters
    ----------
    blocks : iterable of ndarray of shape (n_samples, ...)
        Consecutive samples, cut anyhow; sample ``j`` of all lies at ``origin_s + (first + j) / sfreq``
        session seconds.
    durations_s : iterator of float
        How long the packets are, in seconds; each holds one sample at least.
    """
    rest = iter(blocks)
    held = next(rest, None)
    while held is not None:
        n_samples = max(1, round(next(durations_s) * sfreq))
        while len(held) < n_samples and (block := next(rest, None)) is not None:
            held = np.concatenate([held, block])
        if len(held) == 0:
            return
        part, held = held[:n_samples], held[n_samples:]
        yield Packet(origin_s + np.arange(first, first + len(part)) / sfreq, part, is_regular=True)
        first += len(part)


def stamped_packets(
    times: NDArray[np.float64], data: NDArray[Any], durations_s: Iterator[float]
) -> Iterator[Packet]:
    """Cut samples that carry a stamp each; a packet spans at most its duration.

    Parameters
    ----------
    times : ndarray of shape (n_samples,), float64
        Session seconds, not necessarily ascending.
    data : ndarray of shape (n_samples, ...) or of str with shape (n_samples,)
    durations_s : iterator of float
    """
    # Where stamps run backwards the running maximum keeps the order of the samples.
    reached = np.maximum.accumulate(times) if len(times) else times
    lo = 0
    while lo < len(times):
        hi = max(lo + 1, int(np.searchsorted(reached, reached[lo] + next(durations_s), side="left")))
        yield Packet(times[lo:hi], data[lo:hi])
        lo = hi


def single_packets(samples: Iterable[tuple[float, Any]]) -> Iterator[Packet]:
    """Send each ``(time, value)`` by itself: pictures, or markers as text."""
    for time_s, value in samples:
        data = np.array([value], dtype=object) if isinstance(value, str) else value[np.newaxis]
        yield Packet(np.array([time_s]), data)


def items_on_time(stream: int, is_marker: bool, packets: Iterable[Packet]) -> Iterator[Item]:
    """Let every packet be due when its last sample is, in order."""
    due_s = -np.inf
    for packet in packets:
        due_s = max(due_s, float(packet.times.max()))
        yield Item(due_s, stream, is_marker, packet)


def merge(streams: Sequence[Iterator[Item]]) -> Iterator[Item]:
    """Put the items of several streams in the order in which they are due, markers first."""
    return heapq.merge(*streams, key=lambda item: (item.due_s, not item.is_marker))
