"""Which stream is meant, in the user's words, and how foreign text is shown; knows nothing of LSL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtasmr.errors import ConfigError
from rtasmr.types import Role, StreamSpec

_POLARITIES = ("upright", "inverted")


def printable(text: str, limit: int = 80) -> str:
    """Return foreign text fit for a message: one line, no control characters, at most ``limit`` long."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Query:
    """What the user said about one stream; empty fields match anything.

    ``channel`` is a label, or a number counted from 0; ``polarity`` is ``upright`` or ``inverted`` (a pulse
    that falls when the heart beats) and holds against what the stream declares. Neither takes part in the
    match.
    """

    name: str = ""
    stype: str = ""
    source_id: str = ""
    hostname: str = ""
    channel: str = ""
    polarity: str = ""

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read ``type=PPG,name=...,source_id=...,hostname=...,channel=...,polarity=...`` in any order.

        Raises
        ------
        ConfigError
            For an unknown, repeated or empty entry, or a polarity that is none.
        """
        keys = ("name", "source_id", "hostname", "channel", "polarity")
        fields = {"type": "stype"} | {key: key for key in keys}
        values: dict[str, str] = {}
        for part in text.split(","):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if key not in fields or not equals or not value:
                raise ConfigError(
                    f"expected entries like type=PPG,name=...,source_id=...,hostname=...,channel=..., "
                    f"got {printable(part)!r}. Correct the stream query."
                )
            if fields[key] in values:
                raise ConfigError(f"stream query names {key!r} twice: {printable(text)!r}. Leave one out.")
            if key == "polarity" and value not in _POLARITIES:
                raise ConfigError(
                    f"expected polarity={' or polarity='.join(_POLARITIES)}, got {printable(value)!r}. "
                    "Correct the stream query."
                )
            values[fields[key]] = value
        return cls(**values)

    def matches(self, spec: StreamSpec) -> bool:
        """Whether a stream fits every field given."""
        return all(
            not wanted or wanted == found
            for wanted, found in (
                (self.name, spec.name),
                (self.stype, spec.stype),
                (self.source_id, spec.source_id),
                (self.hostname, spec.hostname),
            )
        )

    def __str__(self) -> str:
        entries = {"type": self.stype, "name": self.name, "source_id": self.source_id}
        entries |= {"hostname": self.hostname, "channel": self.channel, "polarity": self.polarity}
        return ",".join(f"{key}={value}" for key, value in entries.items() if value)


DEFAULT_QUERIES: Mapping[Role, Query] = {
    Role.PPG: Query(stype="PPG"),
    Role.SOUND: Query(stype="Audio"),
    Role.PICTURE: Query(stype="VideoRaw"),
    Role.RATING: Query(stype="Markers", name="rtasmr-rating"),
    Role.CLIP: Query(stype="Markers", name="rtasmr-clip"),
}
