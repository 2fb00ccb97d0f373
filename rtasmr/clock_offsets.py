"""Stamps of another host put on the clock of the recording machine, by the offsets that its recorder noted.

A recorder such as LabRecorder compares the clock of every source with its own each few seconds and leaves the
stamps as they were sent. A straight line through the offsets gives what to add to each stamp; where the clock
was set in between, a line for every part. The parts and the loss are those of pyxdf.

References
----------
Huber (1964), Robust estimation of a location parameter, Annals of Mathematical Statistics 35.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _Line:
    """What is to be added between two comparisons: ``level`` at ``middle_s``, and a slope."""

    first_s: float
    last_s: float
    middle_s: float
    level_s: float
    slope: float

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.level_s + self.slope * (times - self.middle_s)


@dataclass(slots=True)
class HostClock:
    """The clock of another host; moves its stamps block by block, in the order of the file.

    Parameters
    ----------
    lines : tuple of _Line
        One for every part between two settings of the clock; none for the recording machine itself.
    part : int
        The one in which the next stamps lie.
    """

    lines: tuple[_Line, ...]
    part: int = 0

    @classmethod
    def fit(cls, offsets: NDArray[np.float64]) -> HostClock:
        """Return the clock that a recorder's comparisons show.

        Parameters
        ----------
        offsets : ndarray of shape (n_offsets, 2), float64
            When the clock of the source was compared, on that clock, and what is to be added, in seconds.
        """
        known = offsets[(np.abs(offsets) < MAX_S).all(axis=1)]
        if not known[:, 1].any():  # none, or a source of the recording machine: to the last bit as it is
            return cls(())
        resets = np.flatnonzero(np.abs(np.diff(known[:, 1])) > RESET_S) + 1
        return cls(tuple(_line(part) for part in np.split(known, resets)))

    def move(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the next stamps, shape (n_samples,), on the clock of the recording machine, in seconds."""
        if not self.lines:
            return times
        moved = np.empty_like(times)
        start = 0
        while start < len(times):
            rest, line = times[start:], self.lines[self.part]
            if self.part + 1 < len(self.lines):
                rest = rest[: _n_nearer(rest, line.last_s, self.lines[self.part + 1].first_s)]
            moved[start : start + len(rest)] = rest + line.at(rest)
            start += len(rest)
            self.part += start < len(times)
        return moved


def synchronized(times: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all stamps of a stream on the clock of the recording machine.

    Parameters
    ----------
    times : ndarray of shape (n_samples,), float64
        As recorded, in seconds.
    offsets : ndarray of shape (n_offsets, 2), float64
        As in `HostClock.fit`.
    """
    return HostClock.fit(offsets).move(times)


def _n_nearer(times: NDArray[np.float64], end_s: float, next_s: float) -> int:
    """Return how many stamps come before the first one that is nearer to ``next_s`` than to ``end_s``."""
    is_nearer = np.abs(times - end_s) < np.abs(times - next_s)
    return len(times) if is_nearer.all() else int(np.argmin(is_nearer))


def _line(offsets: NDArray[np.float64]) -> _Line:
    """Return the line through the comparisons of one part."""
    at, values = offsets.T
    first_s, last_s, level = float(at[0]), float(at[-1]), float(np.median(values))
    middle, scale = float(at.mean()), float(np.ptp(at))
    if scale < MIN_LINE_S:
        return _Line(first_s, last_s, middle, level, 0.0)
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
    return _Line(first_s, last_s, middle, float(fit.x[0]), float(fit.x[1]) / scale)
