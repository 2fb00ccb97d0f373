"""What the participants reported: who responded, for how long, and how much data there is.

Everything rests on the rating of the published frames, from 5 s after a clip's start to its end (55.0 s,
50.7 s for the first clip of a session). A key pressed earlier counts as far as it still holds at 5 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offline.notes import joined, named
from offline.results import Measured
from offline.statistics import mean_and_sd
from rtasmr.dataset import DataSet, rating_track
from rtasmr.dataset_words import counted
from rtasmr.grid import CLIP_DURATION_S, FRAME_RATE_HZ, n_published_frames
from rtasmr.types import ASMR_VIDEOS, VIDEOS, TrialId


@dataclass(frozen=True, slots=True)
class RatedTrial:
    """One participant's rating of one stimulus.

    Parameters
    ----------
    trial : TrialId
    start_s, stop_s : float
        When the clip was shown, in seconds on the log's clock.
    rating : ndarray of shape (n_frames,), int8
        Levels 0 to 3 of the published frames, at 10 Hz from 5 s after ``start_s``.
    """

    trial: TrialId
    start_s: float
    stop_s: float
    rating: NDArray[np.int8]

    @property
    def responds(self) -> bool:
        """Whether the participant felt anything: a level above 0 in any published frame."""
        return bool(self.rating.any())

    @property
    def active_s(self) -> float:
        """Seconds rated above 0, in one stretch or in several."""
        return np.count_nonzero(self.rating) / FRAME_RATE_HZ


def rated_trials(dataset: DataSet) -> tuple[RatedTrial, ...]:
    """Return all trials of a data set, by participant and then by stimulus."""
    trials = (
        RatedTrial(TrialId(participant, clip.video), clip.start_s, clip.stop_s, rating_track(log, clip))
        for participant, log in dataset.logs.items()
        for clip in log.clips
    )
    return tuple(sorted(trials, key=lambda rated: rated.trial))


def count_data(dataset: DataSet, trials: Iterable[RatedTrial]) -> dict[str, Measured]:
    """Return participants, trials, block orders and published frames."""
    trials = tuple(trials)
    incomplete = [number for number, log in dataset.logs.items() if len(log.clips) < len(VIDEOS)]
    asmr_first = [number for number, log in dataset.logs.items() if log.clips[0].video in ASMR_VIDEOS]
    contradicted = [
        number
        for number, log in dataset.logs.items()
        if log.condition is not None and (number in asmr_first) != (log.condition % 2 == 1)
    ]
    n_frames = sum(len(rated.rating) for rated in trials)
    padded = len(trials) * n_published_frames(CLIP_DURATION_S)
    return {
        "dataset.participants": Measured(
            len(dataset.logs),
            unit="count",
            note=joined(
                "participants whose log can be read",
                named("log unreadable", dataset.unreadable_logs),
            ),
        ),
        "dataset.trials": Measured(
            len(trials), unit="count", note=named("fewer than eight clips", incomplete)
        ),
        "dataset.trials_asmr_first_or_nature_first": Measured(
            len(asmr_first),
            unit="count",
            note=joined(
                f"participants: ASMR block first {len(asmr_first)}, "
                f"nature block first {len(dataset.logs) - len(asmr_first)}, by the clips shown",
                named("the log's name says the other order", contradicted),
            ),
        ),
        "dataset.frames": Measured(
            n_frames,
            unit="frames",
            note=f"507 frames of each first clip and 550 of the others; padded to 550 each they are {padded}",
        ),
    }


def responder_rates(trials: Iterable[RatedTrial]) -> dict[str, Measured]:
    """Return the share of participants who responded: to any ASMR clip, to any nature clip, to each clip.

    Of those who were shown the clip, or a clip of the kind, in percent.
    """
    trials = tuple(trials)
    groups = {
        "asmr": [rated for rated in trials if rated.trial.is_asmr],
        "nature": [rated for rated in trials if not rated.trial.is_asmr],
    }
    groups |= {video: [rated for rated in trials if rated.trial.video == video] for video in VIDEOS}
    return {f"behaviour.{name}.responder_rate": _responder_rate(group) for name, group in groups.items()}


def _responder_rate(trials: list[RatedTrial]) -> Measured:
    shown = sorted({rated.trial.participant for rated in trials})
    if not shown:
        return Measured(None, unit="%", note="nobody was shown such a clip")
    responders = {rated.trial.participant for rated in trials if rated.responds}
    silent = [participant for participant in shown if participant not in responders]
    note = f"{len(responders)} of {counted(len(shown), 'participant')} rated above 0 at least once"
    return Measured(100.0 * len(responders) / len(shown), unit="%", note=joined(note, named("never", silent)))


def active_durations(trials: Iterable[RatedTrial]) -> dict[str, Measured]:
    """Return for how long a trial was rated above 0, over the trials in which it ever was, in seconds.

    The paper says how long the sensation lasted 'once triggered' and leaves open over what it averages. Over
    trials the published predictions' own ratings give 35.6 +- 16.1 s (24 ASMR trials) and 52.7 +- 8.2 s (29
    nature trials), next to the printed 38.54 +- 15.57 s and 52.12 +- 8.60 s; from the first tingle to the
    clip's end they give 44.1 +- 12.4 s. SD is the population SD.
    """
    trials = tuple(trials)
    return {
        "behaviour.asmr.active_duration_mean": _active_duration([t for t in trials if t.trial.is_asmr]),
        "behaviour.nature.active_duration_mean": _active_duration([t for t in trials if not t.trial.is_asmr]),
    }


def _active_duration(trials: list[RatedTrial]) -> Measured:
    active = [rated for rated in trials if rated.responds]
    if not active:
        return Measured(None, unit="s", note="no trial was rated above 0")
    mean, sd = mean_and_sd(np.array([rated.active_s for rated in active]))
    by_person: dict[int, list[float]] = {}
    for rated in active:
        by_person.setdefault(rated.trial.participant, []).append(rated.active_s)
    person_mean, person_sd = mean_and_sd(np.array([np.mean(times) for times in by_person.values()]))
    note = (
        f"over the {len(active)} of {counted(len(trials), 'trial')} rated above 0; over the means of "
        f"{counted(len(by_person), 'participant')} {person_mean:.2f}"
        + (" s" if person_sd is None else f" +- {person_sd:.2f} s")
    )
    return Measured(mean, sd, unit="s", note=note)
