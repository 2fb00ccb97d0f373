"""Plain text as a printed page writes it: true minus and plus-minus signs, spaces that do not break."""

from __future__ import annotations

import re

MINUS = "\N{MINUS SIGN}"
_NEGATIVE = re.compile(r"(?<![\w.-])-(?=\.?\d)")
"""A hyphen before a number that is no part of a word, a range or a date."""

_RELATION = re.compile(r"\b([prtd]) ([=<]) (?=\S)")
_THOUSANDS = re.compile(r"(?<=\d) (?=000\b)")
_COUNT = re.compile(r"(?<![\w.,/-])[1-9]\d{4,6}(?![\w-]|\.\w)")
"""A whole number of five or more digits that is no part of a file's name, a date or a decimal number."""


def typeset(text: str) -> str:
    """Return a text with true signs before its numbers, thousands apart, no line break in ``p = 0.0454``.

    Results, tables and the terminal hold plain ASCII, which every reader and every console takes.
    """
    text = _NEGATIVE.sub(MINUS, text.replace("+-", "\N{PLUS-MINUS SIGN}"))
    text = _COUNT.sub(lambda found: f"{int(found[0]):,}".replace(",", "\N{NARROW NO-BREAK SPACE}"), text)
    text = _THOUSANDS.sub("\N{NARROW NO-BREAK SPACE}", text)
    return _RELATION.sub("\\1\N{NO-BREAK SPACE}\\2\N{NO-BREAK SPACE}", text)
