"""The page of a session, from recordings whose numbers are known."""

from __future__ import annotations

import json
import math
import re
from contextlib import closing

import numpy as np
import polars as pl
import pytest

from rtasmr.errors import DataError
from rtasmr.incidents import INCIDENTS_SPEC
from rtasmr.questions import Question, question_of
from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.report import account_of
from rtasmr.session_facts import agreement, clips_of, sound_delay_of, streams_of
from rtasmr.session_page import write_session
from rtasmr.stream_specs import (
    LATENCY_SPEC,
    PULSE_SPEC,
    clip_spec,
    ppg_spec,
    rating_spec,
    sound_spec,
    tingle_spec,
)
from rtasmr.tables import load_session
from rtasmr.types import Segment, Status
from rtasmr.view.state import DEMO_WORDS
from rtasmr.xdf import XdfWriter

NAN = np.nan
CLIP_S = 20.0
CLIPS = ("vid3", "vid7", "rain")


def p_of(time_s):
    """Probability: 0.2 for the first 10 s of a clip, then 0.9."""
    return np.where(time_s < 10, 0.2, 0.9)


@pytest.fixture
def recorded(tmp_path):
    """Three clips of 20 s; the rating goes from 0 to 2 at 10 s of each, as the probability does."""
    path = tmp_path / "evening.xdf"
    config = '{"sound_delay": "calibrated, 80.3 ms <b>"}'
    header = {"participant": "P07", "consent": "yes", "demo": "true", "config": config}
    with closing(XdfWriter(path, header=header)) as writer:

        def add(spec, times, data):
            writer.write(writer.add_stream(spec), times, data)

        starts = [100.0 + 25 * i for i in range(len(CLIPS))]
        segments = [
            segment_text(Segment(i, n, s)) for i, (n, s) in enumerate(zip(CLIPS, starts, strict=True))
        ]
        add(SEGMENTS_SPEC, starts, segments)
        clip_times = [t for s in starts for t in (s, s + CLIP_S)]
        add(clip_spec(source_id="c"), clip_times, [f"clip_{w} {n}" for n in CLIPS for w in ("start", "end")])
        presses = [t for s in starts for t in (s + 0.05, s + 9.95)]
        add(rating_spec(source_id="r"), presses, ["rating=0", "rating=2"] * 3)
        k = np.arange(200)
        times = np.concatenate([s + k / 10 for s in starts])
        rows = np.full((600, 7), NAN, np.float32)
        in_clip = np.tile(k / 10, 3)
        rows[:, 0] = np.where(in_clip < 5, NAN, p_of(in_clip))
        rows[:, 3] = 1.1
        rows[:, 4] = np.tile(k, 3)
        rows[:, 5] = np.where(in_clip < 5, Status.WARMUP, Status.OK)
        rows[:, 6] = 0b111
        rows[199, 3] = 0.3  # at the end of a clip, which nothing waits for
        add(tingle_spec("m", True, 10, 200, 0.5, ("squints <i>",)), times, rows)
        add(LATENCY_SPEC, times[50:199], np.full((149, 6), 2.0, np.float32))
        seconds = np.arange(100.0, 175.0)
        readings = np.column_stack([60 + np.zeros(75), np.full(75, 0.8), np.zeros(75)])
        readings[10:14] = [NAN, 0.1, 32]
        add(PULSE_SPEC, seconds, readings.astype(np.float32))
        wave_s = 100 + np.arange(7500) / 100
        wave = np.sin(2 * np.pi * wave_s).astype(np.float32)[:, None]
        kept = (wave_s < 120) | (wave_s >= 120.5)  # 50 samples lost
        spec = ppg_spec(100.0, source_id="p", channels=("raw",), desc={"simulated": "true"})
        add(spec, wave_s[kept], wave[kept])
        incidents = [
            '{"stream": "ppg", "what": "lost"}',
            '{"stream": "sound", "what": "clock", "shift_s": -0.25}',
            '{"stream": "picture", "what": "refused", "reason": "<b>"}',
            "[damaged",
        ]
        add(INCIDENTS_SPEC, [120.2, 120.3, 120.4, 120.5], incidents)
    return path


