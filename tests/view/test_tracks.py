from __future__ import annotations

import math

import numpy as np
import pytest

from rtasmr.types import Cause, Status
from rtasmr.view.tracks import NO_RECORD, OUTSIDE, RecordColumns, thinned, trend_steps


def test_spans_cover_half_a_tick_on_either_side(clip):
    spans = RecordColumns.of(clip).spans()
    assert [span.word for span in spans] == ["warm-up", "gap"]
    np.testing.assert_allclose([spans[0].start_s, spans[0].stop_s], [999.95, 1004.95])
    np.testing.assert_allclose([spans[1].start_s, spans[1].stop_s], [1019.95, 1021.95])


def test_a_pause_and_an_overload_are_called_so(make_record):
    held = [make_record(k, status=Status.GAP, cause=Cause.PAUSED) for k in (0, 1)]
    held += [make_record(2, status=Status.BAD_INPUT, cause=Cause.PAUSED)]
    lost = [make_record(3, status=Status.GAP)]
    slow = [make_record(k, status=Status.STALE, cause=Cause.OVERLOAD) for k in (4, 5)]
    judged = [make_record(6, cause=Cause.PAUSED)]  # from the pulse alone: there is nothing to explain
    spans = RecordColumns.of(held + lost + slow + judged).spans()
    assert [span.word for span in spans] == ["paused", "gap", "overload"]
    np.testing.assert_allclose([s.stop_s for s in spans], [1000.25, 1000.35, 1000.55])


def test_the_curve_breaks_where_there_is_no_probability(clip):
    times, values = RecordColumns.of(clip).curve()
    assert len(times) == 600  # nothing is inserted in an unbroken clip
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), [*range(50), *range(200, 220)])
    assert values[220] == 0.22


def short_of(records, lookahead: int, *, is_over: bool = True) -> list[int]:
    columns = RecordColumns.of(records)
    return np.flatnonzero(columns.is_short(lookahead, is_over=is_over)).tolist()


def test_ticks_with_less_lookahead_are_those_before_an_end_a_pause_or_a_gap(make_record):
    first = [make_record(k) for k in range(20)]
    first += [make_record(k, status=Status.GAP, cause=Cause.PAUSED) for k in (20, 21)]
    first += [make_record(k) for k in (22, 23)]  # fewer than the model looks ahead
    second = [make_record(k, segment=1, origin_s=1002.4) for k in range(10)]
    assert short_of(first + second, 3) == [17, 18, 19, 22, 23, 31, 32, 33]
    assert short_of(first + second, 3, is_over=False) == [17, 18, 19, 22, 23]
    assert short_of(first + second, 0) == []
    # What came after a tick whose follower's record is lost is not known.
    assert short_of([make_record(0), make_record(5)], 3) == [1]
    assert short_of([], 3) == []


def test_a_curve_in_two_parts_is_the_curve(make_record):
    records = [make_record(k, k / 10) for k in range(6)]
    records += [make_record(k, 0.9, segment=1, origin_s=1000.6) for k in range(2)]
    times, whole, short = RecordColumns.of(records).curves(2, is_over=False)
    nan = math.nan
    np.testing.assert_allclose(times, [1000 + k / 10 for k in (0, 1, 2, 3, 4, 5, 6, 6, 7)])
    np.testing.assert_array_equal(whole, [0.0, 0.1, 0.2, 0.3, nan, nan, nan, 0.9, 0.9])
    np.testing.assert_array_equal(short, [nan, nan, nan, 0.3, 0.4, 0.5, nan, nan, nan])


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


def test_a_stretch_goes_on_into_the_next_segment_in_the_window_alone(make_record):
    """The second of a session before its first clip, and the warm-up of that clip."""
    first = [make_record(k, label="", status=Status.WARMUP) for k in range(3)]
    second = [make_record(k, segment=1, origin_s=1000.32, status=Status.WARMUP) for k in range(5)]
    lost = [make_record(k, segment=1, origin_s=1000.32, status=Status.GAP) for k in (5, 6)]
    columns = RecordColumns.of(first + second + lost)
    whole, gap = columns.spans()
    assert (whole.word, gap.word) == ("warm-up", "gap")
    np.testing.assert_allclose([whole.start_s, whole.stop_s], [999.95, 1000.77])
    apart = columns.spans(between_segments=False)
    assert [span.word for span in apart] == ["warm-up", "warm-up", "gap"]


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


