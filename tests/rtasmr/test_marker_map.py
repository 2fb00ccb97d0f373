"""What foreign markers mean: pure, so the answers are exact."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtasmr.errors import ConfigError
from rtasmr.marker_map import MAX_MARKER_CHARS, MarkerMap, meaning
from rtasmr.types import Role

MAP = MarkerMap.parse(
    r"""
    [exact]
    "video_vid9_onset" = "clip_start practice"
    "11" = "clip_start vid1"
    "rating=3" = "rating=0"

    [regex]
    'video_(?P<clip>\w+)_onset' = 'clip_start \g<clip>'
    'video_(.*)_offset' = 'clip_end \1'
    'video_.*' = 'clip_end'
    'answer (\d+)' = 'rating=\1'
    """
)


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("video_vid3_onset", "clip_start vid3"),
        ("video_vid9_onset", "clip_start practice"),  # exact before expressions
        ("video_vid3_offset", "clip_end vid3"),  # the first expression before the second
        ("video_vid3_stopped", "clip_end"),
        ("11", "clip_start vid1"),
        ("answer 2", "rating=2"),
        ("rating=3", "rating=0"),  # an entry may turn our own texts round
        ("rating=1", "rating=1"),
        ("clip_start vid7", "clip_start vid7"),
        ("answer 7", None),  # leads to no rating that there is
        ("video_a b_onset_", "clip_end"),
        ("video_../../x_offset", None),  # no name of a clip
        ("xvideo_vid3_onset", None),  # the whole text must match
        ("111", None),
        ("", None),
        ("clip_start", None),
        ("clip_start " + "v" * 65, None),
        ("video_" + "v" * MAX_MARKER_CHARS, None),
    ],
)
def test_a_text_is_translated(foreign: str, ours: str | None) -> None:
    assert MAP.translate(foreign) == ours


@given(st.text())
def test_whatever_comes_out_is_ours_or_nothing(text: str) -> None:
    for marker_map in (MAP, MarkerMap()):
        ours = marker_map.translate(text)
        assert ours is None or meaning(ours) in (Role.CLIP, Role.RATING)


def test_no_expression_takes_long_on_any_marker() -> None:
    """A backtracking matcher needs some 2 ** 1000 steps here, and holds up every thread meanwhile."""
    marker_map = MarkerMap.parse("[regex]\n'(a+)+b' = 'clip_start x'")
    assert marker_map.translate("a" * MAX_MARKER_CHARS) is None
    assert marker_map.translate("a" * (MAX_MARKER_CHARS - 1) + "b") == "clip_start x"


def test_a_group_that_took_no_part_is_empty() -> None:
    marker_map = MarkerMap.parse(r"""[regex]
    'on (a)?(?P<n>\d)?(.*)' = 'clip_start v\1\g<n>\g<3>'""")
    assert [marker_map.translate(f"on {text}") for text in ("a7", "a", "x")] == [
        "clip_start va7",
        "clip_start va",
        "clip_start vx",
    ]


def test_a_map_knows_whether_it_rates() -> None:
    assert MAP.rates
    assert not MarkerMap.parse('[exact]\n"on" = "clip_start vid1"').rates
    assert not MarkerMap().rates


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "got none"),
        ("[exact]\n[regex]", "got none"),
        ("[exact", "expected TOML"),
        ("[exact]\n'a' = 'clip_end'\n'a' = 'clip_end'", "expected TOML"),
        ("[exakt]\n'a' = 'clip_end'", "got 'exakt'"),
        ("a = 1", "got 'a'"),
        ("exact = 'a'", "expected a table [exact]"),
        ("[exact]\n'a' = 1", "got 1."),
        ("[exact.a]\n'b' = 'clip_end'", "for 'a'"),
        ("[exact]\n'a' = 'clip_begin vid1'", "got 'clip_begin vid1'"),
        ("[exact]\n'a' = 'clip_start'", "got 'clip_start'"),
        ("[exact]\n'a' = 'rating=4'", "got 'rating=4'"),
        ("[regex]\n'(' = 'clip_end'", "got '(' (missing ): ()"),
        ("[regex]\n'(?=a).' = 'clip_end'", "without look-around"),
        ("[regex]\n'(a)\\1' = 'clip_end'", "without look-around and references"),
        ("[regex]\n'(a)' = 'clip_start \\2'", "got \\2."),
        ("[regex]\n'(a)' = 'clip_start \\g<b>'", "got \\g<b>."),
        ("[regex]\n'(a)' = 'clip_start \\q'", "expected no backslash but"),
        ("[regex]\n'a' = 'clip_ended'", "got 'clip_ended'"),
        ("[regex]\n'(a)' = '\\1'", "got '\\\\1'"),
    ],
)
def test_a_bad_map_is_refused_in_one_line_that_names_it(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        MarkerMap.parse(text, "mine.toml")
    message = str(refused.value)
    assert message.startswith("mine.toml: expected ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cannot read the marker map .*mine\.toml"):
        MarkerMap.load(path)
