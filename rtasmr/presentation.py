"""What a run accompanies: a session that is shown to a person, and how the two hold together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rtasmr.link import SnapshotStore
from rtasmr.snapshot import Command
from rtasmr.types import Role


@dataclass(frozen=True, slots=True)
class Presentation:
    """A session beside a run.

    Parameters
    ----------
    wait_end, ask_end : callable
        See `RunEnd.follow`: the first returns when the session is over, the second asks it to end.
    command : callable
        Takes what the experimenter's window asks for, and the number of the item that it is about (0: none).
    follow : callable
        Is given the store that the windows read, to write into it where the session is.
    roles : tuple of Role
        What the run looks for: what is not shown here does not come from elsewhere.
    streams : tuple of str
        Identities of streams to record beside the run's input.
    header : mapping of str to str
        Entries for the recording's header.
    name : str
        Of what is shown.
    fills_display : bool
        Whether it fills the display that our windows open on: none must come before it.
    incidents : callable
        Returns what the recording is to say of the session once it is over; see `rtasmr.incidents`.
    """

    wait_end: Callable[[], object]
    ask_end: Callable[[], object]
    command: Callable[[Command, int], object]
    follow: Callable[[SnapshotStore], object]
    roles: tuple[Role, ...] = tuple(Role)
    streams: tuple[str, ...] = ()
    header: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    fills_display: bool = False
    incidents: Callable[[], Sequence[str]] = tuple
