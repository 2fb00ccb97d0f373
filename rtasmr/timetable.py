"""When what of a session comes: a programme with the lengths that the headers of its files tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtasmr.errors import ConfigError, DataError
from rtasmr.media import MediaInfo, probe
from rtasmr.playlist import Clip
from rtasmr.programme import Notice, Rest, Showing, Step

LEAD_S = 1.0
"""Black screen and silence before a clip: the decoders get ahead and everybody sees the start come."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step with its place in the session.

    Parameters
    ----------
    start_s : float
        Seconds since the session's start; waits for the space bar count as nothing.
    seconds : float
        How long it takes, the black screen before a clip included.
    step : Step
    media : MediaInfo or None
        Of a clip's file.
    """

    start_s: float
    seconds: float
    step: Step
    media: MediaInfo | None = None

    def __str__(self) -> str:
        words = [f"{clock(self.start_s):>8}  {self.seconds:7.1f} s  {self.step}"]
        if isinstance(self.step, Showing):
            clip = self.step.clip
            words.append(f"{clip.file.name}: {clip.question}, {_content(self.media)}")
        elif isinstance(self.step, Notice):
            words.append(repr(self.step.text[:60]))
        return "  ".join(words)


def timetable(steps: Sequence[Step], source: str = "") -> tuple[Entry, ...]:
    """Read the header of every clip and return when each step comes.

    Parameters
    ----------
    steps : sequence of Step
    source : str
        Name of the playlist, for messages; empty for a single file.

    Raises
    ------
    ConfigError
        If a clip of a playlist cannot be read; the message names the playlist and the key.
    DataError
        If a single file cannot be read.
    """
    entries: list[Entry] = []
    known: dict[Clip, MediaInfo] = {}
    start_s = 0.0
    for step in steps:
        if isinstance(step, Showing):
            if step.clip not in known:
                known[step.clip] = _probe(step.clip, source)
            info = known[step.clip]
            entry = Entry(start_s, LEAD_S + shown_s(step.clip, info), step, info)
        else:
            entry = Entry(start_s, step.seconds or 0.0, step)
        entries.append(entry)
        start_s += entry.seconds
    return tuple(entries)


def shown_s(clip: Clip, info: MediaInfo) -> float:
    """Return how many seconds of a clip are shown."""
    return info.duration_s if clip.duration_s is None else min(info.duration_s, clip.duration_s)


def clock(seconds: float) -> str:
    """Return seconds as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _probe(clip: Clip, source: str) -> MediaInfo:
    try:
        info = probe(clip.file)
        if info.has_picture and not (info.width and info.height):
            raise DataError(f"{clip.file}: expected pictures of known size, found none; save the file again")
        return info
    except DataError as error:
        if not source:
            raise
        raise ConfigError(f"{source}: clip.{clip.name}.file: {error}") from error


def _content(info: MediaInfo | None) -> str:
    assert info is not None  # a clip's entry has it
    picture = f"{info.width}x{info.height} at {info.fps:g}/s" if info.has_picture else "no picture"
    return f"{picture}, {'sound' if info.has_sound else 'NO SOUND'}"


def lines_of(entries: Sequence[Entry]) -> list[str]:
    """Return the timetable for people, a line per step and the sum."""
    n_clips = sum(isinstance(entry.step, Showing) for entry in entries)
    rest_s = sum(entry.seconds for entry in entries if isinstance(entry.step, Rest))
    total_s = sum(entry.seconds for entry in entries)
    return [
        *(str(entry) for entry in entries),
        f"{clock(total_s):>8}  in all: {n_clips} clip{'s' * (n_clips != 1)}, {clock(rest_s)} of rest",
    ]
