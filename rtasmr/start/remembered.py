"""The last choice, kept for the next time; what belongs to one person is not kept."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

from rtasmr.home import config_folder, load_private, recordings_folder, save_private
from rtasmr.player.config import RatingInput
from rtasmr.questions import Question
from rtasmr.start.choice import Choice, Shown

VERSION = 1
FILE = "start.json"
_PERSONAL = ("participant", "consent")
"""The next person may be another one: a code or a consent that is left standing would be theirs."""


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
    return load_private(path, VERSION, _parsed, "the next start replaces them")


def save_choice(choice: Choice, path: Path) -> None:
    """Keep a choice for the next time.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    kept = {key: value for key, value in asdict(choice).items() if key not in _PERSONAL}
    save_private(path, VERSION, kept)


def _parsed(content: dict[str, Any]) -> Choice:
    first = first_choice()
    kinds = {field.name: type(getattr(first, field.name)) for field in fields(Choice)}
    content["shown"] = Shown(content["shown"])
    if "question" in content:  # older settings have none
        content["question"] = Question(content["question"])
    for key, value in content.items():
        if key in _PERSONAL or type(value) is not kinds[key]:
            raise ValueError(key)
    choice = replace(first, **content)
    if choice.rating not in get_args(RatingInput):
        raise ValueError("rating")
    return choice
