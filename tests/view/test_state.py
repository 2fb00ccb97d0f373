from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from rtasmr.snapshot import (
    LatencyState,
    ModelState,
    ProgrammeState,
    PulsePoint,
    PulseState,
    RecordingState,
    RunState,
    Snapshot,
    StageState,
    StreamState,
)
from rtasmr.types import Cause, Role, Status
from rtasmr.view.lights import Level, light_of
from rtasmr.view.state import DEMO_WORDS, OUTSIDE_WORDS, SLOW_WORDS, ViewState
from rtasmr.view.tracks import SegmentMark
from rtasmr.view.wording import DASH, clean, clock_text

MODEL = ModelState("bilstm-live", False, 0.5, 10, 200, (), "cpu", "imagenet")
STREAM = StreamState(Role.PPG, "pulse", "ppg-1", 100.0, 99.94, 0.021, 0.03, Status.OK, 4500, 3, 0)


def snapshot(records=(), **fields) -> Snapshot:
    seq = len(records)
    base = Snapshot(
        session="run 1",
        seq=seq,
        state=RunState.RUNNING,
        model=MODEL,
        records=tuple(records),
        start_s=records[0].time_s if records else math.nan,
        now_s=records[-1].time_s + 1.2 if records else 1000.0,
    )
    return replace(base, **fields)


def fed(*snapshots: Snapshot, clock_s: float = 0.0) -> ViewState:
    state = ViewState()
    for one in snapshots:
        state.feed(one, clock_s)
    return state


def texts(state: ViewState, clock_s: float = 0.0) -> list[str]:
    return [banner.text for banner in state.banners(clock_s)]


class TestRecords:
    def test_records_of_later_snapshots_are_added(self, clip):
        state = fed(snapshot(clip[:10]), snapshot(clip[10:13]))
        np.testing.assert_array_equal(state.columns.tick, range(13))
        assert state.newest == clip[12]

    def test_the_history_is_bounded(self, make_record):
        state = ViewState(history=100)
        for first in range(0, 1000, 10):
            state.feed(snapshot([make_record(i) for i in range(first, first + 10)]), 0.0)
        np.testing.assert_array_equal(state.columns.tick, range(900, 1000))

    def test_another_run_forgets_the_last(self, clip, make_record):
        state = fed(snapshot(clip), snapshot([make_record(3)], session="run 2"))
        np.testing.assert_array_equal(state.columns.tick, [3])

    def test_clip_changes_are_marked_and_forgotten_with_their_records(self, make_record):
        free = [make_record(i, label="") for i in range(5)]
        first = [make_record(i, segment=1, origin_s=1000.5) for i in range(5)]
        state = ViewState(history=7)
        state.feed(snapshot(free), 0.0)
        state.feed(snapshot(first[:1]), 0.0)
        assert state.marks == (SegmentMark(1000.0, ""), SegmentMark(1000.5, "vid3"))
        state.feed(snapshot(first[1:]), 0.0)
        assert state.marks == (SegmentMark(1000.5, "vid3"),)

    def test_the_wave_grows_by_what_is_new_and_keeps_ten_seconds(self):
        first = snapshot(ppg_times=(1.0, 1.5), ppg_values=(0.1, 0.2))
        second = snapshot(ppg_times=(11.2,), ppg_values=(0.3,))
        state = fed(first, second)
        np.testing.assert_array_equal(state.ppg_times, [1.5, 11.2])
        np.testing.assert_array_equal(state.ppg_values, [0.2, 0.3])
        state.feed(snapshot(session="run 2"), 0.0)
        assert len(state.ppg_times) == 0

    def test_readings_of_the_pulse_are_kept_in_order(self):
        one, two = PulsePoint(5.0, 71.0, 0.9), PulsePoint(6.0, math.nan, 0.2)
        state = fed(snapshot(trend=(one,)), snapshot(), snapshot(trend=(two,)))
        np.testing.assert_array_equal(state.trend, [[5.0, 71.0, 0.9], [6.0, math.nan, 0.2]])

    def test_the_pulse_keeps_its_gaps(self):
        state = fed(snapshot(ppg_times=(1.0, 1.1, 1.2), ppg_values=(0.1, math.nan, 0.3)))
        np.testing.assert_array_equal(state.ppg_values, [0.1, math.nan, 0.3])


