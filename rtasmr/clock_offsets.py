"""Stamps of another host put on the clock of the recording machine, by the offsets that its recorder noted.

A recorder such as LabRecorder compares the clock of every source with its own each few seconds and leaves the
stamps as they were sent. A straight line through the offsets gives what to add to each stamp; where the clock
was set in between, a line for every part. The parts and the loss are those of pyxdf.

References
----------
Huber (1964), Robust estimation of a location parameter, Annals of Mathematical Statistics 35.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

RESET_S = 1.0
"""From one comparison to the next an offset changes by more only where a clock was set."""

MIN_LINE_S = 30.0
"""Offsets over less time than this show where the clock stands, not how fast it runs."""

MAX_S = 1e11
"""No clock stands further off: such a comparison is corrupt, as one that is not a number is."""

HUBER_S = 1e-4
"""Deviations beyond count with their size, not its square: a comparison that met a busy network."""


def synchronized(times: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return stamps on the clock of the recording machine.

    Parameters
    ----------
    times : ndarray of shape (n_samples,), float64
        As recorded, in seconds.
    offsets : ndarray of shape (n_offsets, 2), float64
        When the clock of the source was compared, on that clock, and what is to be added, in seconds.
    """
    known = offsets[(np.abs(offsets) < MAX_S).all(axis=1)]
    if not known[:, 1].any():  # none, or a source of the recording machine: to the last bit as it is
        return times
    parts = list(_parts(known))
    moved = np.empty_like(times)
    start = 0
    for number, part in enumerate(parts, start=1):
        rest = times[start:]
        if number < len(parts):
            rest = rest[: _n_nearer(rest, part[-1, 0], parts[number][0, 0])]
        moved[start : start + len(rest)] = rest + _line(part, rest)
        start += len(rest)
    return moved


def _parts(offsets: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    resets = np.flatnonzero(np.abs(np.diff(offsets[:, 1])) > RESET_S) + 1
    yield from np.split(offsets, resets)


def _n_nearer(times: NDArray[np.float64], end_s: float, next_s: float) -> int:
    """Return how many stamps come before the first one that is nearer to ``next_s`` than to ``end_s``."""
    is_nearer = np.abs(times - end_s) < np.abs(times - next_s)
    return len(times) if is_nearer.all() else int(np.argmin(is_nearer))


def _line(offsets: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what the line through the offsets adds at ``times``."""
    at, values = offsets.T
    level = float(np.median(values))
    if np.ptp(at) < MIN_LINE_S:
        return np.full(len(times), level)
    middle, scale = float(at.mean()), float(np.ptp(at))
    where = (at - middle) / scale
    fit = least_squares(
        lambda line: line[0] + line[1] * where - values,
        (level, 0.0),
        jac=lambda _: np.column_stack((np.ones_like(where), where)),
        loss="huber",
        f_scale=HUBER_S,
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    added: NDArray[np.float64] = fit.x[0] + fit.x[1] * (times - middle) / scale
    return added
