"""What a window asks the runtime for, and its JSON form."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from rtasmr.errors import DataError
from rtasmr.snapshot import Command, decode_object

MAX_HOLD_S = 2.0
"""Longest that an answer may be held back until there is something new."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question of a window.

    Parameters
    ----------
    since_seq, revision, session
        What the window has: number of its newest record, and its newest state.
    wave_s, trend_s : float or None
        Time of its newest point of the pulse wave and of its newest reading; None if it has none.
    hold_s : float
        Seconds to wait for something new before the answer; 0 answers at once.
    drawn_s : float or None
        How long after its publication the newest record was on the screen.
    command : Command or None
        What the runtime is asked to do.
    step : int
        Number of the programme's item that the command is about; 0 where it is about none.
    """

    since_seq: int = 0
    revision: int = -1
    session: str = ""
    wave_s: float | None = None
    trend_s: float | None = None
    hold_s: float = 0.0
    drawn_s: float | None = None
    command: Command | None = None
    step: int = 0

    def encode(self) -> bytes:
        """Return the request as UTF-8 JSON."""
        return json.dumps(asdict(self), allow_nan=False).encode()

    @classmethod
    def decode(cls, data: bytes) -> Request:
        """Return the request in ``data``.

        Raises
        ------
        DataError
            If the bytes are not a request.
        """
        content = decode_object(data)
        seq, revision, session = (content.get(key) for key in ("since_seq", "revision", "session"))
        if type(seq) is not int or type(revision) is not int or not isinstance(session, str):
            raise DataError("expected a request with since_seq, revision and session, got another object")
        command = content.get("command")
        if command is not None and command not in list(Command):
            raise DataError(f"expected a command out of {', '.join(Command)}, got another")
        step = content.get("step", 0)
        if type(step) is not int or step < 0:
            raise DataError("expected the number of an item as step of a request, got another value")
        return cls(
            since_seq=max(seq, 0),
            revision=revision,
            session=session,
            wave_s=_number(content, "wave_s"),
            trend_s=_number(content, "trend_s"),
            hold_s=min(max(_number(content, "hold_s") or 0.0, 0.0), MAX_HOLD_S),
            drawn_s=_number(content, "drawn_s"),
            command=None if command is None else Command(command),
            step=step,
        )


def _number(content: dict[str, object], key: str) -> float | None:
    value = content.get(key)
    if value is None:
        return None
    # type() and not isinstance(): True is an int to Python. The bound keeps giant integers from float().
    if not (type(value) is float or (type(value) is int and abs(value) < 2**53)) or not math.isfinite(value):
        raise DataError(f"expected a number as {key} of a request, got another value")
    return float(value)