class TestTime:
    def test_the_session_clock_runs_on_between_snapshots(self, make_record):
        state = fed(snapshot([make_record(0)], now_s=1001.2), clock_s=50.0)
        assert state.now_s(50.0) == pytest.approx(1001.2)
        assert state.age_s(50.3) == pytest.approx(1.5)

    def test_the_least_delayed_snapshot_tells_the_time(self, make_record):
        state = ViewState()
        for delay_s in (0.04, 0.002, 0.03):
            state.feed(snapshot([make_record(0)], now_s=1001.2), 50.0 + delay_s)
        assert state.now_s(50.1) == pytest.approx(1001.2 + 0.098)

    def test_it_stands_still_when_the_runtime_is_gone_or_over(self, make_record):
        state = fed(snapshot([make_record(0)], now_s=1001.2), clock_s=50.0)
        state.lose_link("gone")
        assert state.now_s(60.0) == 1001.2
        ended = fed(snapshot([make_record(0)], now_s=1001.2, state=RunState.ENDED), clock_s=50.0)
        assert ended.now_s(60.0) == 1001.2

    def test_what_the_lookahead_withholds_is_pending(self, make_record):
        state = fed(snapshot([make_record(0)], now_s=1001.2), clock_s=50.0)
        assert state.pending(50.0) == pytest.approx((1000.05, 1001.2))
        state.feed(snapshot(state=RunState.ENDED), 50.0)
        assert state.pending(50.0) is None
        assert ViewState().pending(0.0) is None


class TestAxis:
    def at(self, make_record, seconds: float, span_s: float | None) -> tuple[float, float]:
        """The axis when the newest estimate and what is pending reach this far into the session."""
        state = fed(snapshot([make_record(0)], now_s=1000.0 + seconds), clock_s=50.0)
        return state.axis_s(50.0, span_s)

    def test_it_fills_from_the_left(self, make_record):
        assert self.at(make_record, 3.0, 60.0) == (0.0, 60.0)
        assert ViewState().axis_s(0.0, 60.0) == (0.0, 60.0)

    @pytest.mark.parametrize(("seconds", "end_s"), [(60.1, 62.0), (61.9, 62.0), (62.1, 64.0)])
    def test_it_moves_on_in_steps(self, make_record, seconds: float, end_s: float):
        assert self.at(make_record, seconds, 60.0) == pytest.approx((end_s - 60.0, end_s))

    def test_all_begins_with_what_is_kept_and_holds_the_newest(self, make_record):
        assert self.at(make_record, 3.0, None) == (0.0, 30.0)
        for seconds in (30.5, 100.0, 4000.0):
            begin_s, end_s = self.at(make_record, seconds, None)
            assert begin_s == 0.0
            assert seconds <= end_s <= seconds * (1 + 1 / 30)
        late = fed(snapshot([make_record(600)], start_s=1000.0, now_s=1061.0), clock_s=50.0)
        assert late.axis_s(50.0, None) == pytest.approx((60.0, 90.0))


