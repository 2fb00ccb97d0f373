"""The paper's 'Technical Validation' from raw data: reports, agreement, sensor and pulse rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from offline.agreement import RatingCurve, measure_agreement, rating_curve
from offline.behaviour import (
    RatedTrial,
    active_durations,
    count_data,
    rated_trials,
    responder_rates,
)
from offline.cardio import (
    MINUTE_S,
    PulseComparison,
    PulseTrial,
    compare_conditions,
    measure_comparison,
    published_rates,
    robust_rates,
    window_ratings,
)
from offline.continuity import Continuity, Fault, count_faults, find_faults, total
from offline.notes import joined, named
from offline.processes import worker_pool
from offline.results import Measured
from offline.study_figures import draw_pulse_rates, draw_ratings
from rtasmr.biopac import read_ppg
from rtasmr.dataset import DataSet
from rtasmr.dataset_words import missing_pulse, named_in_set, pulse_left_out
from rtasmr.errors import ConfigError, DataError
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.progress import Report

FIGURE_3_VIDEOS = ("vid2", "vid3")
RAW_CHANNEL = 0
MIN_SFREQ = 50.0
"""Rate in Hz below which beats can not be placed."""


@dataclass(frozen=True, slots=True)
class PulseSession:
    """What one participant's pulse recording gives.

    Parameters
    ----------
    n_samples : int
        Samples within the trials, by the export's time column.
    continuity : Continuity
    published, robust : tuple of PulseTrial
        By the published and by our rule.
    notes : tuple of str
        What looked unusual in the file.
    """

    n_samples: int
    continuity: Continuity
    published: tuple[PulseTrial, ...]
    robust: tuple[PulseTrial, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TechnicalValidation:
    """Numbers, the data behind figures 3 and 4, and what was unusual.

    Parameters
    ----------
    measured : mapping of str to Measured
        By the paper's ids and further ones of ours; figures are added by `draw`.
    curves : tuple of RatingCurve
        Panels of figure 3; a clip that nobody rated above 0 is left out.
    published, robust : PulseComparison
        Figure 4.
    notes : tuple of str
        One per file that could not be used or looked unusual.
    simulated : bool
        Whether the data are; the figures then say so.
    """

    measured: Mapping[str, Measured]
    curves: tuple[RatingCurve, ...]
    published: PulseComparison
    robust: PulseComparison
    notes: tuple[str, ...]
    simulated: bool

    def draw(self, out: Path) -> dict[str, Measured]:
        """Draw figures 3 and 4 into ``out/figures``; return their lines of the results.

        A figure without data is left out: nobody felt a tingle, or nobody has both correlations.
        """
        drawn: dict[str, Measured] = {}
        if self.curves:
            name = "figures/figure3.svg"
            draw_ratings(self.curves, out / name, simulated=self.simulated)
            drawn["figure3"] = Measured(None, note=name)
        if self.published.participants or self.robust.participants:
            name = "figures/figure4.svg"
            draw_pulse_rates(self.published, self.robust, out / name, simulated=self.simulated)
            drawn["figure4"] = Measured(None, note=name)
        return drawn


def measure_behaviour(
    dataset: DataSet, rng: np.random.Generator, jobs: int = 1, progress: Report | None = None
) -> TechnicalValidation:
    """Compute every number of the paper's technical validation that needs no model.

    A participant whose pulse recording is missing or unreadable is named in the notes; the rest goes on.

    Parameters
    ----------
    dataset : DataSet
    rng : Generator
        For the bootstrap of the agreement; the same seed gives the same numbers, whatever ``jobs``.
    jobs : int
        Processes that read pulse recordings side by side; each takes up to 400 MB.
    """
    if jobs < 1:
        raise ConfigError(f"jobs: expected 1 or more, got {jobs}; name how many processes may run")
    trials = rated_trials(dataset)
    sessions: dict[int, PulseSession] = {}
    notes: list[str] = []
    for done, (participant, session) in enumerate(_pulse_sessions(dataset, trials, jobs), start=1):
        if progress is not None:
            progress("pulse recordings", done / len(dataset.participants))
        if isinstance(session, str):
            notes.append(session)
        else:
            sessions[participant] = session
            notes.extend(session.notes)
    unread = [participant for participant in dataset.participants if participant not in sessions]
    published = compare_conditions(trial for session in sessions.values() for trial in session.published)
    robust = compare_conditions(trial for session in sessions.values() for trial in session.robust)
    measured = (
        count_data(dataset, trials)
        | _sensor(sessions, unread)
        | responder_rates(trials)
        | active_durations(trials)
        | measure_agreement(trials, rng)
        | measure_comparison(published, "cardio", unread)
        | measure_comparison(robust, "cardio.robust", unread)
    )
    curves = (rating_curve(trials, video) for video in FIGURE_3_VIDEOS)
    return TechnicalValidation(
        measured,
        tuple(curve for curve in curves if curve is not None),
        published,
        robust,
        tuple(notes),
        dataset.is_simulated,
    )


def _pulse_sessions(
    dataset: DataSet, trials: tuple[RatedTrial, ...], jobs: int
) -> Iterator[tuple[int, PulseSession | str]]:
    """Yield each participant's session, or why there is none, in order."""
    by_person = [[t for t in trials if t.trial.participant == number] for number in dataset.participants]
    read = partial(read_session, dataset)
    if jobs == 1:
        yield from zip(dataset.participants, map(read, dataset.participants, by_person), strict=True)
        return
    with worker_pool(jobs) as pool:
        yield from zip(dataset.participants, pool.map(read, dataset.participants, by_person), strict=True)


