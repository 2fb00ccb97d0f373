"""The moments of a stimulus with the highest and lowest probability, as a table and as pictures."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ, ON_TICK_TOLERANCE_S
from rtasmr.media import iter_pictures, probe
from rtasmr.report import Account
from rtasmr.snapshot import TickRecord
from rtasmr.view.moments_figure import draw_moments

N_MOMENTS = 4
APART_S = 5.0
"""Moments of one kind lie so far apart: neighbouring ticks are one and the same moment."""

CSV_FIELDS = ("kind", "rank", "time_s", "time", "probability")


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of a stimulus: ``kind`` is highest or lowest, ``rank`` counts from 1."""

    kind: str
    rank: int
    time_s: float
    p: float

    @property
    def clock(self) -> str:
        """The time as players show it, ``m:ss.t``."""
        tenths = round(self.time_s * FRAME_RATE_HZ)
        return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def moments_of(records: Sequence[TickRecord]) -> list[Moment]:
    """Return the moments of highest and lowest probability, most extreme first, of ties the earlier."""
    judged = [r for r in records if not math.isnan(r.p)]
    moments: list[Moment] = []
    for kind, sign in (("highest", -1.0), ("lowest", 1.0)):
        found: list[Moment] = []
        for record in sorted(judged, key=lambda r: (sign * r.p, r.tick)):
            time_s = record.tick / FRAME_RATE_HZ
            if all(abs(time_s - other.time_s) >= APART_S - ON_TICK_TOLERANCE_S for other in found):
                found.append(Moment(kind, len(found) + 1, time_s, record.p))
            if len(found) == N_MOMENTS:
                break
        moments += found
    return moments


def write_moments(account: Account, video: Path, out: Path) -> list[Path]:
    """Write ``moments.csv``, and ``moments.png`` where the file has pictures; return the paths.

    Parameters
    ----------
    account : Account
        What a model said about the file.
    video : Path
        The file.
    out : Path
        Folder that is there.

    Raises
    ------
    DataError
        If the folder cannot be written or the pictures cannot be read.
    """
    moments = moments_of(account.records)
    table, drawing = out / "moments.csv", out / "moments.png"
    try:
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(CSV_FIELDS)
            writer.writerows((m.kind, m.rank, f"{m.time_s:.1f}", m.clock, f"{m.p:.6f}") for m in moments)
    except OSError as error:
        raise DataError(f"cannot write {table} ({error.strerror}); choose another --out") from error
    if not (moments and probe(video).has_picture):
        return [table]
    rows: dict[str, list[tuple[str, NDArray[np.uint8] | None]]] = {}
    for m, picture in _shown(video, moments):
        rows.setdefault(m.kind, []).append((f"{m.kind} {m.rank}: {m.clock}, P = {m.p:.2f}", picture))
    draw_moments(
        list(rows.values()),
        title=f"{account.source}, model {account.model}",
        demo=account.demo,
        warnings=account.warnings,
        path=drawing,
    )
    return [table, drawing]


def _shown(video: Path, moments: Sequence[Moment]) -> list[tuple[Moment, NDArray[np.uint8] | None]]:
    """Return the picture on screen at each moment; None before the first one."""
    times = np.array(sorted({moment.time_s for moment in moments}))
    pictures: list[tuple[float, Any]] = list(iter_pictures(video, shown_at=times))
    starts = [shown_s for shown_s, _ in pictures]
    at = [int(np.searchsorted(starts, m.time_s + ON_TICK_TOLERANCE_S, side="right")) - 1 for m in moments]
    return [(m, pictures[i][1] if i >= 0 else None) for m, i in zip(moments, at, strict=True)]
