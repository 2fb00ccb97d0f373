"""Which units of work the feature tables of a data set need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offline.units import Kind, Unit
from rtasmr.dataset import DataSet, stimulus_file_name
from rtasmr.dataset_words import missing_pulse, missing_stimulus
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import CLIP_DURATION_S, n_published_frames
from rtasmr.presentation_log import Clip
from rtasmr.types import TrialId


@dataclass(frozen=True)
class Showing:
    """One trial, and the numbers of the units that its table is made of.

    ``stimulus_units`` are all needed, and ``film_unit`` says whether they count; ``pulse_unit`` is None where
    there is no recording.
    """

    trial: TrialId
    clip: Clip
    film_unit: int
    stimulus_units: tuple[int, ...]
    pulse_unit: int | None


@dataclass(frozen=True, eq=False)
class Plan:
    """All units, stimuli first as they take longest, and the trials made of them, sorted."""

    units: tuple[Unit, ...]
    showings: tuple[Showing, ...]
    notes: tuple[str, ...]

    @property
    def trials(self) -> frozenset[TrialId]:
        """Trials that get a table if all goes well."""
        return frozenset(showing.trial for showing in self.showings)


def plan_work(
    data: DataSet,
    spec: FeatureSpec,
    participants: Sequence[int] | None = None,
    videos: Sequence[str] | None = None,
) -> Plan:
    """Return what the chosen trials need; a trial without its stimulus file is left out with a note.

    Raises
    ------
    DataError
        If a participant or video named is not in the set.
    """
    for participant in participants or ():
        data.log(participant)  # raises, and says which there are
    for video in videos or ():
        stimulus_file_name(video)
    clips = {
        TrialId(participant, clip.video): clip
        for participant, log in data.logs.items()
        for clip in log.clips
        if (participants is None or participant in participants) and (videos is None or clip.video in videos)
    }
    notes: list[str] = []
    units: list[Unit] = []
    films: dict[str, int] = {}
    stimulus_units: dict[tuple[str, int], tuple[int, ...]] = {}

    def number_of(unit: Unit) -> int:
        units.append(unit)
        return len(units) - 1

    for video in sorted({trial.video for trial in clips}):
        shown = [clip for trial, clip in clips.items() if trial.video == video]
        lengths = {n_published_frames(clip.duration_s) for clip in shown}
        path = data.stimulus_files.get(video)
        if path is None:
            notes.append(missing_stimulus(stimulus_file_name(video), video))
            continue
        films[video] = number_of(Unit(Kind.FILM, path, spec))
        if spec.causal:
            number = number_of(Unit(Kind.LIVE_STIMULUS, path, spec))
            stimulus_units |= {(video, n): (number,) for n in lengths}
            continue
        # Pictures do not depend on the length; all that a full showing needs serve every one.
        pictures = number_of(Unit(Kind.PAPER_PICTURE, path, spec, n_published_frames(CLIP_DURATION_S)))
        for n in sorted(lengths):
            sound = number_of(Unit(Kind.PAPER_SOUND, path, spec, n))
            stimulus_units[video, n] = (pictures, sound)
    pulse_units: dict[int, int] = {}
    for participant in sorted({trial.participant for trial in clips}):
        pulse_path = data.ppg_files.get(participant)
        if pulse_path is None:
            notes.append(missing_pulse(participant))
            continue
        kind = Kind.LIVE_PULSE if spec.causal else Kind.PAPER_PULSE
        # All clips of the session, whatever is chosen now: the file is read as a whole anyway.
        unit = Unit(kind, pulse_path, spec, clips=data.log(participant).clips)
        pulse_units[participant] = number_of(unit)
    showings = []
    for trial, clip in sorted(clips.items()):
        stimulus = stimulus_units.get((trial.video, n_published_frames(clip.duration_s)))
        if stimulus is not None:
            pulse = pulse_units.get(trial.participant)
            showings.append(Showing(trial, clip, films[trial.video], stimulus, pulse))
    return Plan(tuple(units), tuple(showings), tuple(notes))
