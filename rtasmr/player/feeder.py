"""Publishes what the person hears and sees, when they hear and see it.

Everything that the player sends passes through here: `rtasmr-sound` and `rtasmr-picture`,
`rtasmr-clip`, `rtasmr-rating` and `rtasmr-rating-continuous`, all stamped by the one clock of the viewing.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Mapping

import numpy as np

from rtasmr.closing import Closing
from rtasmr.declared import REAL_SILENCE
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.player.clock import ClockLine
from rtasmr.player.schedule import Picture, shown_stamp
from rtasmr.player.seen import SeenPictures
from rtasmr.player.sound import Played
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import clip_spec, continuous_rating_spec, picture_spec, rating_spec, sound_spec
from rtasmr.types import StreamSpec

CONTINUOUS = "rating-continuous"
"""Key of the stream of continuous ratings among those of the player."""


def player_specs(
    source_id: str,
    desc: Mapping[str, str],
    *,
    sound: bool,
    picture: bool,
    rating: Mapping[str, str] | None = None,
    rated_with: str = "",
) -> dict[str, StreamSpec]:
    """Describe the streams of one viewing: ``clip``, ``rating`` and what the stimulus has.

    Parameters
    ----------
    source_id : str
        Common start of their identities.
    desc : mapping of str to str
        What all of them say of the viewing.
    sound, picture : bool
        Whether there is such a stream.
    rating : mapping of str to str, optional
        What the ratings say besides: what was asked.
    rated_with : str
        ``slider`` or ``gamepad`` where there is a stream of continuous ratings; empty where there is none.
    """
    rated = {**desc, **(rating or {})}
    specs = {
        "clip": clip_spec(source_id=f"{source_id}-clip", desc=desc),
        "rating": rating_spec(source_id=f"{source_id}-rating", desc=rated),
    }
    if rated_with:
        specs[CONTINUOUS] = continuous_rating_spec(
            source_id=f"{source_id}-{CONTINUOUS}", desc={**rated, "input": rated_with}
        )
    if sound:
        # A sound card runs by its own crystal, so its samples do not lie at exactly 44.1 kHz of the LSL
        # clock: the runtime has to follow the stamps.
        specs["sound"] = sound_spec(
            source_id=f"{source_id}-sound", desc={**desc, **REAL_SILENCE, "stamps": "fitted"}
        )
    if picture:
        specs["picture"] = picture_spec(source_id=f"{source_id}-picture", desc=desc)
    return specs


class Feeder(Closing):
    """The outlets of one viewing; use it as a context manager.

    Parameters
    ----------
    specs : mapping of str to StreamSpec
        As `player_specs` gives them.

    Attributes
    ----------
    worst_late_s : float
        How long after its stamp the latest packet of sound left, in seconds.
    """

    def __init__(self, specs: Mapping[str, StreamSpec]) -> None:
        self._outlets = {key: Outlet(spec) for key, spec in specs.items()}
        self._to_be_heard: deque[Played] = deque()
        self._shown: queue.SimpleQueue[tuple[float, Picture]] = queue.SimpleQueue()
        self._seen = SeenPictures()
        self.worst_late_s = 0.0

    def close(self) -> None:
        """Withdraw all streams."""
        for outlet in self._outlets.values():
            outlet.close()

    def n_taken(self) -> int:
        """Return how many of the streams somebody takes."""
        return sum(outlet.have_consumers() for outlet in self._outlets.values())

    @property
    def n_streams(self) -> int:
        """Number of streams."""
        return len(self._outlets)

    def marker(self, stream: str, text: str, time_s: float) -> None:
        """Publish one marker on ``clip`` or ``rating``, stamped in LSL seconds; any thread may."""
        self._outlets[stream].push_marker(text, time_s)

    def slid(self, value: float, time_s: float) -> None:
        """Publish a continuous rating, 0 to 3, stamped in LSL seconds; any thread may."""
        self._outlets[CONTINUOUS].push_at(np.array([[value]], dtype=np.float32), np.array([time_s]))

    def played(self, played: Played) -> None:
        """Take samples that were handed to the card; they are published when they are heard."""
        if "sound" in self._outlets:
            self._to_be_heard.append(played)

    def drop_sound(self) -> None:
        """Withdraw the sound stream: nothing is heard any more."""
        self._to_be_heard.clear()
        if "sound" in self._outlets:
            self._outlets.pop("sound").close()

    def shown(self, picture: Picture, due_time_s: float, shown_time_s: float) -> None:
        """Take a picture that came on the screen, with both LSL times in seconds; any thread may."""
        self._shown.put((shown_stamp(due_time_s, shown_time_s), picture))

    def blank(self, time_s: float) -> None:
        """Take note that the picture has left the screen, at an LSL time in seconds."""
        self._take_shown()
        self._seen.blank(time_s)

    def cover(self, is_covered: bool, time_s: float) -> None:
        """Take note that a black screen hides the picture from an LSL time on, or does so no longer."""
        self._take_shown()
        self._seen.cover(is_covered, time_s)

    def publish(self, now_s: float, card: ClockLine | None) -> None:
        """Publish what is heard and seen by ``now_s`` (LSL seconds).

        Parameters
        ----------
        now_s : float
        card : ClockLine or None
            The sound card's clock; None without sound.
        """
        if card is not None:
            self._publish_sound(now_s, card)
        self._take_shown()
        for time_s, picture in self._seen.take(now_s):
            if "picture" in self._outlets:
                self._outlets["picture"].push_at(picture[np.newaxis], np.array([time_s]))

    def _publish_sound(self, now_s: float, card: ClockLine) -> None:
        while self._to_be_heard:
            played = self._to_be_heard[0]
            last_time_s = card.time_of((played.first + len(played.mono) - 1) / SOUND_SFREQ)
            if last_time_s > now_s:
                return
            self._to_be_heard.popleft()
            self._outlets["sound"].push(played.mono, last_time_s)
            self.worst_late_s = max(self.worst_late_s, now_s - last_time_s)

    def _take_shown(self) -> None:
        while not self._shown.empty():
            time_s, picture = self._shown.get()
            self._seen.show(picture.encoded, time_s)