class TestWords:
    def test_before_anything_came(self):
        state = ViewState()
        assert state.probability_text == DASH
        assert state.estimate_text(0.0) == "no estimate yet"
        assert state.headline == "Waiting"
        assert state.title == "rtasmr Tinglegram"
        assert state.model_lines == ("no model loaded",)
        assert state.banners(1e9) == ()

    def test_a_running_clip(self, make_record):
        state = fed(snapshot([make_record(834, 0.437, modalities=0b101)]), clock_s=50.0)
        assert state.probability_text == "0.44"
        assert not state.tingles
        assert state.headline == "Running · clip vid3 · 1:23"
        assert state.estimate_text(50.0) == "estimate 1.2 s old · from pulse, picture"

    def test_the_threshold_itself_counts_as_a_tingle(self, make_record):
        assert fed(snapshot([make_record(60, 0.5)])).tingles

    def test_the_stages_of_the_latency_stand_two_to_a_line(self):
        stages = tuple(
            StageState(name, p50_ms, p50_ms, p50_ms)
            for name, p50_ms in (("acquire", 12.34), ("align", 0.2), ("draw", math.nan))
        )
        state = fed(snapshot(latency=LatencyState(21.4, 44.6, 12.0, 19.0, 1134.0, stages)))
        assert state.latency_lines[3:] == ("acquire 12.3, align 0.2 ms", f"draw {DASH} ms")

    @pytest.mark.parametrize(
        ("pulse", "text"),
        [
            (None, ""),
            (PulseState(9.0, 71.6, 0.876, (), (8.1, 8.9)), "72 / min · quality 88 %"),
            (
                PulseState(9.0, math.nan, 0.31, ("clipped", "noisy"), ()),
                f"{DASH} / min · quality 31 % · clipped, noisy",
            ),
            (
                PulseState(9.0, math.nan, math.nan, ("starting",), ()),
                f"{DASH} / min · quality {DASH} · starting",
            ),
        ],
    )
    def test_the_pulse_has_a_rate_and_a_quality_or_a_reason(self, pulse, text):
        assert fed(snapshot(pulse=pulse)).pulse_text == text

    def test_a_tick_without_probability_says_why(self, make_record):
        lost = [make_record(60, 0.9), make_record(61, status=Status.STALE)]
        state = fed(snapshot(lost, now_s=1009.0), clock_s=50.0)
        assert state.probability_text == "stale"
        assert not state.tingles
        assert state.estimate_text(50.0) == "no estimate now, the last is 3.0 s old"

    def test_a_pause_is_called_a_pause_and_the_clip_stands_still_in_it(self, make_record):
        held = [make_record(k, status=Status.GAP, cause=Cause.PAUSED) for k in range(20, 50)]
        streams = tuple(
            replace(STREAM, role=role, status=status, age_s=age_s)
            for role, status, age_s in (
                (Role.PPG, Status.GAP, 0.03),
                (Role.PICTURE, Status.GAP, 30.0),
                (Role.PPG, Status.GAP, 30.0),
                (Role.SOUND, Status.GAP, math.nan),
                (Role.PPG, Status.BAD_INPUT, 0.03),
            )
        )
        state = fed(snapshot([make_record(k) for k in range(20)], streams=streams), snapshot(held))
        assert state.headline == "Paused · clip vid3 · 0:02"
        assert state.probability_text == "paused"
        assert state.estimate_text(0.0) == "no estimate during a pause"
        state.feed(snapshot(streams=streams), 0.0)
        words = [(light.level, light.word) for light in state.lights]
        assert words[:2] == [(Level.GOOD, "paused")] * 2
        assert words[2:] == [(Level.BAD, w) for w in ("no data for 30 s", "lost", "bad input")]
        state.feed(snapshot([make_record(50)]), 0.0)
        assert state.headline == "Running · clip vid3 · 0:02"

    def test_a_computer_that_does_not_keep_up_is_named(self, make_record):
        late = replace(STREAM, status=Status.STALE, age_s=0.4)
        records = [make_record(0, status=Status.STALE, cause=Cause.OVERLOAD)]
        state = fed(snapshot(records, streams=(late,)))
        assert state.probability_text == "overload"
        assert SLOW_WORDS in texts(state)
        assert [(light.level, light.word) for light in state.lights] == [(Level.CARE, "computer too slow")]
        # A sensor that is silent is still at fault itself; and after 5 s all is well again.
        state.feed(snapshot(streams=(replace(late, age_s=30.0),)), 0.0)
        assert state.lights[0].word == "no data for 30 s"
        state.feed(snapshot([make_record(k) for k in range(1, 51)]), 0.0)
        assert SLOW_WORDS not in texts(state)

    def test_free_segments_waiting_and_failing(self, make_record):
        assert fed(snapshot([make_record(5, label="")])).headline == "Running · free segment · 0:00"
        waiting = fed(snapshot(state=RunState.WAITING, message="no stream of type PPG"))
        assert waiting.headline == "Waiting: no stream of type PPG"

    def test_the_numbers_are_the_snapshots(self):
        state = fed(
            snapshot(
                latency=LatencyState(21.4, 44.6, 12.0, 19.0, 1134.0),
                recording=RecordingState("/data/p007.xdf.part", 83.9, 4_210_000, 2),
            )
        )
        assert state.model_lines == (
            "bilstm-live",
            "runs on cpu, threshold 0.50",
            "window 20 s, look-ahead 1 s",
        )
        assert state.latency_lines == (
            "publish p50 21 ms, p99 45 ms",
            "compute p50 12 ms, p99 19 ms",
            "age when published 1.13 s",
        )
        assert state.recording_lines == ("p007.xdf.part", "1:23, 4.2 MB, 2 overruns")
        assert ViewState().latency_lines[0] == f"publish p50 {DASH}, p99 {DASH}"
        assert ViewState().recording_lines == ("off",)