def read_session(dataset: DataSet, participant: int, trials: list[RatedTrial]) -> PulseSession | str:
    """Read one recording and take all measures from it; return why, where it can not be read."""
    path = dataset.ppg_files.get(participant)
    if path is None:
        return missing_pulse(participant)
    try:
        recording = read_ppg(path)
    except DataError as error:
        return named_in_set(path, f"{error}; {pulse_left_out(participant)}")
    if recording.sfreq < MIN_SFREQ:
        told = f"expected at least {MIN_SFREQ:g} samples/s, got {recording.sfreq:g}"
        return named_in_set(path, f"{told}; participant {participant:03d} is left out of the pulse analyses")
    time_s = MINUTE_S * recording.time_min
    n_samples = 0
    stretches = []
    for rated in trials:
        first_s = rated.start_s + WARMUP_TICKS / FRAME_RATE_HZ
        n_samples += int(np.count_nonzero((time_s >= first_s) & (time_s < rated.stop_s)))
        stretches.append(
            (
                round((first_s - recording.start_s) * recording.sfreq),
                round((rated.stop_s - recording.start_s) * recording.sfreq),
            )
        )
    faults = find_faults(recording.samples[:, RAW_CHANNEL], recording.sfreq)
    faulty = np.logical_or.reduce(list(faults.values()))
    ratings = [window_ratings(rated.rating) for rated in trials]
    return PulseSession(
        n_samples,
        count_faults(faults, stretches),
        tuple(
            PulseTrial(rated, published_rates(recording, rated), rating)
            for rated, rating in zip(trials, ratings, strict=True)
        ),
        tuple(
            PulseTrial(rated, robust_rates(recording, rated, faulty), rating)
            for rated, rating in zip(trials, ratings, strict=True)
        ),
        tuple(named_in_set(path, note) for note in recording.notes),
    )


def _sensor(sessions: Mapping[int, PulseSession], unread: list[int]) -> dict[str, Measured]:
    """Return the number of samples and how many of them are without fault."""
    absent = named("no pulse recording", unread)
    if not sessions:
        return {
            "ppg.samples": Measured(None, unit="samples", note=absent),
            "ppg.continuity": Measured(None, unit="%", note=absent),
        }
    whole = total(session.continuity for session in sessions.values())
    worst = min(sessions, key=lambda participant: sessions[participant].continuity.percent)
    shares = ", ".join(f"{fault} {100 * whole.lost[fault] / whole.n_samples:.3f} %" for fault in Fault)
    told = (
        f"lost: {shares}; worst participant {worst:03d} with {sessions[worst].continuity.percent:.2f} %; "
        "thresholds ours, as the paper gives none"
    )
    by_time = "within the trials, by the exports' time column"
    n_samples = sum(session.n_samples for session in sessions.values())
    return {
        "ppg.samples": Measured(n_samples, unit="samples", note=joined(by_time, absent)),
        "ppg.continuity": Measured(whole.percent, unit="%", note=joined(told, absent)),
    }
