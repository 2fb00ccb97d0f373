"""Who watches: the viewers of a run, from options or from a TOML file.

A file has a table per viewer, named by the pseudonymous code::

    [p01]
    ppg = "source_id=polar-1"

    [p02]
    ppg = "serial:/dev/ttyUSB0,sfreq=200"
    ratings = "source_id=pad-2"
    consent = true
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtasmr.errors import ConfigError

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_CODE_RULE = "1 to 32 letters, digits, '_' and '-', a letter or digit first"
_KEYS = {"ppg": str, "ratings": str, "consent": bool}


@dataclass(frozen=True, slots=True)
class Viewer:
    """One person of a run with several.

    Parameters
    ----------
    code : str
        Pseudonymous code: in file names, stream identities and the header of the recording.
    ppg : str
        Stream query or source of the pulse, as ``--ppg`` takes it.
    ratings : str
        Stream query of the ratings; empty for a viewer who does not rate.
    consent : bool
        What the recording's header says of consent.
    """

    code: str
    ppg: str
    ratings: str = ""
    consent: bool = False

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise ConfigError(f"viewer: expected a code of {_CODE_RULE}, got {self.code!r}. Rename it.")
        if not self.ppg:
            raise ConfigError(
                f"viewer {self.code}: expected a pulse, got none. Say which, such as source_id=polar-1."
            )


def viewers_of(texts: Sequence[str], file: Path | None) -> tuple[Viewer, ...]:
    """Return the viewers that the options ``--viewer`` or the file of ``--viewers`` name; none without both.

    Raises
    ------
    ConfigError
        If there are both, or what they say is wrong; see `parse_viewers` and `load_viewers`.
    """
    if texts and file is not None:
        raise ConfigError("expected --viewer or --viewers, got both. Put all viewers into the file.")
    if file is not None:
        return load_viewers(file)
    return parse_viewers(texts) if texts else ()


def parse_viewers(texts: Sequence[str]) -> tuple[Viewer, ...]:
    """Read viewers from ``CODE:PULSE`` each, such as ``p01:source_id=polar-1``.

    Raises
    ------
    ConfigError
        If one is not of this form, or a code comes twice.
    """
    viewers = []
    for text in texts:
        code, colon, pulse = text.partition(":")
        if not colon:
            raise ConfigError(
                f"--viewer: expected CODE:PULSE such as p01:source_id=polar-1, got {text!r}. Correct it."
            )
        viewers.append(Viewer(code.strip(), pulse.strip()))
    return _distinct(viewers)


def load_viewers(path: Path) -> tuple[Viewer, ...]:
    """Read viewers from a TOML file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or says something else than a viewer does.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read the viewers {path}: {reason}. Name a TOML file.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: expected TOML, got an error: {error}. Correct it.") from error
    return _distinct([_viewer(code, table, path.name) for code, table in content.items()])


def _viewer(code: str, table: Any, name: str) -> Viewer:
    if not isinstance(table, dict):
        raise ConfigError(f"{name}: expected a table [{code}] for a viewer, got {table!r}. Write one.")
    for key, value in table.items():
        if key not in _KEYS:
            raise ConfigError(f"{name}: [{code}]: expected {', '.join(_KEYS)}, got {key!r}. Remove it.")
        if not isinstance(value, _KEYS[key]):
            raise ConfigError(f"{name}: [{code}]: expected another kind of {key}, got {value!r}. Change it.")
    return Viewer(code, table.get("ppg", ""), table.get("ratings", ""), table.get("consent", False))


def _distinct(viewers: Sequence[Viewer]) -> tuple[Viewer, ...]:
    if not viewers:
        raise ConfigError("expected at least one viewer, got none. Name some.")
    # File names of some systems do not tell upper from lower case.
    codes = [viewer.code.casefold() for viewer in viewers]
    twice = next((v.code for v in viewers if codes.count(v.code.casefold()) > 1), None)
    if twice is not None:
        raise ConfigError(f"expected each viewer once, got {twice!r} twice. Rename one.")
    return tuple(viewers)
