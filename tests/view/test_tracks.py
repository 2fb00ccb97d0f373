from __future__ import annotations

import math

import numpy as np
import pytest

from rtasmr.types import Status
from rtasmr.view.tracks import NO_RECORD, RecordColumns


def test_spans_cover_half_a_tick_on_either_side(clip):
    spans = RecordColumns.of(clip).spans()
    assert [span.word for span in spans] == ["warm-up", "gap"]
    np.testing.assert_allclose([spans[0].start_s, spans[0].stop_s], [999.95, 1004.95])
    np.testing.assert_allclose([spans[1].start_s, spans[1].stop_s], [1019.95, 1021.95])


def test_the_curve_breaks_where_there_is_no_probability(clip):
    times, values = RecordColumns.of(clip).curve()
    assert len(times) == 600  # nothing is inserted in an unbroken clip
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), [*range(50), *range(200, 220)])
    assert values[220] == 0.22


def test_the_curve_breaks_at_a_missing_tick(make_record):
    columns = RecordColumns.of([make_record(0, 0.1), make_record(1, 0.2), make_record(4, 0.3)])
    times, values = columns.curve()
    np.testing.assert_array_equal(values, [0.1, 0.2, math.nan, 0.3])
    assert np.all(np.diff(times) >= 0)
    (span,) = columns.spans()
    assert span.word == NO_RECORD
    np.testing.assert_allclose([span.start_s, span.stop_s], [1000.15, 1000.35])


def test_the_curve_breaks_between_segments_that_touch(make_record):
    records = [make_record(0, 0.1, label=""), make_record(0, 0.9, segment=1, origin_s=1000.1)]
    columns = RecordColumns.of(records)
    np.testing.assert_array_equal(columns.curve()[1], [0.1, math.nan, 0.9])
    assert columns.spans() == []


def test_time_between_segments_is_a_stretch_without_records(make_record):
    columns = RecordColumns.of([make_record(0), make_record(0, segment=1, origin_s=1010.0)])
    (span,) = columns.spans()
    np.testing.assert_allclose([span.start_s, span.stop_s], [1000.05, 1009.95])
    assert columns.spans(between_segments=False) == []


def test_a_segment_that_begins_before_the_last_one_ended_makes_no_span(make_record):
    records = [make_record(0), make_record(1), make_record(0, segment=1, origin_s=1000.05)]
    assert RecordColumns.of(records).spans() == []


def test_rating_steps_leave_out_the_unknown(make_record):
    ratings = [-1, -1, 0, 0, 3, 3, 3, 1]
    steps = RecordColumns.of([make_record(i, rating=r) for i, r in enumerate(ratings)]).rating_steps()
    assert [step.rating for step in steps] == [0, 3, 1]
    np.testing.assert_allclose([step.start_s for step in steps], [1000.15, 1000.35, 1000.65])
    np.testing.assert_allclose([step.stop_s for step in steps], [1000.35, 1000.65, 1000.75])


def test_joined_keeps_the_newest(make_record):
    first = RecordColumns.of([make_record(i, i / 10) for i in range(4)])
    second = RecordColumns.of([make_record(i, i / 10) for i in range(4, 6)])
    both = first.joined(second, n_kept=3)
    np.testing.assert_array_equal(both.tick, [3, 4, 5])
    np.testing.assert_array_equal(both.p, [0.3, 0.4, 0.5])


def test_since_keeps_one_record_before(make_record):
    columns = RecordColumns.of([make_record(i) for i in range(10)])
    np.testing.assert_array_equal(columns.since(1000.75).tick, [7, 8, 9])
    np.testing.assert_array_equal(columns.since(0.0).tick, range(10))


@pytest.mark.parametrize("status", [Status.STALE, Status.BAD_INPUT, Status.ABSENT])
def test_no_records_and_one_record_are_drawn_too(make_record, status: Status):
    empty = RecordColumns.of([])
    assert (len(empty.curve()[0]), empty.spans(), empty.rating_steps()) == (0, [], [])
    (span,) = RecordColumns.of([make_record(3, status=status)]).spans()
    np.testing.assert_allclose([span.start_s, span.stop_s], [1000.25, 1000.35])
