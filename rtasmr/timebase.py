"""The map between the LSL clock and the session clock.

A live session runs on the LSL clock itself. A replay at speed X stamps its samples
``t0 + (t_session - start) / X`` and says so in the metadata of every stream; undoing that map lays
the 10 Hz grid on session time, the same at any speed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import StreamError
from rtasmr.types import StreamSpec

CLOCK_KEYS = ("clock_t0", "clock_start", "clock_speed")
"""Metadata entries of a replayed stream, floats written so that they read back exactly."""

Times = TypeVar("Times", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class TimeBase:
    """Affine map from the LSL clock to the session clock; the identity by default.

    Parameters
    ----------
    t0 : float
        LSL time, in seconds, at which the replay begins.
    start : float
        Session time, in seconds, at ``t0``.
    speed : float
        Session seconds per LSL second.
    """

    t0: float = 0.0
    start: float = 0.0
    speed: float = 1.0

    def to_session(self, lsl_times: Times) -> Times:
        """Return session times in seconds for LSL times, element by element."""
        return self.start + (lsl_times - self.t0) * self.speed

    def from_session(self, session_times: Times) -> Times:
        """Return LSL times in seconds for session times, element by element."""
        return self.t0 + (session_times - self.start) / self.speed

    def as_desc(self) -> dict[str, str]:
        """Return the metadata entries that carry this map."""
        return dict(zip(CLOCK_KEYS, (repr(float(x)) for x in (self.t0, self.start, self.speed)), strict=True))

    @classmethod
    def from_desc(cls, desc: Mapping[str, str]) -> TimeBase | None:
        """Read the map of one stream; None if the stream is live.

        Raises
        ------
        StreamError
            If only some of the entries are there, or one is not a finite number (speed: positive).
        """
        present = [key for key in CLOCK_KEYS if key in desc]
        if not present:
            return None
        if len(present) != len(CLOCK_KEYS):
            raise StreamError(
                f"expected the metadata {', '.join(CLOCK_KEYS)} of a replay, got only {', '.join(present)}. "
                "Restart the replay."
            )
        values = {key: _finite_float(key, desc[key]) for key in CLOCK_KEYS}
        if values["clock_speed"] <= 0:
            raise StreamError(
                f"expected a positive clock_speed, got {values['clock_speed']}. Restart the replay."
            )
        return cls(values["clock_t0"], values["clock_start"], values["clock_speed"])

    @classmethod
    def from_streams(cls, specs: Iterable[StreamSpec]) -> TimeBase:
        """Return the one map that holds for all streams of a session.

        Live streams follow the map of a replay beside them, which is possible at speed 1 only.

        Raises
        ------
        StreamError
            If replayed streams disagree, or a live stream stands beside a replay at another speed.
        """
        replayed: dict[TimeBase, StreamSpec] = {}
        live: list[StreamSpec] = []
        for spec in specs:
            base = cls.from_desc(spec.desc)
            if base is None:
                live.append(spec)
            else:
                replayed.setdefault(base, spec)
        if not replayed:
            return cls()
        if len(replayed) > 1:
            (one, spec_one), (two, spec_two) = list(replayed.items())[:2]
            raise StreamError(
                f"expected all replayed streams to share one clock, got {spec_one.source_id!r} with {one} "
                f"and {spec_two.source_id!r} with {two}. Stop one of the replays or select streams of one."
            )
        base = next(iter(replayed))
        if live and base.speed != 1.0:
            raise StreamError(
                f"a replay at speed {base.speed:g} cannot be merged with the live stream "
                f"{live[0].source_id!r}. Replay at speed 1 or leave the live stream out."
            )
        return base


def _finite_float(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise StreamError(f"expected a number as {key}, got {text[:40]!r}. Restart the replay.")
    return value
