"""Pulse rate against rating: a correlation per participant and condition, and their difference.

References
----------
.. [1] Das et al. 2026, 'Physiological Signal Integrity and Cardiovascular Response' and Figure 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr, ttest_rel

from offline.beats import published_rate
from offline.behaviour import RatedTrial
from offline.correlation import fisher_z, n_guarded
from offline.notes import joined, named
from offline.results import Measured
from offline.statistics import mean_and_sd
from rtasmr.biopac import PpgRecording
from rtasmr.dataset_words import counted
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.pulse_quality import LEAST_HARMONIC_SHARE, harmonic_share
from rtasmr.pulse_rate import beat_rate, find_beats

WINDOW_S = 5
STRIDE_S = 1
MIN_WINDOWS = 11
"""Windows with a pulse rate that a correlation needs (more than ten, as published)."""

CONTEXT_S = 5.0
"""Pulse before the first window that keeps the filter's edge out of it."""

FILTERED_CHANNEL = 1
"""The amplifier's band-passed channel; the published rule reads this one."""

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class PulseTrial:
    """Pulse rate and rating of the windows of one trial.

    Parameters
    ----------
    rated : RatedTrial
    rate_bpm : ndarray of shape (n_windows,)
        NaN where a window gives none.
    rating : ndarray of shape (n_windows,)
        Mean level of the window's frames.
    """

    rated: RatedTrial
    rate_bpm: NDArray[np.float64]
    rating: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PulseComparison:
    """The participants' correlations in both conditions.

    Parameters
    ----------
    participants : tuple of int
        Those who have both.
    asmr_r, nature_r : ndarray of shape (n_participants,)
        Spearman correlations of pulse rate and rating.
    left_out : mapping of int to str
        Why the others have none.
    n_windows, n_with_rate : int
        Windows of all trials, and those that gave a pulse rate.
    """

    participants: tuple[int, ...]
    asmr_r: NDArray[np.float64]
    nature_r: NDArray[np.float64]
    left_out: Mapping[int, str]
    n_windows: int
    n_with_rate: int


def window_starts_s(n_frames: int) -> range:
    """Return the starts of the windows of a trial, in whole seconds after its first published frame.

    As published, a window that ends with the clip is left out: 50 windows of 550 frames, 46 of 507.
    """
    n_starts = math.ceil(n_frames / FRAME_RATE_HZ - WINDOW_S)
    return range(0, max(n_starts, 0), STRIDE_S)


