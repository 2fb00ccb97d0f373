"""Numbers and foreign text as words."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from rtasmr.questions import Question
from rtasmr.types import Role

DASH = "\N{EN DASH}"
"""Stands for a number that there is not."""

_OF_A_PERSON = {Role.PPG: "pulse", Role.RATING: "rating", Role.SOUND: "sound", Role.PICTURE: "picture"}
"""What people take for somebody's, or for what somebody saw and heard."""


def number(value: float, form: str) -> str:
    """Return ``value`` in ``form``, or a dash where it is not finite."""
    return form.format(value) if math.isfinite(value) else DASH


def clock_text(seconds: float) -> str:
    """Return ``83.4`` as ``1:23``."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}" if hours else f"{rest // 60}"
    return f"{f'{hours}:' if hours else ''}{minutes}:{rest % 60:02d}"


def simulated_words(roles: Collection[Role]) -> str:
    """Return what must be told where streams of these roles say that they are simulated; empty for none."""
    names = [name for role, name in _OF_A_PERSON.items() if role in roles]
    if not names:
        return ""
    return f"simulated {', '.join(names)}: say{'s' * (len(names) == 1)} nothing about a person"


def rating_words(question: Question) -> str:
    """Return what a rating is of: only one of tingling says anything about a tingle."""
    return "own rating" if question is Question.NOT_STATED else f"own rating of {question}"


def rating_axis_words(questions: Sequence[Question]) -> str:
    """Return what the scale of ratings of several clips tells; see `rating_words`."""
    if len(questions) == 1:
        return rating_words(questions[0])
    if Question.NOT_STATED in questions or not questions:
        return rating_words(Question.NOT_STATED)
    return f"own rating: {', '.join(questions)}"


HOW_TO_KEEP = "'rtasmr repair' makes a whole file of it, 'rtasmr report' its page."
"""What becomes of an unfinished recording."""


def clean(text: str, n_max: int = 300) -> str:
    """Return foreign text on one line, without control characters and no longer than ``n_max``."""
    # Nearly every text is printable, and a window asks a hundred times a second.
    flat = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return flat if len(flat) <= n_max else flat[: n_max - 1] + "\N{HORIZONTAL ELLIPSIS}"
