"""A recorded pulse from a text file."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.declared import INVERTED
from rtasmr.errors import ConfigError, DataError
from rtasmr.sources.pacing import PlannedStream
from rtasmr.sources.packets import regular_packets
from rtasmr.stream_specs import ppg_spec

logger = logging.getLogger(__name__)

MAX_UNREADABLE_SHARE = 0.5
"""Share of rows without a number up to which a file counts as a recording with losses."""

_HEADER_RATE = re.compile(r"Sampling Rate \(Hz\):=\s*([0-9.eE+-]+)")
_SEPARATOR = re.compile(r"[,;\t ]+")


@dataclass(frozen=True, slots=True)
class PulseFile:
    """A pulse read from a file.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        NaN where the file has no number.
    label : str
        Heading of the column, or empty.
    header_sfreq : float or None
        Rate in Hz that the file's own header gives.
    """

    samples: NDArray[np.float32]
    label: str
    header_sfreq: float | None


def read_pulse(path: Path, column: str = "") -> PulseFile:
    """Read one column of numbers.

    Lines that start with ``#`` are comments; a first line that is not all numbers names the columns;
    commas, semicolons, tabs or spaces separate them.

    Parameters
    ----------
    path : Path
    column : str
        Heading or number from 0; empty takes the only column.

    Raises
    ------
    DataError
        If the file is missing, is not text, or holds no such column or no number in it.
    """
    if path.is_char_device():  # some never end
        raise DataError(f"{path}: expected a text file, got a device. Name a file; a port takes --serial.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable text file, got {error.strerror}. Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text, got bytes that are none. Export it as CSV.") from error
    rate = _HEADER_RATE.search(text)
    rows = [
        _SEPARATOR.split(line.strip())
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise DataError(f"{path}: expected one number per line, got no line. Export the recording again.")
    headings = [] if all(_is_number(cell) for cell in rows[0]) else rows.pop(0)
    n_columns = len(headings) or len(rows[0])
    i = _column_index(path, column, headings, n_columns)
    ragged = next((k for k, row in enumerate(rows) if len(row) <= i), None)
    if ragged is not None:
        raise DataError(
            f"{path}: expected {n_columns} columns, got {len(rows[ragged])} in row {ragged + 1}. Repair it."
        )
    samples = np.array([float(row[i]) if _is_number(row[i]) else np.nan for row in rows], dtype=np.float32)
    unreadable = [k for k, row in enumerate(rows) if not _is_number(row[i])]
    if not rows or len(unreadable) > MAX_UNREADABLE_SHARE * len(rows):
        raise DataError(
            f"{path}: expected numbers in column {i}, got none in {len(unreadable)} of {len(rows)} rows. "
            "Choose another with --column, or export the recording as CSV."
        )
    if unreadable:
        logger.warning(
            "%s: no number in %d of %d rows (first: data row %d); they are sent as lost",
            path.name,
            len(unreadable),
            len(rows),
            unreadable[0] + 1,
        )
    return PulseFile(samples, headings[i] if headings else "", float(rate.group(1)) if rate else None)


def pulse_stream(
    pulse: PulseFile,
    sfreq: float,
    *,
    is_filtered: bool,
    loop: bool,
    name: str,
    source_id: str,
    chunk_s: float,
    burst_s: float = 0.0,
    is_inverted: bool = False,
) -> PlannedStream:
    """Plan the stream of a recorded pulse; sample ``i`` lies at session second ``i / sfreq``.

    Parameters
    ----------
    pulse : PulseFile
    sfreq : float
        Rate in Hz.
    is_filtered : bool
        Whether the recording went through a band-pass already.
    loop : bool
        Start again at the end, for ever, on the same grid.
    name, source_id : str
    chunk_s : float
        Length of a packet in seconds.
    burst_s : float
        Length of the bursts in which a device delivers, in seconds: declared, and used for ``chunk_s``.
    is_inverted : bool
        Declare that the pulse stands upside down.

    Raises
    ------
    ConfigError
        If ``sfreq`` is not positive or contradicts the file's header.
    """
    if not sfreq > 0:
        raise ConfigError(f"expected a positive rate in Hz, got {sfreq:g}. Give --sfreq.")
    if pulse.header_sfreq is not None and pulse.header_sfreq != sfreq:
        raise ConfigError(
            f"the file's header says {pulse.header_sfreq:g} Hz, --sfreq says {sfreq:g} Hz. Correct one."
        )
    channel = "filtered" if is_filtered else "raw"
    desc = {**({"burst_s": repr(burst_s)} if burst_s > 0 else {}), **(INVERTED if is_inverted else {})}
    spec = ppg_spec(sfreq, source_id=source_id, name=name, channels=(channel,), desc=desc)
    blocks: Iterator[NDArray[np.float32]] = itertools.repeat(pulse.samples) if loop else iter([pulse.samples])
    return PlannedStream(spec, regular_packets(blocks, 0.0, sfreq, itertools.repeat(burst_s or chunk_s)))


def _column_index(path: Path, column: str, headings: list[str], n_columns: int) -> int:
    if not column and n_columns == 1:
        return 0
    if headings.count(column) == 1:
        return headings.index(column)
    if column.isdecimal() and int(column) < n_columns:
        return int(column)
    listed = ", ".join(headings) if headings else f"0 to {n_columns - 1}"
    got = f"got {column!r}" if column else "got none named"
    raise DataError(f"{path}: expected one of the columns {listed}, {got}. Choose with --column.")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
