"""Whether samples come at the rate of their header."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.rate import RateMonitor, RateVerdict, StampRate


def feed(monitor: RateMonitor, true_hz: float, stamped_hz: float, seconds: float) -> None:
    for k in range(round(seconds * 10)):
        n = round(true_hz / 10)
        times = (k * n + np.arange(n)) / stamped_hz
        monitor.update(times, (k + 1) / 10)


@pytest.mark.parametrize(
    ("true_hz", "stamped_hz", "verdict"),
    [
        (100.0, 100.0, RateVerdict.OK),
        (90.0, 90.0, RateVerdict.WARN),
        (110.0, 100.0, RateVerdict.WARN),
        (50.0, 50.0, RateVerdict.REFUSE),
        (210.0, 210.0, RateVerdict.REFUSE),
    ],
)
def test_rate_is_judged_within_ten_seconds(true_hz: float, stamped_hz: float, verdict: RateVerdict) -> None:
    monitor = RateMonitor(100.0)
    feed(monitor, true_hz, stamped_hz, 3.0)
    assert monitor.state.verdict is RateVerdict.UNKNOWN
    feed(monitor := RateMonitor(100.0), true_hz, stamped_hz, 5.0)
    assert (monitor.state.verdict is RateVerdict.REFUSE) is (verdict is RateVerdict.REFUSE)
    feed(monitor := RateMonitor(100.0), true_hz, stamped_hz, 9.0)
    assert monitor.state.verdict is verdict
    assert monitor.state.measured_hz == pytest.approx(true_hz, rel=0.01)
    assert bool(monitor.state.message) is (verdict is not RateVerdict.OK)


def test_pictures_have_the_rate_of_their_newest_stamps() -> None:
    rate = StampRate()
    assert np.isnan(rate.hz)
    rate.update(np.arange(25) / 25)
    assert np.isnan(rate.hz)  # 24 intervals are less than a second
    rate.update(np.arange(25, 200) / 25)
    assert rate.hz == pytest.approx(25.0)
    rate.update(8 + np.arange(60) / 15)  # another film
    assert rate.hz == pytest.approx(15.0, rel=0.02)
    rate.update(np.array([60.0]))  # the first after a pause
    assert np.isnan(rate.hz)
    rate.update(60 + np.arange(1, 40) / 30)
    assert rate.hz == pytest.approx(30.0)


def test_outage_is_not_a_wrong_rate() -> None:
    monitor = RateMonitor(100.0)
    for k in range(200):
        late = 0.0 if k < 60 else 5.0
        monitor.update((k * 10 + np.arange(10)) / 100.0 + late, (k + 1) / 10 + late)
    assert monitor.state.verdict is RateVerdict.OK


def test_what_was_held_back_is_not_a_wrong_rate() -> None:
    """100 Hz with right stamps, of which 8 s come late, 4 s with each of two turns."""
    monitor = RateMonitor(100.0)
    arrivals_s = [*np.arange(1, 31) / 10, *np.repeat([11.0, 11.004], 40), *np.arange(111, 310) / 10]
    for k, arrival_s in enumerate(arrivals_s):
        state = monitor.update((k * 10 + np.arange(10)) / 100.0, float(arrival_s))
        assert state.verdict in (RateVerdict.UNKNOWN, RateVerdict.OK), state
    assert state.measured_hz == pytest.approx(100.0, rel=1e-6)


@pytest.mark.parametrize(
    ("true_hz", "verdict"), [(55.0, RateVerdict.OK), (50.0, RateVerdict.WARN), (60.5, RateVerdict.WARN)]
)
@pytest.mark.parametrize("late_s", [0.0, 0.6, 0.75])
def test_what_a_burst_holds_back_is_not_a_wrong_rate(
    true_hz: float, verdict: RateVerdict, late_s: float
) -> None:
    """The first burst is late, as it is where somebody connects in its middle."""
    monitor, verdicts = RateMonitor(55.0, 0.8), set()
    for k in range(1, 51):
        times = np.arange(np.floor((k - 1) * 0.8 * true_hz), np.floor(k * 0.8 * true_hz)) / 55.0
        verdicts.add(monitor.update(times, 0.8 * k + late_s * (k == 1)).verdict)
    assert monitor.state.verdict is verdict
    assert (RateVerdict.WARN in verdicts) == (verdict is RateVerdict.WARN)


def test_a_rate_is_plausible_once_a_factor_of_two_would_have_shown() -> None:
    for true_hz, seconds, is_plausible in (
        (100, 1.0, False),
        (100, 1.2, True),
        (160, 3.9, False),
        (160, 4.2, True),
    ):
        feed(monitor := RateMonitor(100.0), true_hz, true_hz, seconds)
        assert (monitor.state.is_plausible, monitor.state.verdict) == (is_plausible, RateVerdict.UNKNOWN)
    assert RateMonitor(100.0, is_recorded=True).state.is_plausible
    feed(monitor := RateMonitor(100.0), 210.0, 210.0, 9.0)
    assert not monitor.state.is_plausible


def test_a_wrong_rate_that_looked_right_while_it_was_held_up_is_not_plausible_for_long() -> None:
    """Twice the rate, stamped as the header says; until 1.3 s have passed it comes 0.4 s late."""
    monitor, n_sent, seen = RateMonitor(100.0), 0, []
    for arrival_s in (np.arange(1, 25) / 10).tolist():
        n_due = round(200 * (max(arrival_s - 0.4, 0.2) if arrival_s < 1.3 else arrival_s))
        seen.append(monitor.update(np.arange(n_sent, n_due) / 100.0, arrival_s).is_plausible)
        n_sent = n_due
    assert any(seen[:12])
    assert not any(seen[13:])
