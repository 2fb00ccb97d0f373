"""The last choice, kept for the next time; what belongs to one person is not kept."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

from rtasmr.errors import DataError
from rtasmr.home import config_folder, recordings_folder, write_private
from rtasmr.player.config import RatingInput
from rtasmr.start.choice import Choice, Shown

VERSION = 1
FILE = "start.json"
_PERSONAL = ("participant", "consent")
"""The next person may be another one: a code or a consent that is left standing would be theirs."""

_MAX_BYTES = 100_000


def settings_file() -> Path:
    """Return where the choice is kept."""
    return config_folder() / FILE


def first_choice() -> Choice:
    """Return what is chosen where nothing is remembered."""
    return Choice(folder=str(recordings_folder()))


def load_choice(path: Path) -> Choice | None:
    """Return the remembered choice; None if there is none yet.

    Raises
    ------
    DataError
        If the file cannot be read, or was not written by this program in this version.
    """
    try:
        with path.open(encoding="utf-8") as file:
            content = json.loads(file.read(_MAX_BYTES))
        return _from_json(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); remove it to begin anew") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            f"{path} holds no settings of version {VERSION}; the next start replaces them"
        ) from error


def save_choice(choice: Choice, path: Path) -> None:
    """Keep a choice for the next time.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    kept = {key: value for key, value in asdict(choice).items() if key not in _PERSONAL}
    try:
        write_private(path, json.dumps({"version": VERSION, **kept}, indent=2) + "\n")
    except OSError as error:
        raise DataError(
            f"the choice cannot be kept in {path} ({error.strerror}); free space or check its rights"
        ) from error


def _from_json(content: Any) -> Choice:
    if not isinstance(content, dict) or content.pop("version") != VERSION:
        raise ValueError("another version")
    first = first_choice()
    kinds = {field.name: type(getattr(first, field.name)) for field in fields(Choice)}
    content["shown"] = Shown(content["shown"])
    for key, value in content.items():
        if key in _PERSONAL or type(value) is not kinds[key]:
            raise ValueError(key)
    choice = replace(first, **content)
    if choice.rating not in get_args(RatingInput):
        raise ValueError("rating")
    return choice
