"""A playlist: the clips of a session, what is asked about each, their blocks, and the rests between.

A TOML file; what it may hold is shown by ``rtasmr view --example-playlist``::

    sequence = [60, "asmr", 120, "nature", 60]  # seconds of rest, and names of blocks
    block_order = "balanced"

    [block.asmr]
    clips = ["rain", "brush"]

    [clip.rain]
    file = "rain.mp4"
    question = "tingling"
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from rtasmr.errors import ConfigError
from rtasmr.questions import ASKED, Question

Order = Literal["fixed", "balanced", "random"]
"""``fixed``: as written. ``balanced``: a row of a balanced Latin square. ``random``: drawn from the seed."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""Names of clips and blocks: they stand in markers, metadata and file names."""

MAX_SECONDS = 3600.0
MAX_ENTRIES = 200
_TOP = ("title", "sequence", "block_order", "clip_order", "seed", "begin_text", "end_text", "hint")
_TABLES = ("block", "clip")


@dataclass(frozen=True, slots=True)
class Clip:
    """A stimulus.

    Parameters
    ----------
    name : str
        As in the markers.
    file : Path
    question : Question
        What the person rates while it is shown.
    duration_s : float or None
        Show only so much; None shows all.
    """

    name: str
    file: Path
    question: Question = Question.NOT_STATED
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Clips that are shown one after the other; ``text`` stands on the screen ``text_s`` s before them."""

    name: str
    clips: tuple[str, ...]
    text: str = ""
    text_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Playlist:
    """What a playlist file says.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    sequence : tuple of float or str
        Seconds of rest, and names of blocks.
    clips, blocks : mapping of str
    block_order, clip_order : Order
        How the places of the blocks, and those of the clips within each block, go by participant.
    seed : int
        For orders that are ``random``.
    title, begin_text, end_text : str
        A session with a ``begin_text`` shows it and begins when the space bar is pressed.
    hints : mapping of Question to str
        What the rating hint says in place of the default.
    """

    name: str
    sequence: tuple[float | str, ...]
    clips: Mapping[str, Clip]
    blocks: Mapping[str, Block]
    block_order: Order = "fixed"
    clip_order: Order = "fixed"
    seed: int = 0
    title: str = ""
    begin_text: str = ""
    end_text: str = ""
    hints: Mapping[Question, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Playlist:
        """Read a playlist; files of clips are named relative to it.

        Raises
        ------
        ConfigError
            If the file cannot be read or is no playlist; the message names file and key.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"cannot read the playlist {path}: {reason}. Name a TOML file.") from error
        return cls.parse(text, path.name, path.parent)

    @classmethod
    def parse(cls, text: str, name: str = "playlist", folder: Path = Path()) -> Playlist:
        """Read a playlist from TOML text; clips lie in ``folder``.

        Raises
        ------
        ConfigError
            See `load`.
        """
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{name}: expected TOML, got an error: {error}. Correct it.") from error
        return _Reader(name, folder).playlist(content)

    @property
    def is_counterbalanced(self) -> bool:
        """Whether the order depends on the participant."""
        return {self.block_order, self.clip_order} != {"fixed"}

    @property
    def questions(self) -> dict[str, Question]:
        """What is asked, by clip."""
        return {name: clip.question for name, clip in self.clips.items()}


