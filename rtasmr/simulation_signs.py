"""What the simulator leaves in every file, so that a set is known without ``SIMULATED.json``, too."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from pathlib import Path

IN_LOG = "(simulated)"
"""Ends the scenario's name, on the first line of an event log."""
IN_PULSE = "_ASMR_simulated.acq"
"""Ends the name of the recording, on the first line of a pulse export."""
IN_STIMULUS = "Simulated by rtasmr"
"""Title of a stimulus file."""

_HEAD_BYTES = 16_384
"""Holds the first line of an export and the title of an AVI file, which stands before its first picture."""


def simulated_files(
    logs: Iterable[Path], pulses: Iterable[Path], stimuli: Iterable[Path]
) -> tuple[Path, ...]:
    """Return the files of a data set that say that they were simulated; only their first bytes are read.

    A file that can not be read says nothing: whoever needs it reports it.
    """
    return (
        *(path for path in logs if IN_LOG in _first_line(_head(path))),
        *(path for path in pulses if IN_PULSE in _first_line(_head(path))),
        *(path for path in stimuli if IN_STIMULUS in _head(path)),
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _head(path: Path) -> str:
    """Return what a file begins with; only its ASCII letters are of interest."""
    try:
        with lzma.open(path) if path.suffix.lower() == ".xz" else path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, EOFError, lzma.LZMAError):
        return ""
    # UTF-16 puts a zero beside every ASCII letter.
    return head.replace(b"\0", b"").decode("ascii", errors="replace")
