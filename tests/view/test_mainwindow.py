from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import drawn_session
import numpy as np
import pytest

from rtasmr.link import SnapshotClient, SnapshotServer, SnapshotStore
from rtasmr.snapshot import (
    Asked,
    LatencyState,
    ModelState,
    ProgrammeState,
    PulseState,
    RecordingState,
    RunState,
    StreamState,
)
from rtasmr.types import Role, Status
from rtasmr.view.state import DEMO_WORDS
from rtasmr.view.wording import DASH

pytestmark = pytest.mark.gui

MODEL = ModelState("bilstm-live", False, 0.6, 10, 200, (), "cpu", "imagenet")
PULSE = StreamState(Role.PPG, "wrist", "ppg-1", 100.0, 99.94, 0.021, 0.03, Status.OK, 4500, 3, 0)


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clip) -> SnapshotStore:
    filled = SnapshotStore()
    filled.update(clip)
    now_s = clip[-1].time_s + 1.2
    filled.update(
        state=RunState.RUNNING,
        model=MODEL,
        now_s=now_s,
        streams=(PULSE,),
        latency=LatencyState(21.4, 44.6, 12.0, 19.0, 1134.0),
        recording=RecordingState("/data/p007.xdf.part", 83.9, 4_210_000),
        ppg_times=tuple(now_s - np.array([3.0, 2.0, 1.0])),
        ppg_values=(0.5, math.nan, -0.5),
    )
    return filled


@pytest.fixture
def server(store: SnapshotStore) -> Iterator[SnapshotServer]:
    with SnapshotServer(store) as running:
        yield running


@pytest.fixture
def window(qtbot, server: SnapshotServer, clock: ManualClock):
    from rtasmr.view.mainwindow import MainWindow

    opened = MainWindow(SnapshotClient(server.link_file), clock=clock)
    qtbot.addWidget(opened)
    opened.resize(1024, 640)
    opened.show()
    qtbot.waitUntil(lambda: _told(opened), timeout=10_000)
    _lay_out()
    return opened


def _told(window) -> bool:
    window.tick()
    return window.state.linked


def _news(qtbot, window, store: SnapshotStore) -> None:
    """Let the window take the store's newest state."""

    def taken() -> bool:
        window.tick()
        return window.state.snapshot.revision == store.revision

    qtbot.waitUntil(taken, timeout=10_000)
    _lay_out()


def _lay_out() -> None:
    """Let new widgets get their size, which elided text depends on."""
    from pyqtgraph.Qt import QtWidgets

    QtWidgets.QApplication.processEvents()


def test_numbers_on_screen_are_the_snapshots(window):
    assert window.probability.text() == "0.60"
    assert window.headline.whole == "Running · clip vid3 · 0:59"
    assert window.estimate.whole == "estimate 1.2 s old · from pulse, sound, picture"
    (light,) = window.panel.lights
    assert light.head.text() == "Pulse: ok"
    assert light.name.text() == "wrist"
    assert light.numbers.text() == "99.9 of 100 Hz, lag 21 ms, lost 3"
    assert [line.text() for line in window.panel.model.lines] == [
        "bilstm-live",
        "runs on cpu, threshold 0.60",
        "window 20 s, look-ahead 1 s",
    ]
    assert window.panel.latency.lines[0].text() == "publish p50 21 ms, p99 45 ms"
    assert [line.text() for line in window.panel.recording.lines] == ["p007.xdf.part", "1:23, 4.2 MB"]
    assert window.probability_plot.threshold.value() == 0.6
    assert window.windowTitle() == "rtasmr Tinglegram"


def test_gaps_are_not_bridged(window):
    curve = window.probability_plot.curve
    in_gap = (curve.times >= 20.0 - 1e-6) & (curve.times < 22.0 - 1e-6)
    assert np.count_nonzero(in_gap) == 20
    assert np.all(np.isnan(curve.values[in_gap]))
    np.testing.assert_array_equal(window.pulse_view.values, [0.5, math.nan, -0.5])


def test_beats_and_reading_stand_with_the_pulse(qtbot, window, store, clip):
    now_s = clip[-1].time_s + 1.2
    beats = (now_s - 20.0, now_s - 2.0, now_s - 1.0)
    store.update(pulse=PulseState(now_s, 60.2, 0.91, (), beats))
    _news(qtbot, window, store)
    window.redraw()
    np.testing.assert_allclose(window.pulse_view.beats_s, [-2.0, -1.0])
    assert window.pulse_view.reading == "60 / min · quality 91 %"
    store.update(pulse=None)
    _news(qtbot, window, store)
    window.redraw()
    assert window.pulse_view.reading == ""


