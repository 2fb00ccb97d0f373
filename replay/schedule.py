"""What leaves when: packet lengths, passes, stamps at the nominal rate. No clock and no socket.

The same seed gives the same schedule, whatever the speed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import ConfigError
from rtasmr.sources.packets import Packet

RANDOM_CHUNK_S = (0.001, 0.1)
"""Shortest and longest packet of random length, in seconds."""

NOMINAL_GAP_S = 1.0
"""A longer step between stamps is a gap, which nominal stamps leave open; a shorter one is jitter."""

MakePackets = Callable[[Iterator[float], float], Iterator[Packet]]
"""From packet lengths in seconds and a session second to the packets from there to the session's stop."""


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
class Passes:
    """A session played one or more times, one pass after the other on one time line.

    Parameters
    ----------
    start_s, stop_s : float
        The session, in session seconds.
    n_passes : int
        0 means for ever.
    """

    start_s: float
    stop_s: float
    n_passes: int = 1

    @property
    def length_s(self) -> float:
        """Seconds of one pass."""
        return self.stop_s - self.start_s

    @property
    def end_s(self) -> float:
        """Where the last pass ends; infinite for ever."""
        return self.start_s + self.length_s * self.n_passes if self.n_passes else np.inf

    def place(self, time_s: float) -> tuple[int, float]:
        """Return the pass, from 0, and the session second in it of a moment on the time line."""
        number = int((time_s - self.start_s) // self.length_s)
        return number, time_s - number * self.length_s

    def packets(self, make: MakePackets, durations_s: Iterator[float], from_s: float) -> Iterator[Packet]:
        """Yield the packets of one stream from ``from_s`` on the time line to the end.

        A clip that is open where one pass ends is closed there: the next pass begins outside of it.
        """
        first, begin_s = self.place(from_s)
        for number in itertools.count(first) if self.n_passes == 0 else range(first, self.n_passes):
            shift_s = number * self.length_s
            clip = OpenClip()
            for packet in make(durations_s, begin_s if number == first else self.start_s):
                clip.note(packet)
                yield packet.shifted(shift_s)
            if clip.end is not None and number + 1 != self.n_passes:
                yield marker(self.stop_s + shift_s, clip.end)

    def announcements(self, from_s: float) -> Iterator[Packet]:
        """Yield a marker ``loop 1``, ``loop 2``, ... where each pass begins, from ``from_s`` on."""
        first, begin_s = self.place(from_s)
        first += begin_s > self.start_s
        for number in itertools.count(first) if self.n_passes == 0 else range(first, self.n_passes):
            yield marker(self.start_s + number * self.length_s, f"loop {number + 1}")


class OpenClip:
    """Follows the clip markers of a stream; ``end`` is the marker that would close the clip that is open."""

    def __init__(self) -> None:
        self.end: str | None = None

    def note(self, packet: Packet) -> None:
        """Take notice of what was sent."""
        if packet.data.dtype != object:
            return
        for text in packet.data.flat:
            event, _, label = str(text).partition(" ")
            if event in ("clip_start", "clip_end"):
                self.end = f"clip_end {label}" if event == "clip_start" else None


def marker(time_s: float, text: str) -> Packet:
    """Return one marker as a packet."""
    return Packet(np.array([time_s]), np.array([text], dtype=object))


@dataclass(slots=True)
class NominalStamps:
    """Lays stamps on the nominal rate, block by block: without the jitter of a recording, with its gaps.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz.
    """

    sfreq: float
    _first_s: float = 0.0
    _n: int = 0
    _last_s: float = -np.inf

    def lay(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the nominal stamps of the next samples, shape (n_samples,), all in seconds."""
        steps = np.diff(times, prepend=self._last_s)
        index = np.arange(len(times))
        is_first = np.abs(steps) > NOMINAL_GAP_S
        begin = np.maximum.accumulate(np.where(is_first, index, -1))
        goes_on = begin < 0
        stamps: NDArray[np.float64] = times[begin] + (index - begin) / self.sfreq
        stamps[goes_on] = self._first_s + (self._n + index[goes_on]) / self.sfreq
        if len(times):
            self._last_s = float(times[-1])
            is_new = begin[-1] >= 0
            self._first_s = float(times[begin[-1]]) if is_new else self._first_s
            self._n = int(len(times) - begin[-1]) if is_new else self._n + len(times)
        return stamps
