"""The 10 Hz grid: the one home of the frame rate and of the clip's timing.

Tick ``k`` of a segment lies at ``origin + k / FRAME_RATE_HZ``; ``k`` is an integer and 0.1 is never
added repeatedly.
"""

from __future__ import annotations

import math

FRAME_RATE_HZ = 10
"""Feature frames per second."""

WARMUP_TICKS = 50
"""Ticks at the start of a segment that settle filters and normaliser and carry no probability."""

CLIP_DURATION_S = 60.0
FIRST_CLIP_DURATION_S = 55.7
"""Seconds of the first clip of a session that were shown (paper, 'Latency Correction')."""

ON_TICK_TOLERANCE_S = 1e-4
"""A picture stamped this little after a tick counts as shown at the tick.

Stamps and ticks come from different sums of float64 numbers; 0.1 ms is far above their rounding
(about 1e-9 s) and far below any frame period.
"""


def tick_time(origin: float, tick: int) -> float:
    """Return the time of ``tick`` in seconds on the clock of ``origin``."""
    return origin + tick / FRAME_RATE_HZ


def round_up_to_grid(time_s: float) -> float:
    """Return the first multiple of the frame period at or after ``time_s`` (seconds)."""
    return math.ceil(time_s * FRAME_RATE_HZ - 1e-6) / FRAME_RATE_HZ


def n_published_frames(duration_s: float) -> int:
    """Return the number of published frames of a clip shown for ``duration_s`` seconds.

    507 for the first clip of a session (55.7 s) and 550 for the others (60 s).
    """
    return round((duration_s - WARMUP_TICKS / FRAME_RATE_HZ) * FRAME_RATE_HZ)


def sample_index(time_s: float, start_s: float, sfreq: float) -> int:
    """Return the index of the sample of a loss-free stretch that a tick picks.

    Parameters
    ----------
    time_s, start_s : float
        Time of the tick and of sample 0, in seconds on one clock.
    sfreq : float
        Nominal rate of the stretch in Hz.
    """
    return round((time_s - start_s) * sfreq)
