"""What ``--ppg serial:/dev/ttyUSB0,sfreq=500`` asks for: the source to start, and the stream it gives."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from rtasmr.errors import ConfigError
from rtasmr.sources.registry import DEVICES

_PLAYED = ("file", "simulated")
_FILE_OPTIONS = ("sfreq", "column", "burst", "chunk")
_DEVICE_FLAGS = ("inverted",)
_FILE_FLAGS = ("loop", "filtered", "inverted")
_SIMULATED_OPTIONS = ("sfreq", "bpm", "seed", "chunk")


@dataclass(frozen=True, slots=True)
class Launch:
    """A source to be started.

    Parameters
    ----------
    words : tuple of str
        What follows ``rtasmr source``.
    query : str
        Selects its stream and no other.
    """

    words: tuple[str, ...]
    query: str


def parse_launch(text: str) -> Launch | None:
    """Read what a pulse is taken from; None if ``text`` is a stream query.

    Known are ``serial:PORT`` and the other names of the registry, ``file:PATH@HZ`` and ``simulated``,
    each with settings behind commas: ``serial:/dev/ttyUSB0,baud=9600,sfreq=500,inverted``.

    Raises
    ------
    ConfigError
        If it begins like one of these and does not go on so, or like neither.
    """
    place, *settings = text.split(",")
    name, _, address = (part.strip() for part in place.partition(":"))
    if name not in DEVICES and name not in _PLAYED:
        if not text or "=" in place:
            return None
        kinds = ", ".join([*(f"{kind.name}:{kind.address}" for kind in DEVICES.values()), "file:PATH@HZ"])
        raise ConfigError(
            f"expected a stream (type=PPG,name=...) or a source to start ({kinds}, simulated), got {text!r}. "
            "Correct it."
        )
    if name == "simulated":
        words = ["simulated", *_options(text, settings, _SIMULATED_OPTIONS)]
    elif not address:
        wanted = "file:PATH@HZ" if name == "file" else f"{name}:{DEVICES[name].address}"
        raise ConfigError(f"expected {wanted}, got {text!r}. Say which one.")
    elif name == "file":
        path, at, sfreq = address.rpartition("@")
        words = ["ppg", "--file", path if at else address, *(["--sfreq", sfreq] if at else [])]
        words += _options(text, settings, _FILE_OPTIONS, _FILE_FLAGS)
    else:
        known = tuple(option.name for option in DEVICES[name].options)
        words = [
            "ppg",
            f"--{name}",
            address,
            "--keep-trying",
            *_options(text, settings, known, _DEVICE_FLAGS),
        ]
    source_id = identity(name, address)
    return Launch((*words, "--source-id", source_id), f"type=PPG,source_id={source_id}")


def _options(
    text: str, settings: list[str], known: tuple[str, ...], flags: tuple[str, ...] = ()
) -> list[str]:
    words: list[str] = []
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if (key in known and value) or (key in flags and not equals):
            words += [f"--{key}", *([value] if equals else [])]
            continue
        listed = ", ".join([*(f"{name}=..." for name in known), *flags])
        raise ConfigError(
            f"expected settings like {listed}, got {setting.strip()!r} in {text!r}. Correct it."
        )
    return words


def identity(name: str, address: str) -> str:
    """Return a name for the stream that stays the same while this program runs, and says nothing private.

    Two programs may play files or simulate side by side; a device is held by one only, and keeps its
    name from run to run.
    """
    told = f"{name}:{address}" + (f":{os.getpid()}" if name in _PLAYED else "")
    return f"rtasmr-{name}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
