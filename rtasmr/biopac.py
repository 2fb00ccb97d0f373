"""PPG exports of the data set: Biopac Student Lab ASCII, 2000 Hz, two channels."""

from __future__ import annotations

import lzma
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.shift_jis import decoded

PPG_SFREQ = 2000.0
N_CHANNELS = 2
FILTERED_CHANNEL = 1
"""Column of the channel that the amplifier band-passed (CH2); the published pipeline reads this one."""
LARGEST_VALUE = 1e9
"""A cell beyond this is a broken number, not millivolts or minutes."""

_HEADER_BYTES = 4096
_INTERVAL = re.compile(r"(0*[1-9][0-9]*(?:\.[0-9]+)?|0*\.0*[1-9][0-9]*)\s*(ms|msec|s|sec|seconds)/sample")
_MINUTES = {"min": 1.0, "sec": 1 / 60, "s": 1 / 60, "msec": 1 / 60_000, "ms": 1 / 60_000}
"""What the export's time column may count, by the name that stands above it."""

_TIME_TOLERANCE = 1e-3
"""Relative; six printed digits of the last minute are good to 1e-5."""


@dataclass(frozen=True, slots=True)
class PpgRecording:
    """One participant's pulse wave, from the start of the scenario.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, 2), float32
        Column 0: CH1, raw; column 1: CH2, band-passed 0.5-35 Hz by the amplifier. NaN where the file
        holds no number.
    sfreq : float
        Rate in Hz. Sample ``i`` is at ``start_s + i / sfreq``.
    start_s : float
        Time of sample 0 in seconds on the log's clock.
    units : tuple of str
        One per channel.
    time_min : ndarray of shape (n_samples,), float64
        Time column in minutes, as printed; the published pipeline cuts its windows by it.
    notes : tuple of str
        What looked unusual and how it was read; each starts with the file's name.
    """

    samples: NDArray[np.float32]
    sfreq: float = PPG_SFREQ
    start_s: float = 0.0
    units: tuple[str, ...] = ("mV", "mV")
    time_min: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    notes: tuple[str, ...] = ()

    @property
    def stop_s(self) -> float:
        """Time just after the last sample, in seconds on the log's clock."""
        return self.start_s + len(self.samples) / self.sfreq


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands above the numbers."""

    n_bytes: int
    n_lines: int
    sfreq: float | None
    units: tuple[str, ...]
    n_declared: int | None
    time_unit: str


def read_ppg(path: Path) -> PpgRecording:
    """Read one export, plain or ``.xz``.

    Both layouts of the program are read: with the column names in the eighth and in the ninth line. A header
    in Shift-JIS is decoded, a cut last row is dropped, cells that hold no number become NaN, a time column in
    seconds or milliseconds is converted, and one that does not begin at 0 places the first sample; each with
    a note.

    Raises
    ------
    DataError
        The file can not be read, is empty, or holds no table of time and two channels.
    """
    export = _open(path)
    notes: list[str] = []
    header = _read_header(path, export.head, notes)
    time_min, *channels = _read_table(path, export, header, notes)
    n_missing = 0
    for column in (time_min, *channels):
        # NaN compares false: cells without number, "inf" and numbers out of all range alike are missing.
        missing = ~(np.abs(column) <= LARGEST_VALUE)
        n_missing += int(missing.sum())
        column[missing] = np.nan
    if n_missing:
        notes.append(f"{path.name}: {n_missing} cells hold no number; read as missing (NaN)")
    samples = np.stack(channels, axis=1).astype(np.float32)
    n_samples = len(samples)
    if header.n_declared is not None and n_samples != header.n_declared:
        notes.append(f"{path.name}: holds {n_samples} samples, its header promises {header.n_declared}")
    if header.time_unit != "min":
        time_min *= _MINUTES[header.time_unit]
        notes.append(f"{path.name}: its time column counts {header.time_unit}; converted to minutes")
    sfreq = _checked_rate(path, header, time_min, notes)
    start_s = _start(path, time_min, sfreq, notes)
    return PpgRecording(samples, sfreq, start_s, header.units, time_min, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Export:
    """The text of an export: a plain file is left where it is, which the parser reads faster."""

    content: Path | bytes
    head: bytes
    ends_with_line: bool

    def read(self) -> bytes:
        """Return all of the text."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


def _open(path: Path) -> _Export:
    is_packed = path.suffix.lower() == ".xz"
    try:
        if is_packed:
            unpacked = lzma.decompress(path.read_bytes())
            export = _Export(unpacked, unpacked[:_HEADER_BYTES], unpacked.endswith(b"\n"))
        else:
            with path.open("rb") as file:
                head = file.read(_HEADER_BYTES)
                file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
                export = _Export(path, head, file.read() == b"\n")
    except OSError as error:
        raise DataError(f"{path.name}: can not be read ({error.strerror}); check the file") from error
    except lzma.LZMAError as error:
        raise DataError(f"{path.name}: not a whole .xz file ({error}); get it again") from error
    if not export.head or export.head.isspace():
        raise DataError(f"{path.name}: the file is empty; expected a Biopac text export; get it again")
    return export


