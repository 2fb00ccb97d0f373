"""What a viewing shows, from the settings: one file, or the steps of a playlist for a participant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtasmr.errors import ConfigError, DataError
from rtasmr.player.config import PlayerConfig
from rtasmr.playlist import NAME, Clip, Playlist
from rtasmr.programme import Showing, programme_of
from rtasmr.questions import ASKED, Question, question_of
from rtasmr.timetable import Entry, timetable


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a viewing and what is known of them.

    Parameters
    ----------
    entries : tuple of Entry
    hints : mapping of Question to str
        Of the playlist.
    playlist : Playlist or None
        None for a single file.
    """

    entries: tuple[Entry, ...]
    hints: Mapping[Question, str] = field(default_factory=dict)
    playlist: Playlist | None = None

    @property
    def clips(self) -> tuple[Clip, ...]:
        """The clips, in the order in which they are shown, each once."""
        shown = (entry.step.clip for entry in self.entries if isinstance(entry.step, Showing))
        return tuple(dict.fromkeys(shown))

    @property
    def questions(self) -> dict[str, Question]:
        """What is asked, by clip; nothing of clips of which it is not stated."""
        return {clip.name: clip.question for clip in self.clips if clip.question in ASKED}

    @property
    def has_sound(self) -> bool:
        """Whether anything is to be heard."""
        return any(entry.media is not None and entry.media.has_sound for entry in self.entries)

    @property
    def has_picture(self) -> bool:
        """Whether anything but text is to be seen."""
        return any(entry.media is not None and entry.media.has_picture for entry in self.entries)

    def stimuli(self) -> dict[str, str]:
        """Return the metadata that names the files and their contents; reads all of them.

        Raises
        ------
        DataError
            If one cannot be read.
        """
        if self.playlist is None:
            (clip,) = self.clips
            return {"stimulus": clip.file.name, "stimulus_sha256": _digest(clip.file)}
        entries: dict[str, str] = {"playlist": self.playlist.name}
        for clip in self.clips:
            entries[f"stimulus.{clip.name}"] = clip.file.name
            entries[f"stimulus_sha256.{clip.name}"] = _digest(clip.file)
        return entries

    def describe(self, order_number: int | None) -> str:
        """Return the playlist in the order it was shown, as one line of JSON for a recording's header."""
        assert self.playlist is not None  # a single file has no order
        playlist = self.playlist
        return json.dumps(
            {
                "file": playlist.name,
                "title": playlist.title,
                "block_order": playlist.block_order,
                "clip_order": playlist.clip_order,
                "seed": playlist.seed,
                "order_number": order_number,
                "steps": [str(entry.step) for entry in self.entries],
                "questions": self.questions,
            },
            sort_keys=True,
        )


def plan_of(config: PlayerConfig) -> Plan:
    """Read what is to be shown, the headers of all its files included.

    Raises
    ------
    ConfigError
        If the playlist is none, or one of its files cannot be shown.
    DataError
        If a single file cannot be shown.
    """
    if config.is_playlist:
        playlist = Playlist.load(config.file)
        steps = programme_of(playlist, config.order_number)
        return Plan(timetable(steps, playlist.name), playlist.hints, playlist)
    question = config.question
    if question in ASKED and not NAME.fullmatch(config.label):
        raise ConfigError(
            f"expected a clip name of letters, digits, _ and - for --question, got {config.label!r}. "
            "Give it with --clip."
        )
    if question not in ASKED:
        question = question_of(config.label)
    clip = Clip(config.label, config.file, question, config.duration_s)
    return Plan(timetable((Showing(clip),)))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the file") from error
