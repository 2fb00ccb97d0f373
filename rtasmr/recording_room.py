"""Whether the disk has room for a recording: what an hour of it takes, and what is free."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.types import StreamSpec
from rtasmr.xdf_format import NUMPY_FORMATS, sample_record

LEAST_HOURS = 4.0
LEAST_BYTES = 10**9
"""Below either it is told: other programs write, too."""

PICTURE_RATE_HZ = 30.0
"""An irregular stream of numbers that is recorded as it comes has pictures: at most so many a second."""

USUAL_BYTES_PER_HOUR = 100e6
"""Of a viewing with 544 features at 10 Hz and a pulse of 100 Hz, in which sound and picture are not kept."""

SECONDS_PER_HOUR = 3600.0


def bytes_per_hour(inputs: Iterable[StreamSpec], per_frame: Iterable[StreamSpec] = ()) -> float:
    """Return what an hour of a recording takes, as far as the streams say.

    Parameters
    ----------
    inputs : iterable of StreamSpec
        Streams that are recorded as they come; texts take next to nothing.
    per_frame : iterable of StreamSpec
        Streams of numbers with a sample per frame of the 10 Hz grid.
    """
    numbers = [spec for spec in inputs if spec.dtype in NUMPY_FORMATS]
    per_second = sum(_sample_bytes(spec) * (spec.sfreq or PICTURE_RATE_HZ) for spec in numbers)
    per_second += sum(_sample_bytes(spec) * FRAME_RATE_HZ for spec in per_frame)
    return SECONDS_PER_HOUR * per_second


def room_words(folder: Path, hourly_bytes: float) -> str:
    """Return a warning where a folder's disk will be full soon; empty where there is room.

    Parameters
    ----------
    folder : Path
        Where it is recorded to; it need not exist yet.
    hourly_bytes : float
        What an hour of the recording takes.

    Raises
    ------
    OSError
        If the disk cannot be asked.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free >= max(LEAST_BYTES, LEAST_HOURS * hourly_bytes):
        return ""
    told = f"only {size_text(free)} are free where this is recorded"
    if hourly_bytes:  # texts alone take next to nothing
        hours = free / hourly_bytes
        lasts = (
            f"{hours:.0f} h" if hours >= 10 else f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
        )
        told += f", and an hour takes about {size_text(hourly_bytes)}: the disk is full after {lasts}"
    return f"{told}. Free space, or record to another disk."


def size_text(n_bytes: float) -> str:
    """Return a size as a person reads it, such as ``3.2 GB``."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def _sample_bytes(spec: StreamSpec) -> int:
    return sample_record(spec.dtype, spec.n_channels).itemsize
