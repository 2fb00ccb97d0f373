"""A simulated session for the view's tests."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable

import pytest

from rtasmr.snapshot import NO_RATING, TickRecord
from rtasmr.types import Cause, Status

if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ORIGIN_S = 1000.0

MakeRecord = Callable[..., TickRecord]


def _record(
    tick: int,
    p: float = 0.5,
    *,
    segment: int = 0,
    label: str = "vid3",
    status: Status = Status.OK,
    rating: int = NO_RATING,
    origin_s: float = ORIGIN_S,
    modalities: int = 7,
    band: tuple[float, float] = (math.nan, math.nan),
    outside: bool = False,
    cause: Cause = Cause.NONE,
) -> TickRecord:
    p = p if status is Status.OK else math.nan
    time_s = origin_s + tick / 10
    return TickRecord(segment, label, tick, time_s, p, status, modalities, rating, *band, outside, cause)


@pytest.fixture
def make_record() -> MakeRecord:
    """Make the record of a tick: ``make_record(57, 0.8, status=Status.GAP)``."""
    return _record


@pytest.fixture
def clip() -> list[TickRecord]:
    """One minute of vid3: warm-up to tick 49, a gap from 200 to 219, rating 0, then 2 from tick 300."""
    return [
        _record(
            tick,
            tick / 1000,
            status=Status.WARMUP if tick < 50 else Status.GAP if 200 <= tick < 220 else Status.OK,
            rating=0 if tick < 300 else 2,
        )
        for tick in range(600)
    ]