def test_the_summary_has_the_figures_of_the_account_of_the_run(recorded, tmp_path):
    """The age is that of the ticks whose latency was measured: not of those that end a clip."""
    write_session(recorded, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["age_ms"] == {"p50": 1100.0, "p99": 1100.0, "max": 1100.0}
    assert summary["latency_ms"]["p50"] == 12.0
    assert (summary["reasons"], summary["simulated"]) == ({"warmup": 150, "ok": 450}, ["ppg"])


def test_the_page_tells_the_delay_of_the_sound(recorded, tmp_path):
    write_session(recorded, tmp_path / "out")
    page = (tmp_path / "out" / "session.html").read_text()
    assert "sound delay calibrated, 80.3 ms &lt;b&gt;" in page


@pytest.mark.parametrize("config", ["", "[]", "{", '{"sound_delay": 3}', "{}", "[" * 100_000])
def test_a_header_that_tells_no_delay_is_silent(config):
    assert sound_delay_of({"config": config}) == ""
    assert sound_delay_of({}) == ""


def test_agreement_by_hand():
    p = np.array([0.2, 0.6, 0.4, 0.8, NAN, 0.9])
    rating = np.array([0, 0, 1, 3, 3, -1])
    found = agreement(p, rating, threshold=0.5)
    # Ranks of 0.4 and 0.8 among 0.2, 0.4, 0.6, 0.8 win 1 + 2 of 4 pairs; 0.2 and 0.8 are called as rated.
    assert found is not None
    assert (found.n_ticks, found.same_call, found.auc) == (4, 0.5, 0.75)
    assert (found.p_reported, found.p_unreported) == pytest.approx((0.6, 0.4))
    one_kind = agreement(np.array([0.5, 0.1]), np.array([2, 2]), threshold=0.5)
    assert one_kind is not None
    assert one_kind.same_call == 0.5  # a probability at the threshold is a call
    assert math.isnan(one_kind.auc)
    assert math.isnan(one_kind.p_unreported)
    assert agreement(np.array([NAN, 0.4]), np.array([1, -1]), threshold=0.5) is None


def test_only_clips_of_the_published_protocol_tell_what_was_asked():
    assert [question_of(name) for name in ("vid1", "vid4", "vid5", "vid8", "vid9")] == [
        Question.TINGLING,
        Question.TINGLING,
        Question.PLEASANTNESS,
        Question.PLEASANTNESS,
        Question.NOT_STATED,
    ]


def test_the_facts_of_clips_and_streams(recorded):
    session = load_session(recorded)
    clips = clips_of(session, account_of(session.recording).records, 0.5)
    assert [clip.label for clip in clips] == ["vid3", "vid7", "rain"]
    asmr, nature, foreign = clips
    assert asmr.share_judged == 0.75
    assert asmr.share_called == pytest.approx(2 / 3)
    assert asmr.mean_p == pytest.approx((50 * 0.2 + 100 * 0.9) / 150)
    assert (asmr.rate_bpm, asmr.start_s) == (60.0, 100.0)
    assert asmr.agreement is not None
    assert (asmr.agreement.same_call, asmr.agreement.auc) == (1.0, 1.0)
    assert nature.mean_rating > 0
    assert nature.agreement is None  # pleasantness is no tingle
    assert foreign.mean_rating >= 0
    assert foreign.agreement is None  # nobody knows what it is a rating of
    (pulse,) = streams_of(session)
    assert (pulse.n_lost, pulse.n_gaps, pulse.is_simulated) == (50, 1, True)
    assert pulse.seconds == pytest.approx(75.0)


@pytest.mark.parametrize(("jump", "n_gaps"), [(110, 0), (4410, 1)], ids=["clock learned", "card paused"])
def test_a_clock_that_is_being_learned_loses_no_sound(tmp_path, jump, n_gaps):
    """A packet is stamped 2.5 ms later than the last one tells, and the next one earlier again."""
    path = tmp_path / "sound.xdf"
    spec = sound_spec(source_id="s", desc={"stamps": "fitted"})
    first = np.array([0, 4410 + jump, 8820 + (jump if n_gaps else 0)])
    times = 100 + (first[:, None] + np.arange(4410)).ravel() / 44_100
    with closing(XdfWriter(path, header={})) as writer:
        writer.write(writer.add_stream(spec), times, np.zeros((len(times), 1), np.int16))
    (sound,) = streams_of(load_session(path))
    assert (sound.n_gaps, sound.n_lost) == (n_gaps, jump * n_gaps)


def test_the_page_stands_alone_and_says_first_what_must_be_known(recorded, tmp_path):
    out = tmp_path / "out"
    told: list[tuple[str, float]] = []
    paths = write_session(recorded, out, lambda *step: told.append(step))
    figures = [f"figure {n} of 5" for n in range(1, 6)]
    assert [what for what, _ in told] == ["reading the recording", "tables", *figures, "done"]
    shares = [share for _, share in told]
    assert (shares[0], sorted(shares), shares[-1]) == (0.0, shares, 1.0)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in paths)
    names = {path.name for path in paths}
    stems = ("tinglegram", "clip01_vid3", "clip02_vid7", "clip03_rain", "pulse")
    assert names >= {"session.html", "summary.json", *(s + e for s in stems for e in (".png", ".svg"))}
    page = (out / "session.html").read_text()
    # Nothing is fetched: pictures are inside, links lead to files beside the page, and no script runs.
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]*)"', page))
    assert set(re.findall(r'href="([^"]*)"', page)) == names - {"session.html"}
    assert "<script" not in page
    first_picture = page.index("<figure")
    for words in (DEMO_WORDS, "squints &lt;i&gt;", "simulated pulse", "P07"):
        assert page.index(words) < first_picture
    for told in (
        "ppg lost",
        "sound its clock was set anew, by -0.250 s",
        "picture refused: &lt;b&gt;",
        "[damaged",
    ):
        assert f'<td class="words">{told}</td>' in page
    assert "evening.xdf, XDF" in page
    assert "rtasmr export evening.xdf --bids FOLDER" in page
    assert "rtasmr.load_session(&#x27;evening.xdf&#x27;)" in page
    assert page.index("Dotted: the model looks 1 s past the moment that it judges.") < first_picture
    assert "count the time before the first press of a clip as rated 0" in page
    assert "A rating of pleasantness is no report of a tingle" in page
    csv, parquet = pl.read_csv(out / "predictions.csv"), pl.read_parquet(out / "predictions.parquet")
    assert parquet.height == csv.height == 600
    assert parquet["probability"].null_count() == csv["probability"].null_count() == 150


