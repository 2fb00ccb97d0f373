"""One clip on its way to screen and card: decoders, what is due, and how it went."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from rtasmr.errors import DataError
from rtasmr.latency import Durations
from rtasmr.media import MediaInfo
from rtasmr.player.decoding import pictures_ahead
from rtasmr.player.schedule import LATE_S, CatchUp, Picture, PictureSchedule
from rtasmr.player.soundtrack import SoundTrack
from rtasmr.playlist import Clip
from rtasmr.sources.prefetch import Prefetch
from rtasmr.timetable import shown_s

PICTURES_WAITING = 6
EARLY_END_S = 2.0
"""A file whose tracks end this long before its header says is taken to end there."""


class ClipShowing:
    """One showing of a clip; use it as a context manager. Positions are seconds of the file.

    Parameters
    ----------
    clip : Clip
    info : MediaInfo
    track : SoundTrack or None
        None where there is nothing to be heard.
    position : callable
        Returns the position of now, before the clip a negative one; called on several threads.
    say : callable
        Takes lines for people.

    Attributes
    ----------
    end_s : float
        Where the clip ends; earlier than announced where it breaks off.
    track : SoundTrack or None
    trouble : str
        What the decoder said last; empty while all goes well.
    """

    def __init__(
        self,
        clip: Clip,
        info: MediaInfo,
        track: SoundTrack | None,
        position: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self.clip = clip
        self.track = track
        self.trouble = ""
        self.end_s = shown_s(clip, info)
        self._position = position
        self._say = say
        self._schedule = PictureSchedule()
        self._catch_up = CatchUp()
        self._picture_end_s = 0.0
        self._lateness = Durations()
        self._n_shown = 0
        self._n_late = 0
        self._pictures: Prefetch[Picture] | None = None
        if info.has_picture:
            self._pictures = pictures_ahead(clip.file, info, self._skips)

    def __enter__(self) -> ClipShowing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pictures is not None:
            self._pictures.close()

    def _skips(self, position_s: float) -> bool:
        return self._catch_up.skips(position_s, self._position())

    @property
    def next_due_s(self) -> float | None:
        """Position at which the next picture is due; None if none is known."""
        return self._schedule.next_due_s

    def take_due(self) -> Picture | None:
        """Return the picture to show now; None to leave the screen as it is."""
        return self._schedule.take_due(self._position())

    def note_shown(self, late_s: float) -> None:
        """Take note that a picture came on the screen ``late_s`` seconds after it was due."""
        self._lateness.add(late_s)
        self._n_shown += 1
        self._n_late += late_s > LATE_S

    def decode(self, position_s: float) -> None:
        """Hand on what was decoded: about a second of sound, some pictures."""
        if self.track is not None:
            try:
                self.track.decode(position_s, self.end_s)
            except DataError as error:
                self.trouble = str(error)
                if self.track.end_s > 0:
                    self._say(f"the sound is damaged after {self.track.end_s:.1f} s and ends there: {error}")
        if self._pictures is None:
            return
        try:
            while len(self._schedule) < PICTURES_WAITING and self._pictures.is_ready:
                picture = next(self._pictures)
                self._picture_end_s = picture.position_s
                if picture.position_s < self.end_s:
                    self._schedule.push(picture)
        except StopIteration:
            self._end_pictures()
        except DataError as error:
            self._end_pictures()
            self.trouble = str(error)
            if self._picture_end_s > 0:
                self._say(f"the picture is damaged after {self._picture_end_s:.1f} s: {error}")

    def _end_pictures(self) -> None:
        if self._pictures is not None:
            self._pictures.close()
        self._pictures = None

    def find_end(self, position_s: float) -> float:
        """Return where the clip ends; earlier than announced where both tracks have ended long before."""
        sound_is_over = self.track is None or self.track.is_decoded
        if sound_is_over and self._pictures is None and not self._schedule:
            content_end_s = max(0.0 if self.track is None else self.track.end_s, self._picture_end_s)
            if content_end_s < self.end_s - EARLY_END_S:
                self._say(f"the file ends at {content_end_s:.1f} s, its header says {self.end_s:.1f} s")
                self.end_s = max(content_end_s, position_s)
        return self.end_s

    @property
    def has_content(self) -> bool:
        """Whether anything of the file was decoded, or still may be."""
        is_open = self._pictures is not None or (self.track is not None and not self.track.is_decoded)
        heard_s = 0.0 if self.track is None else self.track.end_s
        return is_open or bool(self._schedule) or self._n_shown > 0 or heard_s > 0.0

    def account(self, *, seconds: float, was_skipped: bool) -> dict[str, Any]:
        """Return what was shown, of which ``seconds`` were, and how exactly."""
        return {
            "clip": self.clip.name,
            "seconds": round(max(seconds, 0.0), 3),
            "skipped": was_skipped,
            "pictures": self._n_shown,
            "pictures_dropped": self._schedule.n_dropped + self._catch_up.n_skipped,
            "pictures_late": self._n_late,
            "picture_lateness_ms": self._lateness.percentiles().as_dict(),
        }
