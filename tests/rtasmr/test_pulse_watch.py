"""The pulse of a run: what the window, the recording and the account get of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtasmr.errors import DataError
from rtasmr.latency import STAGES
from rtasmr.pulse_watch import PulseWatch, pulse_rows
from rtasmr.recorded_health import health_of
from rtasmr.session import RecordedStream, Recording
from rtasmr.stream_specs import LATENCY_SPEC, PULSE_SPEC, tingle_spec
from rtasmr.types import Chunk, Role

SFREQ = 100.0


def pulse_chunk(duration_s, start_s=0.0):
    """60 beats a minute."""
    times = start_s + np.arange(round(duration_s * SFREQ)) / SFREQ
    wave = np.exp(-0.5 * ((np.mod(times, 1.0) - 0.4) / 0.08) ** 2)
    return Chunk(Role.PPG, times, wave[:, None])


def test_the_account_adds_up_what_was_read():
    watch = PulseWatch()
    assert watch.account() is None
    watch.join(SFREQ)
    readings = watch.push(pulse_chunk(12.5))
    account = watch.account()
    assert (account["readings"], account["good"], account["troubles"]) == (12, 8, {"starting": 4})
    assert account["rate_bpm"] == pytest.approx(60.0, abs=0.1)
    assert account["quality"] > 0.9
    assert watch.state.rate_bpm == pytest.approx(60.0, abs=0.1)
    assert watch.state.time_s == 12.0
    times, rows = pulse_rows(readings)
    np.testing.assert_array_equal(times, np.arange(1.0, 13.0))
    np.testing.assert_array_equal(rows[:, 2], [1] * 4 + [0] * 8)
    assert np.isnan(rows[:4, :2]).all()


def test_a_stream_that_is_gone_has_no_pulse_and_one_that_is_back_starts_anew():
    watch = PulseWatch()
    watch.join(SFREQ)
    watch.push(pulse_chunk(12.5))
    watch.leave()
    assert watch.state is None
    assert watch.push(pulse_chunk(3.0, 13.0)) == []
    watch.join(SFREQ)
    watch.push(pulse_chunk(1.5, 20.0))
    assert watch.state.troubles == ("starting",)
    assert watch.account()["readings"] == 13


@pytest.mark.parametrize(("burst_s", "kept_s"), [(0.0, 3.0), (4.0, 7.0)])
def test_a_silent_stream_has_no_pulse_to_show(burst_s, kept_s):
    watch = PulseWatch()
    watch.join(SFREQ, burst_s)
    watch.push(pulse_chunk(12.5))
    watch.expire(12.0 + kept_s)
    assert watch.state is not None
    watch.expire(12.1 + kept_s)
    assert watch.state is None


def recording_of(*streams):
    tingle = np.array([[0.5, np.nan, np.nan, 1.2, 50, 0, 1], [np.nan, np.nan, np.nan, 9.0, 51, 3, 0]])
    spec = tingle_spec("m", True, 10, 200)
    published = RecordedStream(spec, np.array([5.0, 5.1]), tingle.astype(np.float32))
    return Recording(Path("a.xdf"), {}, (published, *streams), complete=True)


def test_health_is_that_of_the_recorded_streams():
    stages = np.array([[10, 1, 2, 15, 4, 1], [20, 1, 2, 15, 4, 1]], dtype=np.float32)
    pulse = np.array([[60, 0.9, 0], [np.nan, 0.3, 0b101000], [np.nan, np.nan, 1]], dtype=np.float32)
    health = health_of(
        recording_of(
            RecordedStream(LATENCY_SPEC, np.array([5.0, 5.1]), stages),
            RecordedStream(PULSE_SPEC, np.array([1.0, 2.0, 3.0]), pulse),
        )
    )
    assert health["age_ms"]["max"] == 1200.0
    assert health["latency_ms"] == {"p50": 38.0, "p99": 42.9, "max": 43.0}
    assert health["stages_ms"].keys() == set(STAGES)
    assert health["stages_ms"]["acquire"]["max"] == 20.0
    assert health["pulse"] == {
        "readings": 3,
        "good": 1,
        "rate_bpm": 60.0,
        "quality": 0.6,
        "troubles": {"starting": 1, "clipped": 1, "noisy": 1},
    }


def test_what_was_not_recorded_is_left_out():
    assert health_of(recording_of()).keys() == {"age_ms"}


def test_damaged_numbers_name_nothing():
    pulse = np.array([[np.inf, -np.inf, 1e30], [np.nan, 2.0, np.nan], [0.0, 0.0, -5.0]], dtype=np.float32)
    health = health_of(recording_of(RecordedStream(PULSE_SPEC, np.arange(3.0), pulse)))
    assert health["pulse"]["troubles"] == {}
    assert health["pulse"]["good"] == 0


def test_streams_of_another_shape_are_refused():
    other = RecordedStream(PULSE_SPEC, np.zeros(1), np.array([["x", "y", "z"]], dtype=object))
    with pytest.raises(DataError, match="expected numbers in channels rate, quality, troubles"):
        health_of(recording_of(other))
