"""What the person was asked to rate during a clip: ratings of anything but tingling are no tingle labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS, StreamSpec

_KEY = "question."


class Question(StrEnum):
    """What the person was asked to rate. Only ratings of tingling say anything about a tingle."""

    TINGLING = "tingling"
    PLEASANTNESS = "pleasantness"
    NOT_STATED = "not stated"


ASKED = (Question.TINGLING, Question.PLEASANTNESS)
"""What may be asked."""


def question_of(clip: str, stated: Mapping[str, Question] | None = None) -> Question:
    """Return what was asked during a clip: as stated, else as its name tells.

    The names of the published protocol tell it; of others nothing is known.
    """
    if stated is not None and clip in stated:
        return stated[clip]
    if clip in ASMR_VIDEOS:
        return Question.TINGLING
    return Question.PLEASANTNESS if clip in NATURE_VIDEOS else Question.NOT_STATED


def question_entries(questions: Mapping[str, Question]) -> dict[str, str]:
    """Return the metadata ``question.CLIP`` that a rating stream carries."""
    return {_KEY + clip: question.value for clip, question in questions.items()}


def stated_questions(desc: Mapping[str, str]) -> dict[str, Question]:
    """Return what a rating stream's metadata says was asked, by clip.

    A text that is no question of ours counts as not stated: it surely did not ask for tingling.
    """
    known = {question.value: question for question in ASKED}
    return {
        key.removeprefix(_KEY): known.get(text, Question.NOT_STATED)
        for key, text in desc.items()
        if key.startswith(_KEY)
    }


def questions_of(streams: Iterable[StreamSpec]) -> dict[str, Question]:
    """Return what the marker streams of a recording say was asked, by clip."""
    return {
        clip: question
        for spec in streams
        if spec.stype == "Markers"
        for clip, question in stated_questions(spec.desc).items()
    }