class TestProgramme:
    def test_without_one_there_are_no_words(self):
        assert fed(snapshot()).programme_lines == ("", "")

    def test_it_says_where_the_session_is(self):
        clip = ProgrammeState("vid3", "pleasantness", 3, 8, 42.4, 512.0, "rest", paused=True)
        assert fed(snapshot(programme=clip)).programme_lines == (
            "PAUSED · clip 3 of 8 · vid3 (pleasantness) · 0:42 left",
            "next: rest · 8:32 to the end",
        )
        rest = ProgrammeState("rest", "", 8, 8, math.nan, math.nan, "")
        assert fed(snapshot(programme=rest)).programme_lines == ("clip 8 of 8 · rest", "")


class TestBanners:
    def test_features_unlike_those_of_the_training_are_told_while_they_last(self, make_record):
        assert texts(fed(snapshot([make_record(60, outside=True)]))) == [OUTSIDE_WORDS]
        ended = snapshot([make_record(60, outside=True)], state=RunState.ENDED)
        assert texts(fed(ended)) == []
        assert texts(fed(snapshot([make_record(60, outside=True), make_record(61)]))) == []

    def test_a_real_model_that_runs_has_none(self, make_record):
        assert texts(fed(snapshot([make_record(0)]))) == []

    def test_a_demo_model_says_so_in_banner_and_title(self):
        state = fed(snapshot(model=replace(MODEL, demo=True)))
        assert texts(state) == [DEMO_WORDS]
        assert "DEMO MODEL" in state.title

    def test_simulated_streams_are_named_while_they_are_there(self):
        simulated = replace(STREAM, simulated=True)
        state = fed(snapshot(model=replace(MODEL, demo=True), streams=(simulated,)))
        assert texts(state) == [DEMO_WORDS, "simulated pulse: says nothing about a person"]
        ratings = replace(simulated, role=Role.RATING)
        state.feed(snapshot(streams=(ratings, simulated, replace(simulated, role=Role.CLIP))), 0.0)
        assert texts(state) == ["simulated pulse, rating: say nothing about a person"]
        state.feed(snapshot(streams=(STREAM,)), 0.0)
        assert texts(state) == []

    def test_a_random_encoder_and_the_cards_warnings_are_shown(self):
        model = replace(MODEL, encoder="random:7", warnings=("window differs from training",))
        state = fed(snapshot(model=model))
        assert texts(state)[0].startswith("RANDOM IMAGE ENCODER (random:7)")
        assert texts(state)[1] == "window differs from training"
        assert {banner.level for banner in state.banners(0.0)} == {Level.CARE}

    def test_faults_come_first_and_are_worse(self):
        state = fed(
            snapshot(
                model=replace(MODEL, demo=True),
                state=RunState.FAILED,
                message="disk on fire",
                recording=RecordingState("a.xdf", 1.0, 1, 0, "no space left"),
            )
        )
        assert texts(state) == [
            "The runtime failed: disk on fire",
            "Recording failed: no space left",
            DEMO_WORDS,
        ]
        assert state.banners(0.0)[0].level is Level.BAD
        assert state.recording_lines[-1] == "failed"

    def test_a_lost_runtime_is_said_until_it_is_back(self):
        state = fed(snapshot())
        state.lose_link("expected a runtime, got nothing.")
        assert texts(state) == ["No runtime: expected a runtime, got nothing. Trying again."]
        assert not state.linked
        state.feed(snapshot(), 1.0)
        assert texts(state, 1.0) == []
        assert state.linked

    @pytest.mark.parametrize("recording", [RecordingState("/data/p007.xdf.part", 83.9, 4_210_000), None])
    def test_a_runtime_that_was_killed_is_told_with_its_recording(self, make_record, recording):
        state = fed(snapshot([make_record(60, 0.7)], recording=recording, streams=(STREAM,)), clock_s=10.0)
        assert state.tingles
        state.lose_link("closed", is_gone=True)
        told = " ".join(texts(state, 10.0))
        assert told.startswith("The session's process is gone: killed, or crashed.")
        assert ("/data/p007.xdf.part: 'rtasmr repair'" in told) == (recording is not None)
        assert ("There was no recording" in told) == (recording is None)
        assert (state.probability_text, state.tingles, state.pending(10.0)) == (DASH, False, None)
        assert state.headline.startswith("Gone · clip vid3")
        assert state.estimate_text(10.0) == "no estimate any more"
        state.feed(snapshot([make_record(61)], streams=(STREAM,)), 11.0)
        assert (state.gone, texts(state, 11.0)) == (False, [])

    def test_a_run_that_is_over_is_not_gone(self):
        state = fed(snapshot(state=RunState.ENDED, streams=(STREAM,)))
        state.lose_link("closed", is_gone=True)
        assert (state.gone, texts(state)) == (False, [])
        assert state.lights[0].level is Level.GOOD

    def test_what_was_never_there_is_not_gone(self):
        state = ViewState()
        state.lose_link("no such file.", is_gone=True)
        assert texts(state) == ["No runtime: no such file. Trying again."]

    @pytest.mark.parametrize(
        ("fields", "told"),
        [
            (
                {"status": Status.GAP, "age_s": math.nan},
                "Pulse: lost. Plug the sensor in, or start its source again as it was; "
                "it is taken up by itself",
            ),
            (
                {"status": Status.STALE, "age_s": 7.0},
                "Pulse: no data for 7 s. Check the sensor's cable, battery and distance",
            ),
            ({"status": Status.BAD_INPUT}, "Pulse: bad input. Check how the sensor sits"),
            (
                {"role": Role.RATING, "status": Status.GAP, "age_s": math.nan},
                "Rating keys: lost. Start its source again as it was; it is taken up by itself",
            ),
            ({"role": Role.SOUND, "status": Status.BAD_INPUT}, "Sound: bad input. Check its source"),
            ({"status": Status.GAP}, None),
            ({"status": Status.WARMUP}, None),
        ],
    )
    def test_a_stream_in_trouble_says_what_to_do_when_it_lasts(self, fields, told):
        dead = replace(STREAM, **fields)
        state = fed(snapshot(streams=(STREAM,)), clock_s=10.0)
        for clock_s in (11.0, 13.9):
            state.feed(snapshot(streams=(dead,)), clock_s)
            assert texts(state, clock_s) == []
        state.feed(snapshot(streams=(dead,)), 14.0)
        assert texts(state, 14.0) == ([] if told is None else [told])
        assert {banner.level for banner in state.banners(14.0)} <= {Level.BAD}
        state.feed(snapshot(streams=(STREAM,)), 15.0)
        state.feed(snapshot(streams=(dead,)), 16.0)
        assert texts(state, 16.0) == []  # another time
        state.feed(snapshot(streams=(dead,), state=RunState.ENDED), 30.0)
        assert texts(state, 30.0) == []

    def test_the_runtimes_own_word_on_bad_input_says_more(self):
        bad = replace(STREAM, status=Status.BAD_INPUT)
        reason = "ppg stream refused: the header says 100 Hz. Set the rate of the source right."
        state = fed(snapshot(streams=(bad,), message=reason), clock_s=10.0)
        state.feed(snapshot(streams=(bad,), message=reason), 13.5)
        assert texts(state, 13.5) == [reason]

    def test_a_runtime_that_says_nothing_is_reported(self):
        state = fed(snapshot(), clock_s=10.0)
        assert texts(state, 11.9) == []
        assert texts(state, 13.0) == ["The runtime has said nothing for 3 s"]
        assert texts(fed(snapshot(state=RunState.ENDED), clock_s=10.0), 100.0) == []


