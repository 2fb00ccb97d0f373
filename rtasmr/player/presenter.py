"""One viewing from its first to its last moment: what runs behind the stimulus window."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import pylsl

from rtasmr import media
from rtasmr.errors import DataError
from rtasmr.latency import Durations
from rtasmr.player.clock import ClockLine
from rtasmr.player.config import PlayerConfig
from rtasmr.player.decoding import pictures_ahead
from rtasmr.player.feeder import Feeder, player_specs
from rtasmr.player.schedule import LATE_S, CatchUp, Picture, PictureSchedule
from rtasmr.player.sound import SoundDeviceError
from rtasmr.player.soundtrack import SoundTrack
from rtasmr.sources.pacing import CONSUMER_MARGIN_S, DRAIN_S
from rtasmr.sources.prefetch import Prefetch
from rtasmr.types import StreamSpec

TURN_S = 0.005
LINGER_S = 0.3
"""Streams stay open after the account, so that the runtime has ended before it could miss them."""

LEAD_S = 1.0
"""Black screen and silence before the clip: the decoders get ahead and everybody sees the start come."""

PICTURES_WAITING = 6
EARLY_END_S = 2.0
"""A file whose tracks end this long before its header says is taken to end there."""


class Presenter:
    """Plays the sound, offers the pictures that are due, and publishes both.

    The window asks `due_picture` and reports with `picture_shown`; everything else happens in `run`, on
    a thread of its own.

    Parameters
    ----------
    config : PlayerConfig
    say : callable
        Takes lines for people.
    tell : callable
        Takes ``{"streams": {role: source_id}}`` when these are open, and ``{"account": ...}`` at the
        end, shortly before they close.

    Attributes
    ----------
    ended : threading.Event
        Set when the viewing is over, also by an error.
    is_over : bool
        The clip has been shown; only black and silence follow.

    Raises
    ------
    DataError
        If the file is missing or cannot be played at all.
    """

    def __init__(
        self, config: PlayerConfig, say: Callable[[str], None], tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self.info = media.probe(config.file)
        self.ended = threading.Event()
        self.is_over = False
        self._config = config
        self._say = say
        self._tell = tell
        self._stopping = threading.Event()
        self._end_s = min(self.info.duration_s, config.duration_s or np.inf)
        self._schedule = PictureSchedule()
        self._catch_up = CatchUp()
        self._pictures: Prefetch[Picture] | None = None
        self._picture_end_s = 0.0
        self._lateness = Durations()
        self._n_shown = 0
        self._n_late = 0
        self._sound: SoundTrack | None = None
        self._sound_account: dict[str, Any] | None = None
        self._feeder: Feeder | None = None
        self._line: ClockLine | None = None

    # What the window calls, on its own thread.

    def due_picture(self) -> tuple[Picture, float] | None:
        """Return the picture to show now with the LSL time at which it was due; None to leave it."""
        line = self._line
        if line is None:
            return None
        picture = self._schedule.take_due(self._position_at(line, pylsl.local_clock()))
        return None if picture is None else (picture, line.time_of(picture.position_s))

    def wait_s(self) -> float:
        """Return the seconds until the next picture is due; a short time where none is known."""
        line, next_s = self._line, self._schedule.next_due_s
        if line is None or next_s is None:
            return TURN_S
        return max(0.0, line.time_of(next_s) - float(pylsl.local_clock()))

    def picture_shown(self, picture: Picture, due_time_s: float) -> None:
        """Take note that a picture is on the screen."""
        now_s = pylsl.local_clock()
        self._lateness.add(now_s - due_time_s)
        self._n_shown += 1
        self._n_late += now_s - due_time_s > LATE_S
        if self._feeder is not None:
            self._feeder.shown(picture, due_time_s, now_s)

    def rate(self, rating: int, time_s: float) -> None:
        """Publish a rating 0 to 3, given at ``time_s`` (LSL seconds)."""
        if self._feeder is not None:
            self._feeder.marker("rating", f"rating={rating}", time_s)

    def stop(self) -> None:
        """End the viewing now, in order."""
        self._stopping.set()

    # The viewing.

    def run(self) -> None:
        """Show the file, until its end or `stop`."""
        try:
            with ExitStack() as stack:
                self._present(stack)
        finally:
            self.ended.set()

    def _present(self, stack: ExitStack) -> None:
        if self.info.has_picture:
            self._pictures = stack.enter_context(pictures_ahead(self._config.file, self.info, self._skips))
        self._open_sound(stack)
        if self._stopping.is_set():
            return
        specs = self._specs()
        feeder = self._feeder = stack.enter_context(Feeder(specs))
        self._tell({"streams": {role: spec.source_id for role, spec in specs.items()}})
        if not self._config.hold or self._wait_for_consumers(feeder):
            self._play(feeder)
        self._tell({"account": self._account(feeder)})
        self._turn_until(feeder, pylsl.local_clock() + LINGER_S)

    def _skips(self, position_s: float) -> bool:
        line = self._line
        now_s = -np.inf if line is None else line.position_at(pylsl.local_clock())
        return self._catch_up.skips(position_s, now_s)

    def _open_sound(self, stack: ExitStack) -> None:
        """Start the card with silence and learn its clock; without a card, go on without sound."""
        config = self._config
        if not self.info.has_sound:
            self._say(f"{config.file.name} has no sound; its pictures follow the computer's clock")
            return
        try:
            sound = stack.enter_context(SoundTrack(config.file, config.sound_device, config.delay_ms / 1000))
            sound.start(self._stopping)
        except SoundDeviceError as error:
            self._say(f"{error}. Going on without sound")
        else:
            self._sound = sound

    def _specs(self) -> Mapping[str, StreamSpec]:
        config = self._config
        with config.file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        desc = {
            "stimulus": config.file.name,
            "stimulus_sha256": digest,
            "delay_ms": f"{config.delay_ms:g}",
            "master_clock": "monotonic" if self._sound is None else "sound card",
            **({} if self._sound is None else self._sound.describe()),
        }
        return player_specs(
            config.identity, desc, sound=self._sound is not None, picture=self.info.has_picture
        )

    def _wait_for_consumers(self, feeder: Feeder) -> bool:
        """Wait until every stream is taken, or one and no further; False if asked to stop before."""
        first_s: float | None = None
        while not self._stopping.wait(TURN_S):
            self._turn(feeder)
            n_taken, now_s = feeder.n_taken(), pylsl.local_clock()
            if first_s is None and n_taken:
                first_s = now_s
            if n_taken == feeder.n_streams or (first_s is not None and now_s - first_s > CONSUMER_MARGIN_S):
                return True
        return False

    def _play(self, feeder: Feeder) -> None:
        label = self._config.label
        begin_s = pylsl.local_clock() + LEAD_S
        if self._sound is not None:
            self._sound.cue(begin_s)
        line = self._line = ClockLine(0.0, begin_s) if self._sound is None else self._sound.line
        position_s = -LEAD_S
        started = False
        while position_s < self._end(position_s):
            self._decode(position_s)
            now_s = self._turn(feeder)
            if self._sound is not None:
                line = self._line = self._sound.line
            position_s = self._position_at(line, now_s)
            if not started and position_s >= 0:
                started = True
                feeder.marker("clip", f"clip_start {label}", line.time_of(0.0))
            if self._stopping.wait(TURN_S):
                self._end_s = min(self._end_s, position_s)
        self._line = None
        self.is_over = True
        if self._sound is not None:
            self._sound.silence()
        feeder.blank()
        if started:
            feeder.marker("clip", f"clip_end {label}", line.time_of(self._end_s))
        # Silence and a black screen go on for a moment: the last ticks of the clip need what follows.
        self._turn_until(feeder, pylsl.local_clock() + DRAIN_S)

    def _position_at(self, line: ClockLine, now_s: float) -> float:
        """Return what of the file is heard now; while the card stands still, so does the picture."""
        sound = self._sound
        position_s = line.position_at(now_s)
        return position_s if sound is None else min(position_s, sound.handed_s)

    def _turn_until(self, feeder: Feeder, time_s: float) -> None:
        pause = threading.Event()
        while pylsl.local_clock() < time_s:
            self._turn(feeder)
            pause.wait(TURN_S)

    def _turn(self, feeder: Feeder) -> float:
        """Listen to the card and publish what is heard and seen; return the LSL time."""
        if self._sound is not None:
            for played in self._sound.listen():
                feeder.played(played)
            if not self._sound.is_alive:
                self._say("the sound device is gone; going on without sound")
                self._sound_account = self._sound.account()
                self._sound = None
                feeder.drop_sound()
        now_s = float(pylsl.local_clock())
        # Where the card has just paused, it is not yet known when what it was given is heard.
        known = self._sound is not None and not self._sound.in_doubt
        feeder.publish(now_s, self._sound.card if self._sound is not None and known else None)
        return now_s

    def _decode(self, position_s: float) -> None:
        """Hand on what was decoded: about a second of sound, some pictures."""
        if self._sound is not None:
            try:
                self._sound.decode(position_s, self._end_s)
            except DataError as error:
                self._say(f"the sound is damaged after {self._sound.end_s:.1f} s and ends there: {error}")
        if self._pictures is None:
            return
        try:
            while len(self._schedule) < PICTURES_WAITING and self._pictures.is_ready:
                picture = next(self._pictures)
                self._picture_end_s = picture.position_s
                if picture.position_s < self._end_s:
                    self._schedule.push(picture)
        except StopIteration:
            self._pictures = None
        except DataError as error:
            self._pictures = None
            self._say(f"the picture is damaged after {self._picture_end_s:.1f} s: {error}")

    def _end(self, position_s: float) -> float:
        """Return where the clip ends; earlier than announced where both tracks have ended long before."""
        sound_is_over = self._sound is None or self._sound.is_decoded
        if sound_is_over and self._pictures is None and not self._schedule:
            content_end_s = max(0.0 if self._sound is None else self._sound.end_s, self._picture_end_s)
            if content_end_s < self._end_s - EARLY_END_S:
                self._say(f"the file ends at {content_end_s:.1f} s, its header says {self._end_s:.1f} s")
                self._end_s = max(content_end_s, position_s)
        return self._end_s

    def _account(self, feeder: Feeder) -> dict[str, Any]:
        """Return what was shown and heard, and how exactly."""
        return {
            "clip": self._config.label,
            "seconds": round(max(self._end_s, 0.0), 3),
            "pictures": self._n_shown,
            "pictures_dropped": self._schedule.n_dropped + self._catch_up.n_skipped,
            "pictures_late": self._n_late,
            "picture_lateness_ms": self._lateness.percentiles().as_dict(),
            "delay_ms": self._config.delay_ms,
            "published_late_ms": round(1000 * feeder.worst_late_s, 1),
            "sound": self._sound_account if self._sound is None else self._sound.account(),
        }
