"""Percentiles in milliseconds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rtasmr import latency
from rtasmr.latency import STAGES, Durations, LeadWatch, StageDurations
from rtasmr.types import FeatureFrame, Modality, Segment, Status, TickTiming


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


def test_figures_past_the_kept_ones_are_those_of_the_newest(monkeypatch):
    monkeypatch.setattr(latency, "KEPT", 2000)
    durations = Durations()
    for i in range(5000):
        durations.add(i / 1000)
    assert len(durations) == 2000
    assert durations.percentiles(3).as_dict() == {"p50": 4998.0, "p99": 4998.98, "max": 4999.0}
    assert durations.percentiles().p50 == pytest.approx(3999.5)


def test_stages_follow_each_other_and_sum_to_the_publish_latency():
    stages = StageDurations()
    timing = TickTiming(began=10.010, aligned=10.012, featured=10.030, predicted=10.034, encoder_s=0.015)
    seconds = stages.add(10.0, timing, 10.035)
    np.testing.assert_allclose(seconds, [0.010, 0.002, 0.003, 0.015, 0.004, 0.001], atol=1e-9)
    assert seconds.sum() == pytest.approx(0.035)
    figures = {name: figure.as_dict()["p50"] for name, figure in stages.percentiles().items()}
    assert figures == dict(zip(STAGES, [10.0, 2.0, 3.0, 15.0, 4.0, 1.0], strict=True))


@pytest.mark.parametrize(
    ("status", "needed"),
    [
        ((Status.OK, Status.OK, Status.OK), 5.1),
        ((Status.ABSENT, Status.OK, Status.ABSENT), 5.1),
        ((Status.ABSENT, Status.ABSENT, Status.OK), 5.0),  # complete with the picture of its own time
        ((Status.GAP, Status.ABSENT, Status.OK), 5.0),
    ],
)
def test_a_tick_of_pictures_alone_waits_for_no_look_ahead(status, needed):
    by_modality = dict(zip((Modality.PPG, Modality.SOUND, Modality.PICTURE), status, strict=True))
    frame = FeatureFrame(Segment(0, "", 0.0), 50, 5.0, np.zeros(3), np.zeros(3, dtype=bool), by_modality)
    assert latency.newest_needed(frame, 0.1) == pytest.approx(needed)


def test_stamps_ahead_of_the_clock_are_no_latency_until_10_s_later():
    lead = LeadWatch()
    assert lead.can_measure(needed=100.0, taken=100.02)
    assert not lead.can_measure(needed=100.0, taken=99.995)
    assert lead.take_news() is None  # stamps are not known better
    assert lead.can_measure(needed=100.1, taken=100.12)
    assert not lead.can_measure(needed=100.2, taken=100.15)
    assert lead.take_news() == pytest.approx(0.05)
    assert not lead.can_measure(needed=110.1, taken=110.14)  # set back meanwhile, about to run ahead again
    assert lead.can_measure(needed=110.2, taken=110.22)
    assert not lead.can_measure(needed=120.0, taken=119.0)
    assert lead.take_news() is None  # told once