class TestLights:
    @pytest.mark.parametrize(
        ("role", "status", "age_s", "level", "word"),
        [
            (Role.PPG, Status.OK, 0.03, Level.GOOD, "ok"),
            (Role.PPG, Status.WARMUP, 0.03, Level.CARE, "warm-up"),
            (Role.PPG, Status.GAP, 0.03, Level.CARE, "gap"),
            (Role.PPG, Status.STALE, 0.8, Level.CARE, "stale"),
            (Role.PPG, Status.STALE, 12.0, Level.BAD, "no data for 12 s"),
            (Role.PPG, Status.BAD_INPUT, 0.03, Level.BAD, "bad input"),
            (Role.PPG, Status.ABSENT, math.nan, Level.BAD, "absent"),
            (Role.CLIP, Status.ABSENT, math.nan, Level.CARE, "absent"),
            (Role.RATING, Status.OK, 300.0, Level.GOOD, "ok"),
        ],
    )
    def test_level_and_word(self, role: Role, status: Status, age_s: float, level: Level, word: str):
        light = light_of(replace(STREAM, role=role, status=status, age_s=age_s))
        assert (light.level, light.word) == (level, word)

    def test_numbers_of_a_regular_stream(self):
        light = light_of(replace(STREAM, overruns=2))
        assert (light.title, light.name) == ("Pulse", "pulse")
        assert light.numbers == "99.9 of 100 Hz, lag 21 ms, lost 3, overruns 2"

    def test_numbers_of_the_other_kinds(self):
        sound = replace(STREAM, role=Role.SOUND, sfreq=44100.0, measured_sfreq=44099.0, lag_s=math.nan)
        assert light_of(sound).numbers == f"44.1 of 44.1 kHz, lag {DASH}, lost 3"
        picture = replace(STREAM, role=Role.PICTURE, sfreq=0.0, measured_sfreq=29.97)
        assert light_of(picture).numbers == "30.0 Hz, lag 21 ms, lost 3"
        early = replace(picture, measured_sfreq=math.nan)
        assert light_of(early).numbers == "lag 21 ms, lost 3"
        assert light_of(replace(early, sfreq=100.0)).numbers == "… of 100 Hz, lag 21 ms, lost 3"
        keys = replace(STREAM, role=Role.RATING, n_samples=14, age_s=12.3)
        assert light_of(keys).numbers == "14 received, last 12 s ago"
        gone = replace(STREAM, status=Status.GAP, age_s=math.nan, lag_s=math.nan, measured_sfreq=math.nan)
        assert light_of(gone).numbers == "lost 3"
        absent = replace(STREAM, status=Status.ABSENT, name="")
        assert (light_of(absent).name, light_of(absent).numbers) == (DASH, "not found on the network")


