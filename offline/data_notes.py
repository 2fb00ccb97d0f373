"""Every repair, gap and file that could not be used, kept beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from offline.atomic import replacing
from rtasmr.errors import DataError

NOTES_FILE = "data_notes.txt"
_COMMENT = "# "


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