def _read_header(path: Path, head: bytes, notes: list[str]) -> _Header:
    """Read the lines above the first row of numbers; the units stand below the channels' names."""
    rows = head.split(b"\n")[:-1]
    n_lines = next((i for i, row in enumerate(rows) if _holds_numbers(row)), None)
    if n_lines is None:
        raise DataError(
            f"{path.name}: no row of time and {N_CHANNELS} channels in the first {_HEADER_BYTES} bytes; "
            "expected a Biopac text export (minutes, CH1, CH2); export it again"
        )
    n_bytes = sum(len(row) + 1 for row in rows[:n_lines])
    text, told = decoded(head[:n_bytes])
    if told:
        notes.append(f"{path.name}: its header {told}")
    sfreq: float | None = None
    n_declared: int | None = None
    time_unit = "min"
    lines = text.split("\n")[:-1]
    for line in lines:
        fields = [field.strip() for field in line.split("\t")]
        if rate := _INTERVAL.fullmatch(line.strip()):
            sfreq = (1000.0 if rate[2].startswith("ms") else 1.0) / float(rate[1])
        if len(fields) > N_CHANNELS and fields[0].lower() in _MINUTES:
            time_unit = fields[0].lower()
        if len(fields) > N_CHANNELS and not fields[0] and fields[1].isdecimal():
            n_declared = int(fields[1])
    units = _units([line.strip() for line in lines])
    return _Header(n_bytes, n_lines, sfreq, units, n_declared, time_unit)


def _holds_numbers(row: bytes) -> bool:
    cells = row.split(b"\t")
    return len(cells) > N_CHANNELS and _is_number(cells[0]) and _is_number(cells[1])


def _is_number(cell: bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _units(lines: list[str]) -> tuple[str, ...]:
    """Return the units: after the line ``2 channels`` name and unit take turns."""
    at = next((i for i, line in enumerate(lines) if re.fullmatch(r"[0-9]+ channels?", line)), None)
    found = lines[at + 2 : at + 2 + 2 * N_CHANNELS : 2] if at is not None else []
    return tuple(found) if len(found) == N_CHANNELS else ("unknown",) * N_CHANNELS


def _read_table(path: Path, export: _Export, header: _Header, notes: list[str]) -> list[NDArray[np.float64]]:
    """Return the columns, each of shape (n_samples,): minutes, CH1, CH2; further columns are left out."""
    first_row = export.head[header.n_bytes : export.head.find(b"\n", header.n_bytes)]
    n_columns = first_row.count(b"\t") + 1
    if export.ends_with_line:
        columns = _parse(path, export.content, header.n_lines, n_columns)
        if not np.isnan(columns[0]).any():
            return columns
    # Rare: blank lines, which the parser gives as rows without a number, or an end in mid-row.
    body = _whole_rows(path, export.read()[header.n_bytes :], header, notes)
    return _parse(path, body, 0, n_columns)


def _whole_rows(path: Path, body: bytes, header: _Header, notes: list[str]) -> bytes:
    """Drop blank lines and a last row without line end, unless the header's count proves it whole."""
    body = body.replace(b"\r\n", b"\n")
    while b"\n\n" in body:
        body = body.replace(b"\n\n", b"\n")
    if body.endswith(b"\n"):
        return body
    n_rows = body.count(b"\n") + 1
    if n_rows == header.n_declared:
        return body + b"\n"
    notes.append(f"{path.name}: the last row is cut off; dropped")
    return body[: body.rfind(b"\n") + 1]


def _parse(path: Path, content: Path | bytes, n_skipped: int, n_columns: int) -> list[NDArray[np.float64]]:
    """Return the first three columns below ``n_skipped`` lines."""
    names = [f"column_{i}" for i in range(n_columns)]
    try:
        table = pl.read_csv(
            content,
            separator="\t",
            quote_char=None,
            has_header=False,
            skip_lines=n_skipped,
            glob=False,
            schema=dict.fromkeys(names, pl.Float64),
            ignore_errors=True,
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path.name}: not a table of numbers ({reason}); export it again") from error
    return [table[name].to_numpy(writable=True) for name in names[: 1 + N_CHANNELS]]


def _checked_rate(path: Path, header: _Header, time_min: NDArray[np.float64], notes: list[str]) -> float:
    """Return the header's rate; note what disagrees with it."""
    sfreq = header.sfreq
    if sfreq is None:
        sfreq = PPG_SFREQ
        notes.append(f"{path.name}: the header names no sampling interval; {PPG_SFREQ:g} Hz taken")
    elif abs(sfreq - PPG_SFREQ) > _TIME_TOLERANCE * PPG_SFREQ:
        notes.append(f"{path.name}: sampled at {sfreq:g} Hz, the data set has {PPG_SFREQ:g} Hz")
    finite = np.flatnonzero(np.isfinite(time_min))
    if len(finite) > 1:
        seconds = 60.0 * (time_min[finite[-1]] - time_min[finite[0]])
        expected = (finite[-1] - finite[0]) / sfreq
        # A short stretch is dominated by the rounding of its printed times.
        if abs(seconds - expected) > max(_TIME_TOLERANCE * expected, 0.01):
            notes.append(
                f"{path.name}: the time column spans {seconds:.2f} s, {len(time_min)} samples at "
                f"{sfreq:g} Hz span {expected:.2f} s; the paper's sets follow the times, all else the "
                "sample numbers"
            )
    return sfreq


def _start(path: Path, time_min: NDArray[np.float64], sfreq: float, notes: list[str]) -> float:
    """Return the time of sample 0 in seconds; note one that is not 0."""
    start_s = 60.0 * float(time_min[0])
    if not abs(start_s) > 1 / sfreq:  # also where the first time is missing
        return 0.0
    notes.append(f"{path.name}: its time column begins at {start_s:.3f} s, not at 0; placed there")
    return start_s
