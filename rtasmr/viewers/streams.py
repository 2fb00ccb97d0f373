"""The streams of one viewer among many: those of the stimulus, which all share, and the viewer's own."""

from __future__ import annotations

from collections.abc import Mapping

from rtasmr.acquisition import Acquisition
from rtasmr.stream_events import Event
from rtasmr.streams import Inlet
from rtasmr.timebase import TimeBase
from rtasmr.types import Chunk, Role

STIMULUS_ROLES = (Role.SOUND, Role.PICTURE, Role.CLIP)
OWN_ROLES = (Role.PPG, Role.RATING)


class StimulusStreams:
    """What all viewers hear and see, and its markers: pulled once a turn, for all of them.

    Parameters
    ----------
    acquisition : Acquisition
        Open.
    """

    def __init__(self, acquisition: Acquisition) -> None:
        self.acquisition = acquisition
        self.chunks: tuple[Chunk, ...] = ()
        self.events: tuple[Event, ...] = ()

    def pull(self) -> None:
        """Take what has arrived and what has changed since the last turn."""
        chunks, events = self.acquisition.pull()
        self.chunks, self.events = tuple(chunks), tuple(events)


class ViewerStreams:
    """A viewer's input, as an engine takes it.

    Parameters
    ----------
    stimulus : StimulusStreams
    own : Acquisition
        Pulse and ratings.
    """

    def __init__(self, stimulus: StimulusStreams, own: Acquisition) -> None:
        self._stimulus = stimulus
        self._own = own

    @property
    def timebase(self) -> TimeBase:
        """Map between the LSL clock and the session clock."""
        return self._stimulus.acquisition.timebase

    @property
    def inlets(self) -> Mapping[Role, Inlet]:
        """The inlets that are open."""
        return {**self._stimulus.acquisition.inlets, **self._own.inlets}

    @property
    def any_data(self) -> bool:
        """Whether any of pulse, sound and picture is connected."""
        return self._stimulus.acquisition.any_data or self._own.any_data

    @property
    def n_bad_stamps(self) -> Mapping[Role, int]:
        """Samples left out since their stamp is NaN or infinite, of each stream that sent some."""
        return {**self._stimulus.acquisition.n_bad_stamps, **self._own.n_bad_stamps}

    def pull(self) -> tuple[list[Chunk], list[Event]]:
        """Take what this turn has of the stimulus, and what has arrived of the viewer's own."""
        chunks, events = self._own.pull()
        return [*self._stimulus.chunks, *chunks], [*self._stimulus.events, *events]
