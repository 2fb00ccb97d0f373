"""What stands on the participant's screen, apart from the picture of a clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rtasmr.questions import Question

DEFAULT_HINTS: Mapping[Question, str] = {
    Question.TINGLING: "Tingling:   1 none   2 weak   3 moderate   4 strong",
    Question.PLEASANTNESS: "Pleasant:   1 not   2 slightly   3 moderately   4 very",
    Question.NOT_STATED: "Rating:   1 none   2 weak   3 moderate   4 strong",
}


ESTIMATE_RUNS = "estimate running"
"""What the person is told of the estimate, unless its value is fed back."""


PAUSED = "Paused"
PAUSED_CLIP = "Paused\n\nRatings count again when it goes on."
"""A key that is pressed in a pause leaves no trace elsewhere."""


class SceneKind(StrEnum):
    """What the screen shows."""

    BLACK = "black"
    CLIP = "clip"
    REST = "rest"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Scene:
    """The participant's screen.

    Parameters
    ----------
    kind : SceneKind
    text : str
        The words of a text.
    hint : str
        How to rate, while a clip is on.
    is_paused : bool
    """

    kind: SceneKind = SceneKind.BLACK
    text: str = ""
    hint: str = ""
    is_paused: bool = False
