r"""What the markers of other programs mean: their texts to ``clip_start``, ``clip_end`` and ``rating``.

A map is a TOML file of two tables, both optional, from a foreign text to one of ours::

    [exact]
    "movie 3 on" = "clip_start vid3"
    "32" = "rating=1"

    [regex]
    'video_(?P<clip>\w+)_onset' = 'clip_start \g<clip>'

An exact text goes before the expressions; of these the first one in the file that matches the whole text
counts, and ``\1`` or ``\g<name>`` stands for what its groups found. Texts that are ours need no entry.

The expressions are RE2's (https://github.com/google/re2/wiki/Syntax): no references and no look-around in
them, and a match takes time in proportion to the text. Markers come from strangers while a run is going
on, and Python's own expressions can take hours on 34 letters and let no other thread or signal through.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import re2

from rtasmr.errors import ConfigError
from rtasmr.types import Role

MAX_MARKER_CHARS = 1000
"""Longer markers are unknown: no program sends them."""

_TABLES = ("exact", "regex")
_RATING = re.compile(r"rating=[0-3]")
_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_CLIP = re.compile(rf"clip_(start|skipped) {_NAME}|clip_end( {_NAME})?|(rest|pause)_(start|end)")
_NAMED = re.compile(r"clip_(start|end|skipped) (?P<name>.+)", re.DOTALL)
NAME_WORDS = "letters, digits, '.', '_' and '-', at most 64, and begins with a letter or digit"
"""What the name of a clip consists of."""
_OURS = (
    "'clip_start NAME', 'clip_end NAME' (or 'clip_end' alone), 'rest_start', 'rest_end', 'pause_start', "
    "'pause_end' or 'rating=0' to 'rating=3'"
)
_BEGINNINGS = ("clip_start ", "clip_end ", "rating=")
_GROUP = re.compile(r"\\(?:[1-9][0-9]?|g<\w+>)")  # a reference in a template


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # an error of the user's is told in one line, by us
    return options


_OPTIONS = _quiet()


@dataclass(frozen=True, slots=True)
class MarkerMap:
    """Translation of marker texts; the empty map knows our own texts only.

    Parameters
    ----------
    exact : mapping of str to str
        Foreign text to ours.
    patterns : tuple of (RE2 pattern, str)
        Compiled expressions, each with the template of our text.
    """

    exact: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[tuple[Any, str], ...] = ()

    @classmethod
    def load(cls, path: Path) -> MarkerMap:
        """Read a map from a TOML file.

        Raises
        ------
        ConfigError
            If the file cannot be read or is no map.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise ConfigError(f"cannot read the marker map {path}: {reason}. Name a TOML file.") from error
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, name: str = "marker map") -> MarkerMap:
        """Read a map from TOML text.

        Parameters
        ----------
        text : str
        name : str
            What messages call it.

        Raises
        ------
        ConfigError
            If the text is no TOML, has an unknown table, no entry at all, an entry that is no text, an
            expression that is none, or one that leads to no marker of ours.
        """
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{name}: expected TOML, got an error: {error}. Correct it.") from error
        tables = {table: _entries(content.pop(table, {}), table, name) for table in _TABLES}
        if content:
            raise ConfigError(
                f"{name}: expected the tables [exact] and [regex] only, got {next(iter(content))!r}. "
                "Remove it or put it into one of them."
            )
        if not any(tables.values()):
            raise ConfigError(f"{name}: expected entries in [exact] or [regex], got none. Add some.")
        for foreign, ours in tables["exact"].items():
            if meaning(ours) is None:
                raise ConfigError(f"{name}: expected {_OURS} for {foreign!r}, got {ours!r}. Correct it.")
        patterns = tuple(_pattern(entry, template, name) for entry, template in tables["regex"].items())
        return cls(tables["exact"], patterns)

    @property
    def rates(self) -> bool:
        """Whether any entry leads to a rating."""
        templates = (*self.exact.values(), *(template for _, template in self.patterns))
        return any(template.startswith("rating=") for template in templates)

    def translate(self, text: str) -> str | None:
        """Return our text for a foreign one, or None if it means nothing to us."""
        ours = self._target(text)
        return ours if meaning(ours) is not None else None

    def bad_name(self, text: str) -> str:
        """Return the name of the clip that a text leads to, if a clip can not have it; else nothing."""
        ours = self._target(text)
        named = _NAMED.fullmatch(ours)
        return named["name"] if named is not None and meaning(ours) is None else ""

    def _target(self, text: str) -> str:
        """Return what a text leads to, ours or not; itself where the map says nothing of it."""
        if len(text) > MAX_MARKER_CHARS:
            return ""
        if text in self.exact:
            return self.exact[text]
        for pattern, template in self.patterns:
            if match := pattern.fullmatch(text):
                expanded: str = match.expand(template)
                return expanded
        return text


def meaning(text: str) -> Role | None:
    """Return which of our marker streams a text belongs to; None if it is not one of ours."""
    if _CLIP.fullmatch(text):
        return Role.CLIP
    return Role.RATING if _RATING.fullmatch(text) else None


def _entries(table: Any, title: str, name: str) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ConfigError(f"{name}: expected a table [{title}], got {table!r}. Write [{title}] above it.")
    for key, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(
                f"{name}: expected text for {key!r} in [{title}], got {value!r}. Put it in quotes."
            )
    return table


def _pattern(entry: str, template: str, name: str) -> tuple[Any, str]:
    try:
        pattern = re2.compile(entry, _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", errors="replace")
        raise ConfigError(
            f"{name}: expected a regular expression as RE2 has them, without look-around and references, "
            f"got {entry!r} ({reason}). Correct it."
        ) from error
    known = {*pattern.groupindex, *map(str, range(pattern.groups + 1))}
    for reference in _GROUP.findall(template):
        if reference.lstrip("\\").removeprefix("g").strip("<>") not in known:
            raise ConfigError(
                f"{name}: expected groups of {entry!r} in {template!r}, got {reference}. Correct it."
            )
    if "\\" in _GROUP.sub("", template):
        raise ConfigError(
            f"{name}: expected no backslash but in \\1 or \\g<name> for {entry!r}, got {template!r}. "
            "Correct it."
        )
    is_one = template.startswith(_BEGINNINGS) if "\\" in template else meaning(template) is not None
    if not is_one:
        raise ConfigError(f"{name}: expected {_OURS} for {entry!r}, got {template!r}. Correct it.")
    return pattern, template
