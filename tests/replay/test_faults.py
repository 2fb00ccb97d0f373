"""Faults made on purpose: pure, so the answers are exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.faults import OUTAGE_S, Faults, Gap, Switch
from rtasmr.errors import ConfigError
from rtasmr.sources.packets import Packet, regular_packets

START_S = 100.0


def pulse(faults: Faults, seconds: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """A counter at 100 Hz through the device's faults: stamps since the start, and the counter."""
    counter = np.arange(round(100 * seconds))
    packets = list(
        faults.on_packets(regular_packets([counter], START_S, 100.0, itertools.repeat(0.07)), START_S)
    )
    assert all(len(packet.times) for packet in packets)
    times = np.concatenate([packet.times for packet in packets])
    return times - START_S, np.concatenate([packet.data for packet in packets])


def test_a_gap_takes_its_samples_and_no_others() -> None:
    _, counter = pulse(Faults(gaps=(Gap(2.0, 0.5), Gap(7.25, 1.0))))
    lost = sorted(set(range(1000)) - set(counter.tolist()))
    assert lost == [*range(200, 250), *range(725, 825)]


def test_a_source_that_restarts_loses_what_falls_in_between() -> None:
    faults = Faults(restart_every_s=4.0)
    _, counter = pulse(faults)
    assert sorted(set(range(1000)) - set(counter.tolist())) == [*range(400, 500), *range(800, 900)]
    assert list(faults.switches(3, START_S, START_S, START_S + 10.0)) == [
        Switch(104.0, 3, is_up=False),
        Switch(104.0 + OUTAGE_S, 3, is_up=True),
        Switch(108.0, 3, is_up=False),
        Switch(108.0 + OUTAGE_S, 3, is_up=True),
    ]
    assert [s.due_s for s in faults.switches(3, START_S, 107.0, START_S + 10.0)] == [108.0, 109.0]
    assert list(itertools.islice(Faults().switches(3, START_S, START_S, np.inf), 1)) == []


@given(st.floats(-1e5, 1e5))
def test_a_device_that_runs_fast_stamps_early(ppm: float) -> None:
    times, counter = pulse(Faults(drift_ppm=ppm))
    np.testing.assert_array_equal(counter, np.arange(1000))
    np.testing.assert_allclose(times, np.arange(1000) / 100 / (1 + 1e-6 * ppm), rtol=0, atol=1e-9)


def test_drift_of_500_ppm_is_900_ms_in_half_an_hour() -> None:
    late = Packet(np.array([START_S + 1800.0]), np.zeros(1))
    (packet,) = Faults(drift_ppm=500.0).on_packets([late], START_S)
    assert late.times[0] - packet.times[0] == pytest.approx(0.9, abs=1e-3)
    assert not packet.is_regular  # its stamps must travel one by one


def test_without_a_fault_nothing_changes() -> None:
    packet = Packet(np.array([START_S]), np.zeros(1), is_regular=True)
    assert list(Faults().on_packets([packet], START_S)) == [packet]


@pytest.mark.parametrize("text", ["", "5", "5,", "5,0", "-1,2", "5,nan", "inf,1", "a,b", "1,2,3"])
def test_a_gap_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--gap AT,LEN"):
        Gap.parse(text)


def test_a_gap_is_read() -> None:
    assert Gap.parse("10, 2.5") == Gap(10.0, 2.5)


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"jitter_s": -1.0}, "--jitter"),
        ({"jitter_s": float("nan")}, "--jitter"),
        ({"drop": 1.5}, "--drop"),
        ({"drop": float("nan")}, "--drop"),
        ({"drift_ppm": 1e6}, "--drift"),
        ({"drift_ppm": float("nan")}, "--drift"),
        ({"restart_every_s": 1.0}, "--restart-every"),
        ({"restart_every_s": float("nan")}, "--restart-every"),
    ],
)
def test_impossible_faults_are_refused(values: dict[str, float], option: str) -> None:
    with pytest.raises(ConfigError, match=f"expected {option}.*Correct it"):
        Faults(**values)
