"""Every repair, gap and file that could not be used, kept beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from offline.atomic import replacing
from rtasmr.errors import DataError

NOTES_FILE = "data_notes.txt"


def write_notes(notes: Sequence[str], out: Path) -> None:
    """Write data notes, one a line."""
    with replacing(out / NOTES_FILE) as part:
        part.write_text("".join(" ".join(note.split()) + "\n" for note in notes), encoding="utf-8")


def read_notes(out: Path) -> list[str]:
    """Read what `write_notes` wrote; empty where there is none."""
    try:
        return (out / NOTES_FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{out / NOTES_FILE}: expected notes as text ({error}); remove the file") from error
