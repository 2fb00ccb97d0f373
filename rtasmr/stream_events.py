"""What happens to the streams of a run: they come, go, fall silent, are refused or change their clock."""

from __future__ import annotations

from dataclasses import dataclass

from rtasmr.clockwatch import ClockJump
from rtasmr.types import Role, StreamSpec


@dataclass(frozen=True, slots=True)
class Joined:
    """A stream has come (back)."""

    role: Role
    spec: StreamSpec


@dataclass(frozen=True, slots=True)
class Lost:
    """A stream is gone."""

    role: Role


@dataclass(frozen=True, slots=True)
class Refused:
    """A stream is there, but its data must not be used; ``reason`` says why in one line.

    ``was_used`` says that they were until now, which makes what was computed from them wrong.
    """

    role: Role
    reason: str
    was_used: bool = False


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The clock of a stream's source was set; its stamps are corrected."""

    role: Role
    jump: ClockJump


@dataclass(frozen=True, slots=True)
class Silent:
    """A stream is open, but has sent nothing for ``silent_s`` seconds."""

    role: Role
    silent_s: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """A stream that was silent for ``silent_s`` seconds sends again, or for the first time."""

    role: Role
    silent_s: float


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a stream sends is bad input; ``reason`` says why in one line."""

    role: Role
    reason: str


@dataclass(frozen=True, slots=True)
class GoodAgain:
    """What a stream sends can be used again, after ``bad_s`` seconds of bad input."""

    role: Role
    bad_s: float


@dataclass(frozen=True, slots=True)
class PassedOver:
    """While a stream is gone another one fits, which is not taken; ``reason`` names it in one line."""

    role: Role
    reason: str


Event = Joined | Lost | Refused | ClockSet | Silent | Resumed | Unusable | GoodAgain | PassedOver


def trouble_text(event: Event, *, is_required: bool) -> str:
    """Return what the window says of an event; empty where a stream is well (again).

    Parameters
    ----------
    event : Event
    is_required : bool
        Whether the run requires the stream.
    """
    match event:
        case Lost():
            gone = "LOST, which this run requires;" if is_required else "lost,"
            said = f" {gone} looking for it"
        case Refused(reason=reason):
            said = f" refused: {reason}"
        case ClockSet(jump=jump):
            said = f": its clock leapt by {jump.shift_s:+.3f} s; corrected"
        case Silent():
            said = ": nothing comes, though it is open"
        case Unusable(reason=reason):
            said = f": bad input: {reason}"
        case PassedOver(reason=reason):
            said = f": {reason}"
        case _:
            return ""
    return f"{event.role} stream{said}"