def test_a_session_without_clips_pulse_or_ratings_has_a_page(tmp_path):
    path = tmp_path / "free.xdf"
    with closing(XdfWriter(path, header={})) as writer:
        writer.write(writer.add_stream(SEGMENTS_SPEC), [5.0], [segment_text(Segment(0, "", 5.0))])
        spec = tingle_spec("m", False, 10, 200)
        row = np.array([[0.5, NAN, NAN, 1.0, 0, Status.OK, 1]], np.float32)
        writer.write(writer.add_stream(spec), [5.0], row)
    paths = write_session(path, tmp_path / "out")
    page = (tmp_path / "out" / "session.html").read_text()
    assert "No clip was marked" in page
    assert 'class="care"' not in page
    assert page.count("<figure>") == 1
    assert not any(path.name.startswith("pulse") for path in paths)


@pytest.mark.parametrize("n_presses", [0, 1])
def test_ratings_that_nobody_gave_are_named_as_such(tmp_path, n_presses):
    path = tmp_path / "quiet.xdf"
    with closing(XdfWriter(path, header={})) as writer:
        writer.write(writer.add_stream(SEGMENTS_SPEC), [5.0], [segment_text(Segment(0, "vid3", 5.0))])
        ratings = writer.add_stream(rating_spec(source_id="r"))
        if n_presses:
            writer.write(ratings, [5.0], ["rating=0"])
        row = np.array([[0.5, NAN, NAN, 1.0, 0, Status.OK, 1]], np.float32)
        writer.write(writer.add_stream(tingle_spec("m", False, 10, 200)), [5.0], row)
    write_session(path, tmp_path / "out")
    page = (tmp_path / "out" / "session.html").read_text()
    assert ("No rating was given: that counts as 0" in page) == (n_presses == 0)


def test_a_clip_that_nobody_rated_is_named_among_others_that_somebody_did(tmp_path):
    """Three clips of 1 s: a press in the first, none in the second, one between it and the third."""
    path = tmp_path / "some.xdf"
    with closing(XdfWriter(path, header={})) as writer:
        segments = [Segment(i, name, 5.0 + 2 * i) for i, name in enumerate(("rain", "<b>sea", "wind"))]
        origins = [segment.origin for segment in segments]
        writer.write(writer.add_stream(SEGMENTS_SPEC), origins, [segment_text(s) for s in segments])
        writer.write(writer.add_stream(rating_spec(source_id="r")), [5.4, 8.5], ["rating=2", "rating=1"])
        times = np.concatenate([np.arange(10) / 10 + origin for origin in origins])
        rows = [[0.5, NAN, NAN, 1.0, tick, Status.OK, 1] for _ in segments for tick in range(10)]
        writer.write(writer.add_stream(tingle_spec("m", False, 10, 200)), times, np.array(rows, np.float32))
        marks = ["clip_start <b>sea", "clip_skipped <b>sea"]
        writer.write(writer.add_stream(clip_spec(source_id="c")), [7.0, 7.9], marks)
    write_session(path, tmp_path / "out")
    page = (tmp_path / "out" / "session.html").read_text()
    assert "No rating was given in &lt;b&gt;sea, wind: that counts as 0" in page
    assert "&lt;b&gt;sea was skipped" in page


def test_a_recording_without_a_runtime_is_one_line(tmp_path):
    path = tmp_path / "raw.xdf"
    with closing(XdfWriter(path, header={})) as writer:
        writer.write(writer.add_stream(rating_spec(source_id="r")), [1.0], ["rating=1"])
    with pytest.raises(DataError, match="expected a recording with predictions, got one without"):
        write_session(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
