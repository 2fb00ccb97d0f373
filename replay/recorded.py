"""What can be replayed: a session with its streams, whatever it was read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rtasmr.errors import ConfigError
from rtasmr.sources.packets import Packet
from rtasmr.types import StreamSpec


@dataclass(frozen=True, slots=True)
class ReplayStream:
    """A stream of a recorded session.

    Parameters
    ----------
    spec : StreamSpec
        As it was recorded, with its rate per session second.
    packets : callable
        Given packet lengths in seconds, returns the packets from the session's start to its stop.
    is_decoded : bool
        Whether packets cost time to make.
    """

    spec: StreamSpec
    packets: Callable[[Iterator[float]], Iterator[Packet]]
    is_decoded: bool = False

    @property
    def is_marker(self) -> bool:
        """Whether the stream carries events rather than a signal."""
        return self.spec.stype == "Markers"


@dataclass(frozen=True, slots=True)
class ReplaySession:
    """A recorded session, cut to what is to be replayed.

    ``start_s`` and ``stop_s`` are session seconds.
    """

    title: str
    start_s: float
    stop_s: float
    streams: tuple[ReplayStream, ...]

    def select(self, wanted: Sequence[str]) -> ReplaySession:
        """Keep the streams whose name, type or last part of the name is wanted; all if none is named.

        Raises
        ------
        ConfigError
            If something wanted is not there.
        """
        if not wanted:
            return self
        chosen: list[ReplayStream] = []
        for word in wanted:
            fits = [
                stream
                for stream in self.streams
                if word in (stream.spec.name, stream.spec.stype, stream.spec.name.removeprefix("rtasmr-"))
            ]
            if not fits:
                names = ", ".join(stream.spec.name for stream in self.streams)
                raise ConfigError(
                    f"expected --select with names or types of {self.title}, got {word!r}; "
                    f"there are {names}. Correct it."
                )
            chosen += [stream for stream in fits if stream not in chosen]
        return replace(self, streams=tuple(chosen))


def cut(
    begin_s: float, end_s: float, start_s: float | None, stop_s: float | None, title: str
) -> tuple[float, float]:
    """Return the part of a session to replay, in session seconds.

    Raises
    ------
    ConfigError
        If nothing is left.
    """
    start = begin_s if start_s is None else max(start_s, begin_s)
    stop = end_s if stop_s is None else min(stop_s, end_s)
    if not start < stop:
        raise ConfigError(
            f"expected --start before --stop within {title} ({begin_s:g} to {end_s:g} s), "
            f"got {start:g} to {stop:g} s. Correct them."
        )
    return start, stop
