from __future__ import annotations

import pytest

from rtasmr.player.hint import read_hint
from rtasmr.player.scene import DEFAULT_HINTS
from rtasmr.questions import Question

KEYS = ("1", "2", "3", "4")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question.TINGLING, ("1 none", "2 weak", "3 moderate", "4 strong")),
        (Question.PLEASANTNESS, ("1 not", "2 slightly", "3 moderately", "4 very")),
        (Question.NOT_STATED, ("1 none", "2 weak", "3 moderate", "4 strong")),
    ],
)
def test_the_default_hints_name_every_key(question, words):
    assert read_hint(DEFAULT_HINTS[question]).levels == words


@pytest.mark.parametrize(
    ("text", "question", "levels"),
    [
        (
            "How? 1 = not, 2 = a bit, 3 = yes, 4 = very",
            "How?",
            ("1 = not", "2 = a bit", "3 = yes", "4 = very"),
        ),
        ("1: no | 2: low |\n3: mid | 4: high", "", ("1: no", "2: low", "3: mid", "4: high")),
        ("  Press   1 2 3 4 ", "Press", KEYS),
    ],
)
def test_a_hint_of_ones_own_is_taken_apart_at_its_keys(text, question, levels):
    hint = read_hint(text)
    assert (hint.question, hint.levels) == (question, levels)


@pytest.mark.parametrize(
    "text",
    [
        "Tingling, keys 1-4",
        "From 1 to 4: 1 none 2 weak 3 more 4 strong",
        "4 strong 3 2 1",
        "1 2 3",
        "1.5 2 3 4",
    ],
)
def test_a_hint_that_does_not_name_them_in_order_is_followed_by_the_keys(text):
    hint = read_hint(text)
    assert (hint.question, hint.levels) == (text, KEYS)
