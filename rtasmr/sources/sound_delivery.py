"""When the samples of a sound input were heard, from what its blocks tell: arrival, length and age.

A block arrives late by a delay that is never negative, so the earliest arrivals, set against the samples
counted, show the rate and the place of every sample to a fraction of a millisecond. What they cannot show
is how old a sample is by then. The system tells that, and is wrong by up to a second while its own estimate
recovers from a pause: PulseAudio extrapolates the age from reports that did not come meanwhile. The age is
therefore believed once it is steady, as one number for all that follows, and never block by block.
No clock here: times are arguments.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

import numpy as np

WINDOW_S = 0.5
"""Arrivals and ages have to agree over this many seconds before samples count."""

MIN_BLOCKS = 4

STEADY_S = 0.005
"""Spread over the window (of its middle half) up to which the times told agree."""

FIRST_LIMIT_S = 4.5
"""Seconds after the start until an input that never settles is taken as it is.

An output that nobody listened to has up to 2 s computed ahead and hands out nothing until these are
over; the age told is wrong for up to 2.5 s more. Less than what makes an input count as silent.
"""

LIMIT_S = 1.5
"""The same after a slide, when other samples have come before."""

JITTER_S = 0.1
"""A block comes this late on a busy machine; what is missing beyond it was lost."""

SLIDE_S = 0.015
SLIDE_SEEN_S = 3.0
"""Arrivals earlier than this, or later for this long, show that samples came twice or went uncounted."""

DRIFT = 1e-3
"""Largest difference between the card's clock and that of LSL, in seconds per second."""


@dataclass(frozen=True, slots=True)
class Ages:
    """What age the last sample of a block may have when it arrives, in seconds.

    Parameters
    ----------
    usual_s : float
        Taken where the system tells nothing, or nothing that can be believed.
    least_s, most_s : float
        A smaller one is cut off; a larger one, however steady, is not believed.
    """

    usual_s: float
    least_s: float
    most_s: float


CAPTURED = Ages(usual_s=0.0, least_s=0.0, most_s=1.0)
"""A microphone: nothing arrives before it was there."""


class State(Enum):
    """What is known of the place of a block."""

    SETTLING = "settling"
    """It is not known where it belongs: leave it out."""

    SLID = "slid"
    """The place of the samples has moved uncounted: leave it out, too, while it settles anew."""

    BEGINS = "begins"
    """Samples count from this block on; those before it have no place beside them."""

    BEGINS_UNSTEADY = "begins, unsteady"
    """The same, though nothing has become steady in time."""

    GOES_ON = "goes on"
    """It follows the block before it, after `Place.n_lost` samples."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block belongs.

    Parameters
    ----------
    state : State
    n_lost : int
        Samples that are missing before it.
    """

    state: State
    n_lost: int = 0


@dataclass(frozen=True, slots=True)
class _Arrival:
    """One block: when it came, that time less the samples counted, and the age told of its last sample."""

    time: float
    lead_s: float
    age_s: float


class DeliveryWatch:
    """Follows the blocks of one opened input.

    Parameters
    ----------
    sfreq : float
        Rate of the card in Hz.
    opened : float
        LSL time in seconds.
    ages : Ages

    Attributes
    ----------
    delay_s : float
        Seconds from a block's last sample to the block's arrival, if that is not held up; negative where
        samples arrive before they are heard.
    n_slides : int
        How often the place of the samples has moved uncounted.
    n_unsteady : int
        How often it had to be taken though it was not steady.
    slid_s : float
        By how much arrivals moved at the last slide; negative when they came early.
    """

    def __init__(self, sfreq: float, opened: float, ages: Ages = CAPTURED) -> None:
        self._sfreq = sfreq
        self._expected = ages
        self._deadline = opened + FIRST_LIMIT_S
        self._window: deque[_Arrival] = deque()
        self._is_settled = False
        self._n_samples = 0
        self._line_s = math.inf
        self._late_since: float | None = None
        self.delay_s = ages.usual_s
        self.slid_s = 0.0
        self.n_slides = 0
        self.n_unsteady = 0

    def take(self, n_samples: int, arrival: float, age_s: float, *, is_flagged: bool = False) -> Place:
        """Take a block.

        Parameters
        ----------
        n_samples : int
            Its length.
        arrival : float
            LSL time in seconds.
        age_s : float
            What the system says of the age of its last sample at that time, in seconds; NaN if nothing.
        is_flagged : bool
            Whether the system says that samples are missing before it: then less than `JITTER_S` counts, too.
        """
        self._n_samples += n_samples
        lead_s = arrival - self._n_samples / self._sfreq
        if not self._is_settled:
            return self._settle(arrival, lead_s, age_s)
        # A block that lay in a buffer is older by that time, which is no loss.
        held_up_s = 0.0 if math.isnan(age_s) else max(0.0, age_s - self.delay_s)
        late_s = lead_s - self._line_s
        missing_s = late_s - held_up_s
        if missing_s > (0.0 if is_flagged else JITTER_S):
            n_lost = round(missing_s * self._sfreq)
            self._n_samples += n_lost
            return Place(State.GOES_ON, n_lost)
        if self._has_slid(arrival, late_s, missing_s):
            self._settle_anew(late_s, arrival)
            return Place(State.SLID)
        self._line_s = min(lead_s, self._line_s + DRIFT * n_samples / self._sfreq)
        return Place(State.GOES_ON)

    def _settle(self, arrival: float, lead_s: float, age_s: float) -> Place:
        window = self._window
        window.append(_Arrival(arrival, lead_s, age_s))
        while arrival - window[0].time > WINDOW_S and len(window) > MIN_BLOCKS:
            window.popleft()
        delay_s = self._steady_delay_s()
        if delay_s is None and arrival < self._deadline:
            return Place(State.SETTLING)
        is_steady = delay_s is not None
        self.n_unsteady += not is_steady
        self.delay_s = self._expected.usual_s if delay_s is None else max(delay_s, self._expected.least_s)
        self._line_s = min(block.lead_s for block in window)
        self._is_settled = True
        return Place(State.BEGINS if is_steady else State.BEGINS_UNSTEADY)

    def _steady_delay_s(self) -> float | None:
        """Return the delay on which the blocks of the window agree; None if they do not."""
        blocks = list(self._window)
        if len(blocks) < MIN_BLOCKS or blocks[-1].time - blocks[0].time < 0.8 * WINDOW_S:
            return None
        line_s = min(block.lead_s for block in blocks)
        told = [block for block in blocks if not math.isnan(block.age_s)]
        if len(told) < MIN_BLOCKS:
            first, last = blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]
            moved_s = min(block.lead_s for block in last) - min(block.lead_s for block in first)
            return self._expected.usual_s if abs(moved_s) <= STEADY_S else None
        # By how much each block was later than the earliest one is no delay that all share.
        delays_s = [block.age_s - (block.lead_s - line_s) for block in told]
        lower_s, delay_s, upper_s = np.percentile(delays_s, [25, 50, 75])
        if upper_s - lower_s > STEADY_S:
            return None
        return float(delay_s) if delay_s <= self._expected.most_s else self._expected.usual_s

    def _has_slid(self, arrival: float, late_s: float, missing_s: float) -> bool:
        if late_s < -SLIDE_S:
            return True
        if missing_s <= SLIDE_S:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = arrival
        return self._late_since is not None and arrival - self._late_since >= SLIDE_SEEN_S

    def _settle_anew(self, late_s: float, now: float) -> None:
        self.n_slides += 1
        self.slid_s = late_s
        self._is_settled = False
        self._late_since = None
        self._deadline = now + LIMIT_S
        self._window.clear()
