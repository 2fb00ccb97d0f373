"""The rating hint as it is drawn: the question, and what each key stands for. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEYS = ("1", "2", "3", "4")
_KEY = re.compile(r"(?<!\S)[1-4]\b(?![.-]?\d)")
"""A key at the beginning of a word: ``1``, ``1:`` and ``1=none``, not ``1-4``."""

_SEPARATORS = " ,;|/"


@dataclass(frozen=True, slots=True)
class Hint:
    """A rating hint in parts.

    Parameters
    ----------
    question : str
        What stands before the keys.
    levels : tuple of str
        Each of the four keys with what it stands for, of level 0 to 3.
    """

    question: str
    levels: tuple[str, ...]


def read_hint(text: str) -> Hint:
    """Take a hint apart; one that does not name the keys 1 to 4 once each, in order, is followed by them.

    Whoever wrote the playlist may have put it in words of their own.
    """
    text = " ".join(text.split())
    keys = list(_KEY.finditer(text))
    if tuple(key.group() for key in keys) != _KEYS:
        return Hint(text, _KEYS)
    begins = [key.start() for key in keys]
    ends = [*begins[1:], len(text)]
    levels = (text[begin:end].strip(_SEPARATORS) for begin, end in zip(begins, ends, strict=True))
    return Hint(text[: begins[0]].strip(), tuple(levels))
