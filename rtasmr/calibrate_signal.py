"""A sound that is easy to find again, and what the places where it was found say of a delay. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import chirp, correlate
from scipy.signal.windows import tukey

from rtasmr.errors import RtasmrError

PROBE_S = 0.05
PROBE_HZ = (1_000.0, 6_000.0)
"""A chirp that the smallest loudspeaker plays and that nothing else sounds like."""

PROBE_LEVEL = 0.5

SEARCH_S = (-0.2, 0.7)
"""Where a probe is looked for, in seconds after the moment at which it is said to leave."""

MIN_MATCH = 0.4
"""Least correlation with the probe. Noise reaches some 0.2 anywhere in the search; a room with echoes 0.5."""

ECHO_SHARE = 0.8
ECHO_APART_S = 0.005
"""A second place this nearly as loud, this far from the first, leaves open which one is meant."""

MIN_HEARD_SHARE = 0.75
AGREE_S = 0.01
"""So many of the probes have to be heard, and to agree with the median to this."""


class CalibrationError(RtasmrError):
    """No delay can be told from what was heard."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One probe in what was recorded.

    Parameters
    ----------
    delay_s : float
        How much later than announced it was heard, in seconds.
    match : float
        Correlation with the probe, 0 to 1.
    is_double : bool
        Whether it is there twice, nearly as loud.
    """

    delay_s: float
    match: float
    is_double: bool


@dataclass(frozen=True, slots=True)
class Delay:
    """What several probes agree on.

    Parameters
    ----------
    delay_s : float
        Median, in seconds.
    spread_s : float
        Half of the range in which all probes that agree lie, in seconds; those of one pass agree better
        than the delay is known, so there are several.
    n_heard, n_played : int
        Probes that agree, and all.
    """

    delay_s: float
    spread_s: float
    n_heard: int
    n_played: int


def probe(sfreq: float) -> NDArray[np.float64]:
    """Return the probe, of shape (n_samples,), at most `PROBE_LEVEL` of full scale."""
    n_samples = round(PROBE_S * sfreq)
    times = np.arange(n_samples) / sfreq
    low_hz, high_hz = PROBE_HZ
    swept: NDArray[np.float64] = chirp(times, low_hz, PROBE_S, high_hz) * tukey(n_samples, 0.3)
    return PROBE_LEVEL * swept


def find_probe(sound: NDArray[np.int16], first_s: float, due_s: float, sfreq: float) -> Heard | None:
    """Look for the probe in a recording; None if it is not there.

    Parameters
    ----------
    sound : ndarray of shape (n_samples,), int16
        With no sample missing.
    first_s, due_s : float
        When its first sample was taken and when the probe is said to have left, in seconds on one clock.
    sfreq : float
        Rate in Hz.
    """
    wanted = probe(sfreq)
    samples = sound.astype(np.float64)
    if len(samples) < len(wanted):
        return None
    strength = np.abs(correlate(samples, wanted, mode="valid", method="fft"))
    best = int(np.argmax(strength))
    energy = float(np.sum(samples[best : best + len(wanted)] ** 2))
    match = strength[best] / np.sqrt(energy * np.sum(wanted**2)) if energy > 0 else 0.0
    if match < MIN_MATCH:
        return None
    n_apart = round(ECHO_APART_S * sfreq)
    elsewhere = np.concatenate([strength[: max(0, best - n_apart)], strength[best + n_apart :]])
    is_double = bool(np.max(elsewhere, initial=0.0) >= ECHO_SHARE * strength[best])
    return Heard(first_s + best / sfreq - due_s, float(match), is_double)


def agreed_delay(passes: Sequence[Sequence[Heard | None]]) -> Delay:
    """Return the delay on which the probes of all passes agree; None stands for one that was not heard.

    Raises
    ------
    CalibrationError
        If too few were heard, or they do not agree, or the passes do not, or each was there twice.
    """
    heard = [one for one_pass in passes for one in one_pass]
    found = [one for one in heard if one is not None]
    n_needed = int(np.ceil(MIN_HEARD_SHARE * len(heard)))
    if len(found) < n_needed:
        raise CalibrationError(
            f"expected to hear {n_needed} of {len(heard)} clicks, heard {len(found)}; turn the sound up, "
            "bring microphone and loudspeaker together, and check --sound-device and --input"
        )
    if 2 * sum(one.is_double for one in found) > len(found):
        raise CalibrationError(
            "expected every click once, heard most of them twice; let the sound out on one way only"
        )
    delays_s = np.array([one.delay_s for one in found])
    agree = np.abs(delays_s - np.median(delays_s)) <= AGREE_S
    if agree.sum() < n_needed:
        low_ms, high_ms = 1000 * delays_s.min(), 1000 * delays_s.max()
        raise CalibrationError(
            f"expected {n_needed} of {len(heard)} clicks to agree within {1000 * AGREE_S:g} ms, got delays "
            f"from {low_ms:.0f} to {high_ms:.0f} ms; stop other sound and what loads this machine, try again"
        )
    by_pass_s = [[one.delay_s for one in one_pass if one is not None] for one_pass in passes]
    medians_s = [np.median(one_pass_s) for one_pass_s in by_pass_s if one_pass_s]
    if np.ptp(medians_s) > AGREE_S:
        told = " and ".join(f"{1000 * median_s:.0f}" for median_s in medians_s)
        raise CalibrationError(
            f"expected the same delay within {1000 * AGREE_S:g} ms after the input was opened anew, "
            f"got {told} ms; stop what loads this machine, try again"
        )
    agreed = delays_s[agree]
    return Delay(float(np.median(agreed)), float(np.ptp(agreed)) / 2, int(agree.sum()), len(heard))