def test_ticks_with_less_lookahead_are_dotted_once_that_is_known(qtbot, window, store, make_record):
    """Those before the gap at 20 s; those at the end of the clip when it has ended."""

    def dotted() -> list[float]:
        short = window.probability_plot.short
        return short.times[np.isfinite(short.values)].tolist()

    assert dotted() == pytest.approx(np.arange(189, 200) / 10)
    free = {"segment": 1, "label": "", "origin_s": 1060.0, "status": Status.WARMUP}
    store.update([make_record(k, **free) for k in range(3)])
    _news(qtbot, window, store)
    assert dotted() == pytest.approx([*np.arange(189, 200) / 10, *np.arange(589, 600) / 10])


def test_the_runtime_hears_how_long_a_record_took_to_the_screen(qtbot, window, store, make_record):
    store.update([make_record(900)], published=time.monotonic())
    _news(qtbot, window, store)

    def heard() -> bool:
        _news(qtbot, window, store)
        store.update(message="more")
        return store.drawn().p50 > 0.0

    qtbot.waitUntil(heard, timeout=10_000)


def test_spans_and_the_pending_second_are_drawn(window):
    spans = window.probability_plot.spans.spans
    assert [span.word for span in spans] == ["warm-up", "gap", "pending"]
    np.testing.assert_allclose([spans[-1].start_s, spans[-1].stop_s], [59.95, 61.1])
    (_, right), _ = window.probability_plot.item.viewRange()
    assert right == pytest.approx(62.0)  # in steps of a thirtieth of its length


def test_spans_stay_in_the_picture_when_the_axis_moves_on(qtbot, window, store, make_record):
    store.update([make_record(i, status=Status.GAP) for i in range(600, 3000)])
    store.update(now_s=1301.1)
    _news(qtbot, window, store)
    (left, right), _ = window.probability_plot.item.viewRange()
    assert (left, right) == pytest.approx((242.0, 302.0))
    extent = window.probability_plot.spans.boundingRect()
    assert (extent.left(), extent.right()) == pytest.approx((left, right))


def test_a_record_less_than_a_pixel_away_waits_for_the_next(qtbot, window, store, make_record):
    window.span_box.setCurrentText("10 min")
    pixel_s = 600.0 / window.probability_plot.item.vb.width()
    n_within = int(pixel_s * 10)
    assert n_within >= 1
    store.update([make_record(600)])
    _news(qtbot, window, store)
    assert window.probability_plot.curve.times[-1] == pytest.approx(59.9)
    store.update([make_record(i) for i in range(601, 602 + n_within)])
    _news(qtbot, window, store)
    assert window.probability_plot.curve.times[-1] == pytest.approx(60.1 + n_within / 10)


def test_what_is_pending_grows_where_no_record_comes(window, clock):
    before = window.probability_plot.spans.spans[-1].stop_s
    for later_s, grown in ((0.3, 0.0), (0.6, 0.6)):
        clock.now_s = 50.0 + later_s
        window.redraw()
        assert window.probability_plot.spans.spans[-1].stop_s == pytest.approx(before + grown)


def test_segments_are_marked(qtbot, window, store, make_record):
    store.update([make_record(0, segment=1, label="", origin_s=1060.0)])
    store.update(now_s=store.read().now_s + 1.0)
    _news(qtbot, window, store)
    marks = window.probability_plot.marks.marks
    assert [mark.label for mark in marks] == [""]  # vid3 began before the axis does
    assert marks[0].time_s == pytest.approx(60.0)


def test_ratings_are_drawn_as_steps(window):
    assert [step.rating for step in window.probability_plot.rating.steps] == [0, 2]


def test_the_axis_of_the_rating_says_what_is_rated(qtbot, window, store, make_record):
    right = window.probability_plot.item.getAxis("right")
    assert right.labelText == "own rating of tingling"  # as the name of the clip, vid3, tells
    store.update(programme=ProgrammeState("vid3", "pleasantness", 1, 2, 42.0, 512.0, "rest"))
    _news(qtbot, window, store)
    window.redraw()
    assert right.labelText == "own rating of pleasantness"


