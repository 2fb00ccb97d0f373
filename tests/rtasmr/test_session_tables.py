"""A recording as data frames: values computable by hand."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import polars as pl
import pytest

from rtasmr.errors import DataError
from rtasmr.recorded_features import FEATURES_NAME, POSITION_NAMES, SEGMENTS_SPEC, segment_text
from rtasmr.stream_specs import (
    N_PICTURE_BYTES,
    PULSE_SPEC,
    clip_spec,
    picture_spec,
    ppg_spec,
    rating_spec,
    tingle_spec,
)
from rtasmr.tables import TICK_SCHEMA, load_session
from rtasmr.types import Segment, Status, StreamSpec
from rtasmr.xdf import XdfWriter

NAN = np.nan
FEATURES = StreamSpec(FEATURES_NAME, "Features", "f", 0.0, "float32", ("one", "two", *POSITION_NAMES))


def write(path, *streams):
    with closing(XdfWriter(path, header={"participant": "P07"})) as writer:
        for spec, times, data in streams:
            writer.write(writer.add_stream(spec), times, data)
    return load_session(path)


@pytest.fixture
def session(tmp_path):
    rows = [
        [NAN, NAN, NAN, 1.1, 0, Status.WARMUP, 0b111],
        [0.25, NAN, NAN, 1.1, 1, Status.OK, 0b101],
        [0.75, NAN, NAN, 1.1, 2, Status.OK, 0b001],
    ]
    times = [50.0, 50.1, 50.2]
    return write(
        tmp_path / "s.xdf",
        (SEGMENTS_SPEC, [50.0], [segment_text(Segment(0, "vid3", 50.0))]),
        (clip_spec(source_id="c"), [50.0, 50.3], ["clip_start vid3", "clip_end vid3"]),
        (rating_spec(source_id="r"), [50.15, 50.25], ["rating=2", "rating=high"]),
        (tingle_spec("m", False, 10, 200), times, np.array(rows, np.float32)),
        (ppg_spec(100.0, source_id="p"), [50.0, 50.01], np.array([[1, 2], [3, 4]], np.float32)),
        (FEATURES, times[:2], np.array([[0.5, NAN, 0, 0], [1.5, 2.5, 1, 0]], np.float32)),
    )


def test_the_ticks(session):
    assert session.header["participant"] == "P07"
    assert session.complete
    assert session.ticks.schema == TICK_SCHEMA
    assert session.ticks.rows() == [
        (0, "vid3", 0, 50.0, 0.0, None, "warmup", "ppg+sound+picture", 0, "tingling"),
        (0, "vid3", 1, 50.1, 0.1, 0.25, "ok", "ppg+picture", 0, "tingling"),
        (0, "vid3", 2, 50.2, 0.2, 0.75, "ok", "ppg", 2, "tingling"),
    ]


def test_what_the_person_did_and_what_was_measured(session):
    assert session.ratings.rows() == [(50.15, 2)]
    assert session.events.rows() == [
        (50.0, "rtasmr-clip", "clip_start vid3"),
        (50.15, "rtasmr-rating", "rating=2"),
        (50.25, "rtasmr-rating", "rating=high"),
        (50.3, "rtasmr-clip", "clip_end vid3"),
    ]
    assert session.pulse.to_dict(as_series=False) == {
        "time_s": [50.0, 50.01], "raw": [1.0, 3.0], "filtered": [2.0, 4.0],
    }  # fmt: skip
    assert session.features.to_dict(as_series=False) == {
        "segment": [0, 0], "tick": [0, 1], "time_s": [50.0, 50.1], "one": [0.5, 1.5], "two": [None, 2.5],
    }  # fmt: skip
    assert session.table("rtasmr-rating").rows() == [(50.15, "rating=2"), (50.25, "rating=high")]


def test_a_recording_with_no_runtime_and_no_person_has_empty_tables(tmp_path):
    session = write(tmp_path / "s.xdf", (StreamSpec("n", "EEG", "i", 1.0, "int32", ("x",)), [1.0], [7]))
    assert session.ticks.schema == TICK_SCHEMA
    tables = (session.ticks, session.ratings, session.events, session.pulse_rate)
    assert [table.height for table in tables] == [0, 0, 0, 0]
    assert session.pulse.columns == ["time_s"]
    with pytest.raises(DataError, match="expected one stream 'rtasmr-features', got 0"):
        _ = session.features


def test_channels_of_one_name_are_numbered_and_texts_kept(tmp_path):
    twice = StreamSpec("n", "EEG", "i", 1.0, "int32", ("x", "time_s", "x"))
    words = StreamSpec("w", "Markers", "w", 0.0, "string", ("a", "b"))
    session = write(tmp_path / "s.xdf", (twice, [1.0], [[7, 8, 9]]), (words, [2.0], [["start", "7"]]))
    assert session.table("n").to_dict(as_series=False) == {
        "time_s": [1.0], "x": [7], "time_s_2": [8], "x_2": [9],
    }  # fmt: skip
    assert session.table("w").rows() == [(2.0, "start", "7")]
    assert session.events.rows() == [(2.0, "w", "start\t7")]
    assert session.table("w").schema["a"] == pl.String


def test_the_pulse_rate_names_what_was_wrong_and_has_no_number_where_there_is_none(tmp_path):
    readings = np.array([[NAN, NAN, 1], [61.5, 0.75, 0], [NAN, 0.25, 4 + 32], [62.0, 0.5, 1e6]], np.float32)
    session = write(tmp_path / "s.xdf", (PULSE_SPEC, [1.0, 2.0, 3.0, 4.0], readings))
    assert session.pulse_rate.rows() == [
        (1.0, None, None, "starting"),
        (2.0, 61.5, 0.75, ""),
        (3.0, None, 0.25, "flat+noisy"),
        (4.0, 62.0, 0.5, ""),  # bits that no version writes name nothing
    ]


def test_a_choice_between_two_pulses_is_left_to_the_user(tmp_path):
    pulses = [
        (ppg_spec(1.0, source_id=n, name=n, channels=["raw"]), [1.0], np.ones((1, 1), np.float32))
        for n in "ab"
    ]
    session = write(tmp_path / "s.xdf", *pulses)
    with pytest.raises(DataError, match=r"expected one pulse stream, got 'a', 'b'; use table\(name\)"):
        _ = session.pulse
    assert session.table("b").height == 1


def test_a_picture_is_no_row_of_a_table(tmp_path):
    picture = (picture_spec(source_id="p"), [1.0], np.zeros((1, N_PICTURE_BYTES), np.uint8))
    session = write(tmp_path / "s.xdf", picture)
    with pytest.raises(DataError, match="expected at most 4096 channels for columns"):
        session.table("rtasmr-picture")
    assert session.recording.stream("rtasmr-picture").data.shape == (1, N_PICTURE_BYTES)
