"""What the user made of the window, kept for the next one: colours and size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtasmr.home import config_folder, load_private, save_private
from rtasmr.view.theme import THEMES

VERSION = 1
FILE = "window.json"
MAX_PX = 20_000


@dataclass(frozen=True, slots=True)
class KeptLook:
    """How the user had the window last.

    Parameters
    ----------
    theme : str
        Key of `rtasmr.view.theme.THEMES`; empty if none was chosen.
    width, height : int
        Pixels; 0 if the size was left as it was.
    """

    theme: str = ""
    width: int = 0
    height: int = 0


def look_file() -> Path:
    """Return where it is kept."""
    return config_folder() / FILE


def load_look(path: Path) -> KeptLook:
    """Return what was kept; nothing chosen where there is none yet.

    Raises
    ------
    DataError
        If the file cannot be read, or was not written by this program in this version.
    """
    kept = load_private(path, VERSION, _parsed, "the next change of the window replaces it")
    return kept or KeptLook()


def save_look(look: KeptLook, path: Path) -> None:
    """Keep it for the next window.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    save_private(path, VERSION, asdict(look))


def _parsed(content: dict[str, Any]) -> KeptLook:
    look = KeptLook(**content)
    sizes = (look.width, look.height)
    if look.theme not in ("", *THEMES) or not all(type(px) is int and 0 <= px <= MAX_PX for px in sizes):
        raise ValueError("another look")
    return look
