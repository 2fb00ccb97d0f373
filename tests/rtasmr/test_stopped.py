"""A viewing that was stopped says where: in its account, its recording and on its page."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pytest

from rtasmr.incidents import INCIDENTS_SPEC
from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.remarks import player_incidents
from rtasmr.session_page import write_session
from rtasmr.stopped import stop_of, stop_words
from rtasmr.stream_specs import tingle_spec
from rtasmr.types import Segment, Status
from rtasmr.xdf import XdfWriter

PLANNED_S = (60.0, 60.0, 30.0)


def player(*clips: tuple[str, float, bool], asked: bool = True) -> dict[str, object]:
    shown = [{"clip": name, "seconds": seconds, "skipped": skipped} for name, seconds, skipped in clips]
    return {"asked_to_end": asked, "clips": shown, "pictures": 1, "pictures_dropped": 0, "sound": None}


WHOLE = ("vid3", 60.0, False)
LAST = ("vid1", 30.0, False)


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        ((WHOLE, ("vid2", 23.4, False)), "stopped in clip 2 of 3 (vid2) at 0:23"),
        ((WHOLE,), "stopped after clip 1 of 3 (vid3)"),
        ((WHOLE, ("vid2", 0.0, True)), "stopped after clip 1 of 3 (vid3)"),  # in the black before it
        ((WHOLE, ("vid2", 9.0, True)), "stopped after clip 2 of 3 (vid2)"),  # skipped, and stopped in a rest
        ((), "stopped before the first of 3 clips"),
        ((WHOLE, WHOLE, ("vid1", 29.0, False)), "stopped in clip 3 of 3 (vid1) at 0:29"),
    ],
)
def test_where_a_viewing_was_stopped(clips, words):
    stop = stop_of(player(*clips), PLANNED_S)
    assert stop is not None
    assert stop_words(stop) == words
    assert stop_words(json.loads(json.dumps(stop))) == words


def test_what_was_shown_to_its_end_was_not_stopped():
    assert stop_of(player(WHOLE, WHOLE, LAST), PLANNED_S) is None  # the window was closed in the last second
    assert stop_of(player(WHOLE, WHOLE, ("vid1", 9.0, True)), PLANNED_S) is None
    # A file that ends sooner than its header says, and nobody asked for the end.
    assert stop_of(player(WHOLE, WHOLE, ("vid1", 9.0, False), asked=False), PLANNED_S) is None


def test_a_single_file_needs_no_number():
    stop = stop_of(player(("rain", 75.2, False)), (90.0,))
    assert stop is not None
    assert stop_words(stop) == "stopped in rain at 1:15"
    nothing = stop_of(player(), (90.0,))
    assert nothing is not None
    assert stop_words(nothing) == "stopped before its clip"


def test_damage_says_nothing():
    assert stop_words({"clip": "1", "of": 3, "name": "x"}) == stop_words({}) == ""


def test_the_page_says_it_first_and_among_what_happened(tmp_path):
    path = tmp_path / "short.xdf"
    shown = player(WHOLE, ("<b>vid2", 23.4, False))
    with closing(XdfWriter(path, header={})) as writer:
        writer.write(writer.add_stream(SEGMENTS_SPEC), [5.0], [segment_text(Segment(0, "", 5.0))])
        row = np.array([[0.5, np.nan, np.nan, 1.0, 0, Status.OK, 1]], np.float32)
        writer.write(writer.add_stream(tingle_spec("m", False, 10, 200)), [5.0], row)
        texts = player_incidents(shown, stop=stop_of(shown, PLANNED_S))
        writer.write(writer.add_stream(INCIDENTS_SPEC), [6.0], texts)
    write_session(path, tmp_path / "out")
    page = (tmp_path / "out" / "session.html").read_text()
    told = "stopped in clip 2 of 3 (&lt;b&gt;vid2) at 0:23"
    assert page.index(told) < page.index('class="tiles"')
    assert f'<td>1.0</td><td class="words">{told}</td>' in page
