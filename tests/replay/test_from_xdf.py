"""Recordings as sessions."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from replay.from_xdf import xdf_session
from rtasmr.errors import DataError
from rtasmr.recorded_features import SEGMENTS_SPEC
from rtasmr.session import RecordedStream, Recording, write_xdf
from rtasmr.stream_specs import clip_spec, ppg_spec, tingle_spec
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec

TIMES = 500.0 + np.arange(300) / 100
PULSE = np.arange(600, dtype=np.float32).reshape(300, 2)


def text(spec: StreamSpec, *events: tuple[float, str]) -> RecordedStream:
    return RecordedStream(
        spec, np.array([t for t, _ in events]), np.array([word for _, word in events], dtype=object)
    )


def recorded(folder: Path, *streams: RecordedStream) -> Path:
    return write_xdf(Recording(folder / "session.xdf", {}, streams, complete=True), folder / "session.xdf")


def test_inputs_come_back_with_the_stamps_of_the_recording(tmp_path: Path) -> None:
    pulse = RecordedStream(ppg_spec(100.0, source_id="muse-7"), TIMES, PULSE)
    marks = text(clip_spec(source_id="m"), (500.5, "clip_start vid3"))
    tingle = RecordedStream(tingle_spec("m", False, 10, 200), TIMES[:1], np.zeros((1, 7), np.float32))
    segments = text(SEGMENTS_SPEC, (500.5, "{}"))
    session = xdf_session(recorded(tmp_path, pulse, marks, tingle, segments))
    assert [s.spec.name for s in session.streams] == ["rtasmr-ppg", "rtasmr-clip"]
    assert session.start_s == 500.0
    assert [s.spec.source_id for s in session.streams] == ["replay-muse-7", "replay-m"]
    packets = list(session.streams[0].packets(itertools.repeat(0.1)))
    np.testing.assert_array_equal(np.concatenate([p.times for p in packets]), TIMES)
    np.testing.assert_array_equal(np.concatenate([p.data for p in packets]), PULSE)
    (mark,) = session.streams[1].packets(itertools.repeat(0.1))
    assert (mark.times.tolist(), mark.data.tolist()) == ([500.5], ["clip_start vid3"])


def test_start_and_stop_count_from_the_first_sample(tmp_path: Path) -> None:
    path = recorded(tmp_path, RecordedStream(ppg_spec(100.0, source_id="a"), TIMES, PULSE))
    session = xdf_session(path, start_s=1.0, stop_s=2.0)
    assert (session.start_s, session.stop_s) == (501.0, 502.0)
    times = np.concatenate([p.times for p in session.streams[0].packets(itertools.repeat(0.1))])
    np.testing.assert_array_equal(times, TIMES[100:200])


def test_recording_of_a_fast_replay_is_laid_back_on_session_time(tmp_path: Path) -> None:
    base = TimeBase(t0=7000.0, start=500.0, speed=4.0)
    spec = replace(ppg_spec(400.0, source_id="a"), desc=base.as_desc())
    session = xdf_session(recorded(tmp_path, RecordedStream(spec, base.from_session(TIMES), PULSE)))
    (stream,) = session.streams
    assert stream.spec.sfreq == 100.0
    assert "clock_t0" not in stream.spec.desc
    times = np.concatenate([p.times for p in stream.packets(itertools.repeat(0.1))])
    np.testing.assert_allclose(times, TIMES, rtol=0, atol=1e-8)


def test_recording_without_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rtasmr-segments"):
        xdf_session(recorded(tmp_path, text(SEGMENTS_SPEC, (1.0, "{}"))))
