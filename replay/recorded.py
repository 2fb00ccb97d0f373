"""What can be replayed: a session with its streams, whatever it was read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from replay.schedule import MakePackets
from rtasmr.errors import ConfigError
from rtasmr.query import DEFAULT_QUERIES, printable
from rtasmr.types import StreamSpec


@dataclass(frozen=True, slots=True)
class ReplayStream:
    """A stream of a recorded session.

    Parameters
    ----------
    spec : StreamSpec
        As it was recorded, with its rate per session second.
    packets : callable
        Given packet lengths in seconds and a session second, returns the packets from there to the
        session's stop.
    is_decoded : bool
        Whether packets cost time to make.
    """

    spec: StreamSpec
    packets: MakePackets
    is_decoded: bool = False

    @property
    def is_marker(self) -> bool:
        """Whether the stream carries events rather than a signal."""
        return self.spec.stype == "Markers"


@dataclass(frozen=True, slots=True)
class ReplaySession:
    """A recorded session, cut to what is to be replayed.

    ``start_s`` and ``stop_s`` are session seconds; ``zero_s`` is the one that users count from.
    """

    title: str
    start_s: float
    stop_s: float
    streams: tuple[ReplayStream, ...]
    zero_s: float = 0.0

    def select(self, wanted: Sequence[str]) -> ReplaySession:
        """Keep the streams whose name, type, role or last part of the name is wanted; all if none is named.

        Upper and lower case are the same.

        Raises
        ------
        ConfigError
            If something wanted is not there.
        """
        return replace(self, streams=tuple(self.matching(wanted, "--select"))) if wanted else self

    def matching(self, wanted: Sequence[str], option: str) -> list[ReplayStream]:
        """Return the streams that words mean, as in `select`; ``option`` is where the words come from."""
        chosen: list[ReplayStream] = []
        for word in wanted:
            fits = [stream for stream in self.streams if _means(word, stream.spec)]
            if not fits:
                specs = [stream.spec for stream in self.streams]
                there = ", ".join(f"{printable(spec.name)} ({printable(spec.stype)})" for spec in specs)
                raise ConfigError(
                    f"expected {option} with names or types of {self.title}, got {word!r}; "
                    f"there are {there}. Correct it."
                )
            chosen += [stream for stream in fits if stream not in chosen]
        return chosen


def _means(word: str, spec: StreamSpec) -> bool:
    """Whether a word is a stream's type, role or name or, of ours, the last part of its name."""
    roles = (str(role) for role, query in DEFAULT_QUERIES.items() if query.matches(spec))
    names = spec.name, spec.stype, spec.name.removeprefix("rtasmr-"), *roles
    return word.casefold() in [name.casefold() for name in names]


def cut(
    begin_s: float,
    end_s: float,
    start_s: float | None,
    stop_s: float | None,
    title: str,
    *,
    zero_s: float = 0.0,
) -> tuple[float, float]:
    """Return the part of a session to replay, in session seconds; messages count from ``zero_s``.

    Raises
    ------
    ConfigError
        If nothing is left.
    """
    start = begin_s if start_s is None else max(start_s, begin_s)
    stop = end_s if stop_s is None else min(stop_s, end_s)
    if not start < stop:
        raise ConfigError(
            f"expected --start before --stop within {title} ({begin_s - zero_s:g} to {end_s - zero_s:g} s), "
            f"got {start - zero_s:g} to {stop - zero_s:g} s. Correct them."
        )
    return start, stop