class _Reader:
    """Checks what a TOML file says, entry by entry."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder

    def playlist(self, content: dict[str, Any]) -> Playlist:
        self._no_others(content, (*_TOP, *_TABLES), "")
        clips = {key: self._clip(key, table) for key, table in self._tables(content, "clip").items()}
        blocks = {
            key: self._block(key, table, clips) for key, table in self._tables(content, "block").items()
        }
        hints = self._get(content, "hint", dict, "a table [hint]", {})
        return Playlist(
            name=self._name,
            sequence=self._sequence(content, blocks, clips),
            clips=clips,
            blocks=blocks,
            block_order=self._order(content, "block_order"),
            clip_order=self._order(content, "clip_order"),
            seed=self._seed(content),
            hints={self._question(key, f"hint.{key}"): self._text(hints, key, "hint.") for key in hints},
            **{key: self._text(content, key) for key in ("title", "begin_text", "end_text")},
        )

    def _fail(self, key: str, expected: str, got: object, remedy: str = "Correct it.") -> ConfigError:
        return ConfigError(f"{self._name}: expected {expected} for {key!r}, got {str(got)[:80]!r}. {remedy}")

    def _no_others(self, table: dict[str, Any], known: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in known:
                raise ConfigError(
                    f"{self._name}: expected the keys {', '.join(known)}, got {prefix + key!r}. "
                    "Remove or rename it."
                )

    def _get(self, table: dict[str, Any], key: str, kind: type, expected: str, default: Any) -> Any:
        value = table.get(key, default)
        if type(value) is not kind:
            raise self._fail(key, expected, value)
        return value

    def _text(self, table: dict[str, Any], key: str, prefix: str = "") -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self._fail(prefix + key, "text", value, "Put it in quotes.")
        return value

    def _tables(self, content: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
        tables = self._get(content, kind, dict, f"tables [{kind}.NAME]", {})
        if not 1 <= len(tables) <= MAX_ENTRIES:
            raise self._fail(kind, f"1 to {MAX_ENTRIES} tables [{kind}.NAME]", len(tables), "Add or remove.")
        for key, table in tables.items():
            if not NAME.fullmatch(key):
                raise self._fail(f"{kind}.{key}", "a name of letters, digits, _ and -", key, "Rename it.")
            if not isinstance(table, dict):
                raise self._fail(f"{kind}.{key}", f"a table [{kind}.{key}]", table)
        return dict(tables)

    def _clip(self, name: str, table: dict[str, Any]) -> Clip:
        where = f"clip.{name}."
        self._no_others(table, ("file", "question", "duration_s"), where)
        file = self._text(table, "file", where)
        if not file:
            raise self._fail(where + "file", "the name of a video or sound file", file)
        duration_s = None
        if "duration_s" in table:
            duration_s = self._seconds(table["duration_s"], where + "duration_s")
        question = self._question(table.get("question"), where + "question")
        return Clip(name, self._folder / file, question, duration_s)

    def _question(self, value: object, key: str) -> Question:
        if value not in ASKED:
            raise self._fail(key, " or ".join(map(repr, map(str, ASKED))), value)
        return Question(str(value))

    def _block(self, name: str, table: dict[str, Any], clips: Mapping[str, Clip]) -> Block:
        where = f"block.{name}."
        self._no_others(table, ("clips", "text", "text_s"), where)
        names = table.get("clips")
        if not isinstance(names, list) or not 1 <= len(names) <= MAX_ENTRIES:
            raise self._fail(where + "clips", "a list of clips", names)
        for clip in names:
            if clip not in clips:
                raise self._fail(where + "clips", f"some of {', '.join(clips)}", clip)
        if len(set(names)) < len(names):
            raise self._fail(where + "clips", "each clip once", ", ".join(names))
        text_s = self._seconds(table.get("text_s", 5.0), where + "text_s")
        return Block(name, tuple(names), self._text(table, "text", where), text_s)

    def _sequence(
        self, content: dict[str, Any], blocks: Mapping[str, Block], clips: Mapping[str, Clip]
    ) -> tuple[float | str, ...]:
        entries = content.get("sequence")
        if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_ENTRIES:
            raise self._fail("sequence", "a list of seconds of rest and blocks", entries)
        sequence: list[float | str] = []
        for entry in entries:
            if isinstance(entry, str):
                if entry not in blocks:
                    raise self._fail("sequence", f"seconds of rest or one of {', '.join(blocks)}", entry)
                sequence.append(entry)
            else:
                sequence.append(self._seconds(entry, "sequence"))
        used = [entry for entry in sequence if isinstance(entry, str)]
        if idle := next((name for name in blocks if name not in used), None):
            raise self._fail("sequence", f"the block {idle!r} to stand in it", "it left out", "Add it.")
        in_blocks = {name for block in blocks.values() for name in block.clips}
        if idle := next((name for name in clips if name not in in_blocks), None):
            raise self._fail(f"clip.{idle}", "a clip that stands in a block", "none", "Add or remove it.")
        return tuple(sequence)

    def _seconds(self, value: object, key: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and math.isfinite(float(str(value))) and 0 < float(str(value)) <= MAX_SECONDS):
            raise self._fail(key, f"seconds above 0, at most {MAX_SECONDS:g}", value)
        return float(str(value))

    def _order(self, content: dict[str, Any], key: str) -> Order:
        value = content.get(key, "fixed")
        if value not in get_args(Order):
            raise self._fail(key, f"one of {', '.join(get_args(Order))}", value)
        return value  # type: ignore[no-any-return]  # one of the literals by now

    def _seed(self, content: dict[str, Any]) -> int:
        seed = self._get(content, "seed", int, "a whole number", 0)
        if seed < 0:
            raise self._fail("seed", "a whole number, 0 or more", seed)
        return int(seed)
