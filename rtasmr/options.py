"""Options that several commands take, each with one meaning, one default name and one help text."""

from __future__ import annotations

from typing import Annotated

import typer

from rtasmr.config import ROLE_OPTIONS, Provider
from rtasmr.errors import ConfigError
from rtasmr.types import Role

Model = Annotated[str, typer.Option("--model", help="Model id or folder; default: the newest real one.")]
Compute = Annotated[Provider, typer.Option("--provider", help="Where ONNX Runtime computes.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]

Pulse = Annotated[
    str,
    typer.Option("--ppg", help="Pulse stream (type=PPG,...) or source to start: serial:PORT, simulated, ..."),
]
Require = Annotated[
    str, typer.Option("--require", help="Refuse to start without these streams, such as ppg,markers.")
]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for streams at the start.")]
Network = Annotated[
    bool, typer.Option("--network", help="Reach beyond this machine: take streams of others and serve them.")
]

Duration = Annotated[float | None, typer.Option("--duration", help="Seconds; default: until stopped.")]
RecordTo = Annotated[
    str, typer.Option("--record", help="XDF file to write; a name that is taken is numbered.")
]
RecordRaw = Annotated[
    bool,
    typer.Option("--record-raw", help="Record the samples of sound and picture too."),
]
Participant = Annotated[
    str, typer.Option("--participant", help="Pseudonymous code for the recording's header.")
]
Consent = Annotated[bool, typer.Option("--consent", help="Note that consent was given.")]

REQUIRABLE = {word: role for role, word in ROLE_OPTIONS.items()} | {
    "sound": Role.SOUND,
    "picture": Role.PICTURE,
}
"""Words of ``--require``: the options that choose a stream, and what the runtime calls its data."""


def words(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas between."""
    return tuple(word for word in (part.strip() for part in text.split(",")) if word)


def required_roles(text: str) -> tuple[Role, ...]:
    """Return the roles that ``--require`` names.

    Raises
    ------
    ConfigError
        For a word that stands for none.
    """
    unknown = [word for word in words(text) if word not in REQUIRABLE]
    if unknown:
        raise ConfigError(f"--require: expected some of {', '.join(REQUIRABLE)}, got {unknown[0]!r}.")
    return tuple(REQUIRABLE[word] for word in words(text))