def test_ratings_of_different_questions_are_told_apart(qtbot, window, store, make_record):
    """vid3 by its name, rain as its stream of ratings says; what nobody was asked counts for nothing."""
    right = window.probability_plot.item.getAxis("right")
    marks = window.probability_plot.marks
    keys = StreamState(Role.RATING, "keys", "keys-1", 0.0, math.nan, 0.0, 1.0, Status.OK, 9, 0, 0)
    store.update(streams=(replace(keys, asked=(Asked("rain", "pleasantness"),)),))
    rest = [make_record(i, segment=1, label="", origin_s=1060.0, rating=0) for i in range(5)]
    store.update(rest)
    _news(qtbot, window, store)
    assert right.labelText == "own rating of tingling"
    rain = [make_record(i, segment=2, label="rain", origin_s=1060.5, rating=3) for i in range(5)]
    store.update(rain)
    _news(qtbot, window, store)
    assert right.labelText == "own rating: tingling, pleasantness"
    assert [(mark.label, mark.question) for mark in marks.marks] == [("", ""), ("rain", "pleasantness")]
    store.update([make_record(i, segment=3, label="", origin_s=1061.0, rating=1) for i in range(5)])
    _news(qtbot, window, store)
    assert right.labelText == "own rating"  # a press that no clip asked for
    window.span_box.setCurrentText("30 s")
    # Until all else has left the axis.
    rain = [make_record(k, segment=4, label="rain", origin_s=1061.5, rating=2) for k in range(320)]
    store.update(rain, now_s=rain[-1].time_s + 1.2)
    _news(qtbot, window, store)
    assert right.labelText == "own rating of pleasantness"
    assert {mark.question for mark in marks.marks} <= {""}


def test_a_pulse_that_stopped_leaves_the_plot_and_says_so(qtbot, window, store, clock):
    later_s = store.read().now_s + 20.0
    dead = replace(PULSE, status=Status.STALE, age_s=21.0)
    store.update(now_s=later_s, streams=(dead,))
    clock.now_s += 20.0
    _news(qtbot, window, store)
    assert len(window.pulse_view.values) == 0
    assert window.pulse_view.hint == "no pulse in the last 10 s"
    assert window.panel.lights[0].head.text() == "Pulse: no data for 21 s"


def test_a_demo_model_has_a_banner_and_a_title(qtbot, window, store):
    assert not window.banner.isVisible()
    store.update(model=replace(MODEL, demo=True, warnings=("<b>small</b>",)))
    _news(qtbot, window, store)
    assert window.banner.isVisible()
    assert window.banner.text() == f"{DEMO_WORDS}\n<b>small</b>"
    assert "DEMO MODEL" in window.windowTitle()


def test_a_simulated_pulse_is_named_until_another_one_is_there(qtbot, window, store):
    assert not window.banner.isVisible()
    store.update(streams=(replace(PULSE, simulated=True),))
    _news(qtbot, window, store)
    assert window.banner.isVisible()
    assert window.banner.text() == "simulated pulse: says nothing about a person"
    store.update(streams=(PULSE,))
    _news(qtbot, window, store)
    assert not window.banner.isVisible()


def test_plots_are_drawn_only_when_something_changed(qtbot, window, store, monkeypatch):
    drawn = []
    monkeypatch.setattr(window, "_draw_plots", drawn.append)
    window.tick()
    window.tick()
    assert drawn == []
    store.update(message="news")
    _news(qtbot, window, store)
    assert len(drawn) == 1


def test_a_longer_axis_shows_more(window):
    window.span_box.setCurrentText("30 s")
    (left, right), _ = window.probability_plot.item.viewRange()
    assert right - left == pytest.approx(30.0)
    times = window.probability_plot.curve.times
    assert left - 0.11 < times[0] <= left  # the curve enters from the left edge


def test_streams_come_and_go(qtbot, window, store):
    store.update(streams=(PULSE, replace(PULSE, role=Role.SOUND, name="room")))
    _news(qtbot, window, store)
    assert [light.name.whole for light in window.panel.lights] == ["wrist", "room"]
    store.update(streams=(PULSE,))
    _news(qtbot, window, store)
    assert [light.isVisible() for light in window.panel.lights] == [True, False]


def test_a_long_foreign_name_is_elided_and_kept_in_the_tool_tip(qtbot, window, store):
    store.update(streams=(replace(PULSE, name="<img src=x>" * 20),))
    _news(qtbot, window, store)
    name = window.panel.lights[0].name
    assert "…" in name.text()
    assert name.toolTip() == "<span>" + "&lt;img src=x&gt;" * 20 + "</span>"