def test_the_band_breaks_with_the_curve_and_where_there_is_none(make_record):
    records = [make_record(0, band=(0.2, 0.6)), make_record(1), make_record(5, band=(0.1, 0.3))]
    times, low, high = RecordColumns.of(records).band()
    np.testing.assert_array_equal(times, [1000.0, 1000.1, 1000.5, 1000.5])
    np.testing.assert_array_equal(low, [0.2, math.nan, math.nan, 0.1])
    np.testing.assert_array_equal(high, [0.6, math.nan, math.nan, 0.3])


def test_stretches_outside_the_training_are_found(make_record):
    columns = RecordColumns.of([make_record(i, outside=i in (2, 3)) for i in range(6)])
    (span,) = columns.outside_spans()
    assert span.word == OUTSIDE
    np.testing.assert_allclose([span.start_s, span.stop_s], [1000.15, 1000.35])
    assert RecordColumns.of([]).outside_spans() == []


class TestThinned:
    def test_few_points_come_back_as_they_are(self):
        times, values = np.arange(7.0), np.arange(7.0)
        assert thinned(times, values, 3.0)[0] is times

    def test_each_pixel_keeps_its_extremes(self, rng: np.random.Generator):
        times, values = np.arange(1000.0), rng.standard_normal(1000)
        few_times, few = thinned(times, values, 100.0)
        assert len(few) == 20
        assert np.all(np.diff(few_times) > 0)
        for k in range(10):
            whole = values[100 * k : 100 * (k + 1)]
            part = few[(few_times >= 100 * k) & (few_times < 100 * (k + 1))]
            assert set(part) == {whole.min(), whole.max()}

    def test_a_point_more_changes_nothing_before_it(self, rng: np.random.Generator):
        times, values = np.arange(1000.0), rng.standard_normal(1000)
        longer, shorter = (thinned(times[:n], values[:n], 100.0) for n in (930, 901))
        for long, short in zip(longer, shorter, strict=True):
            np.testing.assert_array_equal(long[:18], short[:18])

    def test_a_gap_of_one_point_stays_a_gap(self):
        values = np.zeros(1000)
        values[500] = np.nan
        times, few = thinned(np.arange(1000.0), values, 100.0)
        assert times[np.isnan(few)].tolist() == [500.0]

    def test_nothing_but_gaps_stays_nothing(self):
        _, few = thinned(np.arange(100.0), np.full(100, np.nan), 20.0)
        assert np.isnan(few).all()
        assert len(few) == 1

    def test_nothing_stays_nothing(self):
        assert len(thinned(np.empty(0), np.empty(0), 1.0)[0]) == 0


class TestTrendSteps:
    def test_a_reading_holds_for_its_second(self):
        times, values = trend_steps(np.array([5.0, 6.0]), np.array([60.0, 70.0]))
        np.testing.assert_array_equal(times, [4.0, 5.0, 5.0, 6.0])
        np.testing.assert_array_equal(values, [60.0, 60.0, 70.0, 70.0])

    def test_steps_do_not_overlap(self):
        times, _ = trend_steps(np.array([5.0, 5.4]), np.array([60.0, 70.0]))
        np.testing.assert_array_equal(times, [4.0, 5.0, 5.0, 5.4])

    def test_missing_readings_break_the_curve(self):
        times, values = trend_steps(np.array([5.0, 9.0]), np.array([60.0, 70.0]))
        np.testing.assert_array_equal(times, [4.0, 5.0, 8.0, 8.0, 9.0])
        np.testing.assert_array_equal(values, [60.0, 60.0, np.nan, 70.0, 70.0])

    def test_no_readings_are_no_curve(self):
        times, values = trend_steps(np.empty(0), np.empty(0))
        assert (len(times), len(values)) == (0, 0)
