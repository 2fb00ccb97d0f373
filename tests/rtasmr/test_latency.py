"""Percentiles in milliseconds."""

from __future__ import annotations

import math

from rtasmr.latency import Durations


def test_percentiles_of_the_newest_and_the_maximum_of_all():
    durations = Durations()
    for i in range(101):
        durations.add((100 - i) / 1000)
    assert durations.percentiles().as_dict() == {"p50": 50.0, "p99": 99.0, "max": 100.0}
    assert durations.percentiles(newest=11).as_dict() == {"p50": 5.0, "p99": 9.9, "max": 100.0}


def test_without_values_there_is_no_figure():
    empty = Durations().percentiles()
    assert math.isnan(empty.p50)
    assert empty.as_dict() == {"p50": None, "p99": None, "max": None}
