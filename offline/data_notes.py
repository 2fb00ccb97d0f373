"""Every repair, gap and file that could not be used, kept beside the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from offline.atomic import replacing
from rtasmr.errors import DataError

NOTES_FILE = "data_notes.txt"
_COMMENT = "# "


class DataNotes:
    """The notes of a run: each kept once, in the file from the moment it is known, and told at once.

    A study of hours that is killed, or that a person wants to end because of what was found, has said and
    kept what it knew.

    Parameters
    ----------
    out : Path
        Folder of the results.
    label : str
        Stands on top of the file.
    tell : callable or None
        Called with each new note.
    """

    def __init__(self, out: Path, label: str = "", tell: Callable[[str], None] | None = None) -> None:
        self._out = out
        self._label = label
        self._tell = tell
        self._notes: dict[str, None] = {}

    @property
    def all(self) -> tuple[str, ...]:
        """Every note, in the order of being known."""
        return tuple(self._notes)

    def add(self, notes: Iterable[str]) -> None:
        """Keep and tell those that are new."""
        new = [note for note in dict.fromkeys(notes) if note not in self._notes]
        self._notes |= dict.fromkeys(new)
        write_notes(self.all, self._out, self._label)
        if self._tell is not None:
            for note in new:
                self._tell(note)


def write_notes(notes: Sequence[str], out: Path, label: str = "") -> None:
    """Write data notes, one a line; ``label`` stands on top, behind a ``#``."""
    lines = [f"{_COMMENT}{label}"] if label else []
    lines += [" ".join(note.split()) for note in notes]
    with replacing(out / NOTES_FILE) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_notes(out: Path) -> list[str]:
    """Read what `write_notes` wrote; empty where there is none."""
    try:
        lines = (out / NOTES_FILE).read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith(_COMMENT)]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{out / NOTES_FILE}: expected notes as text ({error}); remove the file") from error