def test_the_window_fits_its_smallest_size(window):
    assert (window.width(), window.height()) == (1024, 640)
    assert window.panel.horizontalScrollBar().maximum() == 0


def test_a_lost_runtime_is_said_and_found_again(qtbot, window, server, store, clock):
    server.close(drain_s=0.0)
    ends = []
    window.ended.connect(lambda: ends.append(True))
    qtbot.waitUntil(lambda: (window.tick(), not window.state.linked)[1], timeout=10_000)
    assert window.banner.text().startswith("No runtime:")
    assert ends == [True]  # its link file is gone, too
    assert len(window.state.columns) == 600  # what was drawn stays
    with SnapshotServer(store) as again:
        window._client.link_file = again.link_file
        window.tick()
        assert not window.state.linked  # not before its time
        clock.now_s += 1.0
        qtbot.waitUntil(lambda: _told(window), timeout=10_000)
        assert not window.banner.isVisible()
        assert len(window.state.columns) == 600  # and nothing is drawn twice


def test_the_end_is_told_once(qtbot, window, store):
    ends = []
    window.ended.connect(lambda: ends.append(True))
    store.update(state=RunState.ENDED, message="600 ticks")
    _news(qtbot, window, store)
    window.tick()
    assert ends == [True]
    assert window.headline.whole == "Ended: 600 ticks"


def test_closing_detaches(qtbot, window, server):
    assert server.n_clients == 1
    window.close()
    qtbot.waitUntil(lambda: server.n_clients == 0, timeout=10_000)


def test_a_runtime_that_is_killed_is_told_with_its_recording(qtbot):
    """A process of its own serves a session with a recording until SIGKILL; its link file stays."""
    from rtasmr.view.mainwindow import MainWindow

    script = Path(drawn_session.__file__)
    command = [sys.executable, str(script), "--history", "60", "--seconds", "600"]
    served = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        link_file = Path(served.stdout.readline().strip())
        clock = ManualClock()
        window = MainWindow(SnapshotClient(link_file), clock=clock, ends_run=True)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: _told(window), timeout=30_000)
    finally:
        served.kill()
        served.communicate()

    def is_gone() -> bool:
        clock.now_s += 1.0  # it tries again once a second
        window.tick()
        return window.state.gone

    qtbot.waitUntil(is_gone, timeout=30_000)
    _lay_out()
    assert "p007.xdf.part: 'rtasmr repair' makes a whole file of it" in window.banner.text()
    assert {light.head.text().split(": ")[1] for light in window.panel.lights} == {"unknown"}
    assert {light.symbol.text() for light in window.panel.lights} == {"○"}
    assert window.probability.text() == DASH
    assert "pending" not in {span.word for span in window.probability_plot.spans.spans}
    assert window.close()
    assert window.told  # there is nobody to tell
    shutil.rmtree(link_file.parent, ignore_errors=True)  # the next runtime of this user does it, too


class TestProcess:
    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "rtasmr.view", *options]
        # Xvfb says 100 dots per inch, of which Qt would make a scale of 1.04.
        environment = {**os.environ, "QT_SCALE_FACTOR_ROUNDING_POLICY": "Round"}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def test_it_takes_a_picture_and_closes_with_the_runtime(self, qtbot, store, server, tmp_path: Path):
        picture = tmp_path / "window.png"
        options = ("--screenshot", str(picture), "--after", "600", "--close-when-ended", "--size", "1024x640")
        with self.start("--attach", str(server.link_file), *options) as process:
            qtbot.waitUntil(lambda: server.n_clients == 1, timeout=60_000)
            store.update(state=RunState.ENDED)
            assert process.wait(60) == 0
        from pyqtgraph.Qt import QtGui

        image = QtGui.QImage(str(picture))
        assert (image.width(), image.height()) == (1024, 640)

    @pytest.mark.usefixtures("hangups_heard")
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
    def test_terminated_it_says_so_and_the_runtime_goes_on(self, qtbot, server, number):
        """Only exit code 0, a window closed by its user, ends a run."""
        with self.start("--attach", str(server.link_file)) as process:
            qtbot.waitUntil(lambda: server.n_clients == 1, timeout=60_000)
            process.send_signal(number)
            assert process.wait(60) == 128 + number
        assert SnapshotClient(server.link_file).poll(10.0) is not None

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
    def test_no_display_is_one_line(self, server):
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(
            [sys.executable, "-m", "rtasmr.view", "--attach", str(server.link_file)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("error: expected a display")
        assert done.stderr.count("\n") == 1
