"""Pauses, overload, dropped pictures and a sensor that never came: told as what they are."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pytest

from rtasmr.config import LiveConfig
from rtasmr.demo import _judged
from rtasmr.incidents import INCIDENTS_SPEC
from rtasmr.overload import OverloadWatch
from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.remarks import (
    NO_PULSE,
    broken_words,
    dropped_words,
    early_words,
    overload_words,
    player_incidents,
    remarks_of,
    slow_words,
)
from rtasmr.report import account_of
from rtasmr.session_events import happenings, losses
from rtasmr.session_facts import clips_of
from rtasmr.session_page import write_session
from rtasmr.stream_specs import clip_spec, tingle_spec
from rtasmr.tables import load_session
from rtasmr.types import Cause, Role, Segment, Status
from rtasmr.view.tracks import RecordColumns
from rtasmr.view.wording import DASH
from rtasmr.xdf import XdfWriter

START_S = 100.0
PLAYED = {
    "pictures": 1165,
    "pictures_dropped": 632,
    "sound": {"underflows_heard": 3, "samples_late": 22_050},
}


@pytest.fixture
def disturbed(tmp_path):
    """40 s: warm-up for 5 s, paused from 10 to 20 s, too slow in every other tick from 30 to 34 s."""
    path = tmp_path / "disturbed.xdf"
    header = {"config": LiveConfig(queries={Role.PPG: "type=PPG"}).to_json()}
    with closing(XdfWriter(path, header=header)) as writer:

        def add(spec, times, data):
            writer.write(writer.add_stream(spec), times, data)

        add(SEGMENTS_SPEC, [START_S], [segment_text(Segment(0, "rain", START_S))])
        marks = {0.0: "clip_start rain", 10.0: "pause_start", 20.0: "pause_end", 40.0: "clip_end rain"}
        add(clip_spec(source_id="c"), [START_S + s for s in marks], [*marks.values()])
        k = np.arange(400)
        status = np.where(k < 50, Status.WARMUP, Status.OK)
        status[100:200] = Status.GAP
        status[300:340:2] = Status.STALE
        status[390:] = Status.STALE  # the sensor's doing: no computer was slow
        rows = np.full((400, 7), np.nan, np.float32)
        rows[:, 0] = np.where(status == Status.OK, 0.5, np.nan)
        rows[:, 4], rows[:, 5], rows[:, 6] = k, status, 7
        watch, texts = OverloadWatch(), []
        for tick in k:
            is_slow = 300 <= tick < 340 and status[tick] == Status.STALE
            texts += watch.push(START_S + tick / 10, Cause.OVERLOAD if is_slow else Cause.NONE)
        texts += [*watch.close(), *player_incidents(PLAYED), *player_incidents(None, "no <screen>")]
        add(tingle_spec("m", False, 10, 200, 0.5, ()), START_S + k / 10, rows)
        add(INCIDENTS_SPEC, [START_S + 40.0] * len(texts), texts)
    return path


def test_every_tick_has_its_cause_back(disturbed):
    records = account_of(load_session(disturbed).recording).records
    spans = RecordColumns.of(records[:300]).spans()
    assert [span.word for span in spans] == ["warm-up", "paused"]
    assert (spans[1].start_s, spans[1].stop_s) == pytest.approx((109.95, 119.95))
    slow = [r.tick for r in records if r.cause is Cause.OVERLOAD]
    assert slow == list(range(300, 340, 2))
    assert {r.cause for r in records[390:]} == {Cause.NONE}


def test_a_pause_is_no_loss_of_the_clip(disturbed):
    session = load_session(disturbed)
    (clip,) = clips_of(session, account_of(session.recording).records, 0.5)
    assert clip.n_shown == 300
    assert clip.share_judged == pytest.approx((400 - 50 - 100 - 20 - 10) / 300)


def test_a_clip_lasts_from_marker_to_marker_without_its_pauses(disturbed, monkeypatch):
    session = load_session(disturbed)
    records = account_of(session.recording).records[7:390]  # begun late, and no tick of its last second
    (clip,) = clips_of(session, records, 0.5)
    assert (clip.n_shown, clip.seconds) == (283, pytest.approx(30.0))
    is_end = session.events["text"] == "clip_end rain"
    monkeypatch.setattr(session, "events", session.events.filter(~is_end))
    (clip,) = clips_of(session, records, 0.5)
    assert clip.seconds == pytest.approx(28.3)


def test_what_happened_has_pauses_and_overload_in_order(disturbed):
    session = load_session(disturbed)
    records = account_of(session.recording).records
    assert [(round(second, 1), line) for second, line in happenings(session, records)] == [
        (10.0, "paused for 10 s"),
        (30.0, "this computer did not keep up for 3.9 s: 20 ticks without a probability"),
        (40.0, "player ended early: no <screen>"),
    ]
    told = losses(session, records)
    spoilt = [*dropped_words(1165, 632), *broken_words(3, 0.5), *overload_words(20, 400)]
    assert len(spoilt) == 3
    assert told == [NO_PULSE, *early_words("no <screen>"), *slow_words(spoilt)]


def test_the_page_names_them(disturbed, tmp_path):
    write_session(disturbed, tmp_path / "out")
    page = (tmp_path / "out" / "session.html").read_text()
    first_picture = page.index("<figure")
    for words in (
        "632 of 1797 pictures (35 %)",
        "sound broke off 3 times",
        "20 of 400 ticks (5 %)",
        "no pulse came",
        "the player ended early (no &lt;screen&gt;)",
    ):
        assert page.index(words) < first_picture
    rows = {"gap": None, "paused": 100, "overload": 20, "stale": 10}
    for word, n in rows.items():
        assert (f"<td>{word}</td>" in page) == (n is not None)
        if n is not None:
            assert f"<td>{word}</td><td>{n}</td>" in page
    assert "<td>rain</td><td>30</td><td>73 %</td>" in page  # 220 of the 300 ticks that were shown
    assert "<b>73 %</b><span>ticks outside pauses with a probability" in page
    assert "<td>ok</td><td>220</td><td>73 %</td>" in page
    assert f"<td>paused</td><td>100</td><td>{DASH}</td>" in page


def test_overload_is_told_in_stretches_that_a_killed_run_does_not_lose():
    watch = OverloadWatch()
    told = [json.loads(t) for k in range(250) for t in watch.push(k / 10, Cause.OVERLOAD)]
    assert [(t["begin_s"], t["stop_s"], t["ticks"]) for t in told] == [(0.0, 9.9, 100), (10.0, 19.9, 100)]
    assert watch.push(25.0, Cause.NONE) == ()
    (text,) = watch.push(30.0, Cause.NONE)  # more than 5 s after the last
    assert json.loads(text) == {
        "stream": "tingle",
        "what": "overload",
        "begin_s": 20.0,
        "stop_s": 24.9,
        "ticks": 50,
    }
    assert watch.close() == ()


def account_with(**changed):
    return {"ticks": 600, "absent": [], "samples": {"skipped_ticks": 0}, **changed}


def test_only_what_matters_is_remarked():
    asked, free = LiveConfig(queries={Role.PPG: "type=PPG"}), LiveConfig()
    assert remarks_of(account_with(), asked) == []
    assert remarks_of(account_with(absent=["ppg"]), free) == []  # nobody asked for one
    (remark,) = remarks_of(account_with(absent=["ppg"]), asked)
    assert remark.startswith(NO_PULSE)
    heard = {"underflows": 2, "underflows_heard": 0, "samples_late": 300}  # ran dry in silence
    few = {"pictures": 1790, "pictures_dropped": 3, "sound": heard}
    assert remarks_of(account_with(player=few, samples={"skipped_ticks": 5}), free) == []
    (slow,) = remarks_of(account_with(player=PLAYED, samples={"skipped_ticks": 438}), free)
    dropped, broken, ticks = slow.split("; ")
    assert dropped.startswith("this computer did not keep up: 632 of 1797 pictures (35 %)")
    assert broken.startswith("the sound broke off 3 times and lacked 0.5 s that came too late: ")
    assert ticks.startswith("438 of 600 ticks (73 %)")
    assert slow.count("keep up") == 1
    assert remarks_of(account_with(player=None), free) == []
    silent = {"pictures": 9, "pictures_dropped": 0, "sound": None}
    assert player_incidents(None) == player_incidents(silent) == []
    assert player_incidents({**silent, "sound": heard}) == []
    assert broken_words(1, 0.0)[0].startswith("the sound broke off 1 time: ")


def test_a_player_that_died_is_told_as_such():
    (text,) = player_incidents(None, "it gave no reason")
    assert json.loads(text) == {"stream": "player", "what": "ended early", "reason": "it gave no reason"}
    assert early_words("it gave no reason")[0].startswith("the player ended early (it gave no reason): ")
    assert early_words("") == []


def test_the_demo_names_the_ticks_without_a_probability():
    account = account_with(status={"ok": 300, "warmup": 0, "stale": 300}, remarks=["too slow"])
    assert _judged(account) == "in 300 of 600 ticks, none in the others (300 stale); too slow"
    assert _judged(account_with(status={"ok": 600}, remarks=[])) == "in 600 of 600 ticks"