def test_nobody_knows_the_lights_of_a_runtime_that_does_not_answer():
    keys = replace(STREAM, role=Role.RATING, name="keys")
    state = fed(snapshot(streams=(STREAM, keys)))
    state.lose_link("no answer")
    assert {light.level for light in state.lights} == {Level.OFF}
    assert {(light.word, light.numbers) for light in state.lights} == {("unknown", "")}
    assert [light.name for light in state.lights] == ["pulse", "keys"]


def test_foreign_text_stays_on_one_short_line():
    assert clean("a\nb\x1b[31m\x00c") == "a b [31m c"
    assert clean("x" * 10_000, 5) == "xxxx…"
    assert clean("pulse é ♥") == "pulse é ♥"


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (83.9, "1:23"), (3723.0, "1:02:03")])
def test_clock_text(seconds: float, text: str):
    assert clock_text(seconds) == text


def test_state_and_figure_need_no_qt():
    script = (
        "import sys, rtasmr.link, rtasmr.view.state, rtasmr.view.figure, rtasmr.view.__main__\n"
        "loaded = sorted(m for m in sys.modules if m.split('.')[0] in {'PyQt5', 'pyqtgraph', 'pylsl'})\n"
        "loaded += ['pyplot'] if 'matplotlib.pyplot' in sys.modules else []\n"
        "print(loaded)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