def window_ratings(rating: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the mean level of each window; shape (n_windows,)."""
    n = WINDOW_S * FRAME_RATE_HZ
    starts = [start * FRAME_RATE_HZ for start in window_starts_s(len(rating))]
    return np.array([rating[start : start + n].mean() for start in starts])


def published_rates(recording: PpgRecording, rated: RatedTrial) -> NDArray[np.float64]:
    """Return the pulse rate of each window of a trial by the published rule, shape (n_windows,).

    Samples are chosen by the export's time column, whose printed digits make windows of varying length.
    """
    first_s = rated.start_s + WARMUP_TICKS / FRAME_RATE_HZ
    time_s = MINUTE_S * recording.time_min
    clip = np.flatnonzero((time_s >= first_s) & (time_s < rated.stop_s))
    time_s, wave = time_s[clip], recording.samples[clip, FILTERED_CHANNEL]
    starts = [first_s + start for start in window_starts_s(len(rated.rating))]
    return np.array(
        [
            published_rate(wave[(time_s >= start) & (time_s < start + WINDOW_S)], recording.sfreq)
            for start in starts
        ]
    )


def robust_rates(
    recording: PpgRecording, rated: RatedTrial, faulty: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the pulse rate of each window of a trial by our more robust rule, shape (n_windows,).

    Beats are found in the whole trial, so that no window suffers from a filter's edge, and with no threshold
    in the signal's unit. A window with a faulty sample has no rate, nor one whose power does not lie at the
    harmonics of a pulse.

    Parameters
    ----------
    faulty : ndarray of shape (n_samples,), bool
        Samples of the recording that the sensor lost.
    """
    sfreq = recording.sfreq
    first_s = rated.start_s + WARMUP_TICKS / FRAME_RATE_HZ
    origin = max(round((first_s - CONTEXT_S - recording.start_s) * sfreq), 0)
    stop = round((rated.stop_s - recording.start_s) * sfreq)
    wave, faulty = recording.samples[origin:stop, FILTERED_CHANNEL], faulty[origin:stop]
    faulty = faulty | ~np.isfinite(wave)
    rates = np.full(len(window_starts_s(len(rated.rating))), np.nan)
    if faulty.all():
        return rates
    # Lost samples are bridged for the filter alone; windows that touch them are left out below.
    good = np.flatnonzero(~faulty)
    bridged = np.interp(np.arange(len(wave)), good, wave[good])
    beats_s = find_beats(bridged, sfreq) if len(wave) > WINDOW_S * sfreq else np.empty(0)
    origin_s = recording.start_s + origin / sfreq
    for i, start in enumerate(window_starts_s(len(rated.rating))):
        start_s = first_s + start - origin_s
        window = slice(round(start_s * sfreq), round((start_s + WINDOW_S) * sfreq))
        covered = window.stop <= len(wave) and not faulty[window].any()
        if covered and harmonic_share(wave[window], sfreq) >= LEAST_HARMONIC_SHARE:
            rates[i] = beat_rate(beats_s, start_s, start_s + WINDOW_S)
    return rates


def condition_r(trials: Iterable[PulseTrial]) -> tuple[float, str]:
    """Return the Spearman correlation of pulse rate and rating over all windows of some trials.

    Returns
    -------
    r : float
        NaN where it is undefined.
    reason : str
        Why it is; empty otherwise.
    """
    rates = np.concatenate([np.empty(0), *(trial.rate_bpm for trial in trials)])
    ratings = np.concatenate([np.empty(0), *(trial.rating for trial in trials)])
    has_rate = np.isfinite(rates)
    rates, ratings = rates[has_rate], ratings[has_rate]
    if len(rates) < MIN_WINDOWS:
        return math.nan, f"{len(rates)} windows with a pulse rate"
    if np.ptp(ratings) == 0:
        return math.nan, "constant rating"
    if np.ptp(rates) == 0:
        return math.nan, "constant pulse rate"
    return float(spearmanr(rates, ratings).statistic), ""


def compare_conditions(trials: Iterable[PulseTrial]) -> PulseComparison:
    """Correlate per participant and condition; keep those who have both."""
    by_person: dict[int, list[PulseTrial]] = {}
    for trial in trials:
        by_person.setdefault(trial.rated.trial.participant, []).append(trial)
    pairs: dict[int, tuple[float, float]] = {}
    left_out: dict[int, str] = {}
    for participant, own in sorted(by_person.items()):
        asmr, asmr_reason = condition_r([trial for trial in own if trial.rated.trial.is_asmr])
        nature, nature_reason = condition_r([trial for trial in own if not trial.rated.trial.is_asmr])
        if asmr_reason or nature_reason:
            told = {"ASMR": asmr_reason, "nature": nature_reason}
            left_out[participant] = ", ".join(f"{kind}: {reason}" for kind, reason in told.items() if reason)
        else:
            pairs[participant] = (asmr, nature)
    r = np.array(list(pairs.values()), dtype=np.float64).reshape(-1, 2)
    rates = [trial.rate_bpm for own in by_person.values() for trial in own]
    return PulseComparison(
        tuple(pairs),
        r[:, 0],
        r[:, 1],
        left_out,
        sum(map(len, rates)),
        sum(int(np.count_nonzero(np.isfinite(rate))) for rate in rates),
    )


def measure_comparison(found: PulseComparison, prefix: str, unread: Sequence[int]) -> dict[str, Measured]:
    """Return the mean correlations and the paired t-tests on Fisher's z and on r.

    Parameters
    ----------
    prefix : str
        ``cardio`` for the published rule, the paper's ids, or ``cardio.robust``.
    unread : sequence of int
        Participants without a pulse recording, for the note.
    """
    names = {
        f"{prefix}.t": "t",
        f"{prefix}.p": "p",
        f"{prefix}.asmr.mean_r": "r",
        f"{prefix}.nature.mean_r": "r",
        f"{prefix}.raw_r.t": "t",
        f"{prefix}.raw_r.p": "p",
    }
    note = _who(found, unread)
    if len(found.participants) < 2:
        reason = f"a paired test needs two participants; {note}"
        return {number_id: Measured(None, unit=unit, note=reason) for number_id, unit in names.items()}
    n_moved = n_guarded(found.asmr_r) + n_guarded(found.nature_r)
    guarded = f"; {n_moved} correlations of 1 or -1 held at z 7.25" if n_moved else ""
    t_z, p_z = _paired_t(fisher_z(found.asmr_r), fisher_z(found.nature_r))
    t_r, p_r = _paired_t(found.asmr_r, found.nature_r)
    asmr, nature = mean_and_sd(found.asmr_r), mean_and_sd(found.nature_r)
    d = None if t_z is None else t_z / math.sqrt(len(found.participants))
    on_z, on_r = f"on Fisher's z{guarded}", "on r itself, as the authors' notebook judges significance"
    if t_z is None:
        on_z, on_r = (f"{told}: all differences are equal" for told in (on_z, on_r))
    values = {
        f"{prefix}.t": Measured(t_z, p=p_z, cohen_d=d, unit="t", note=f"{on_z}; {note}"),
        f"{prefix}.p": Measured(p_z, unit="p", note=on_z),
        f"{prefix}.asmr.mean_r": Measured(asmr[0], asmr[1], unit="r", note=note),
        f"{prefix}.nature.mean_r": Measured(nature[0], nature[1], unit="r", note=note),
        f"{prefix}.raw_r.t": Measured(t_r, p=p_r, unit="t", note=on_r),
        f"{prefix}.raw_r.p": Measured(p_r, unit="p", note=on_r),
    }
    return {number_id: values[number_id] for number_id in names}


def _paired_t(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Return t and the two-sided p, or None where all differences are equal."""
    if np.ptp(first - second) < 1e-12:
        return None, None
    test = ttest_rel(first, second)
    return float(test.statistic), float(test.pvalue)


def _who(found: PulseComparison, unread: Sequence[int]) -> str:
    share = 100.0 * found.n_with_rate / found.n_windows if found.n_windows else 0.0
    parts = [counted(len(found.participants), "participant"), f"a pulse rate in {share:.1f} % of the windows"]
    if found.left_out:
        told = ", ".join(f"{number:03d} ({reason})" for number, reason in found.left_out.items())
        parts.append(f"left out: {told}")
    return joined(*parts, named("no pulse recording", unread))
