"""The pulse wave for the window: thinned, bounded, gaps not bridged."""

from __future__ import annotations

import numpy as np

from rtasmr.waveform import MAX_POINTS_PER_S, Waveform


def test_ten_seconds_at_most_sixty_points_a_second():
    waveform = Waveform()
    index = np.arange(40_000)
    for part in np.array_split(index, 400):
        waveform.push(part / 2000, part.astype(np.float64))
    times, values = waveform.points()
    assert 9.9 < times[-1] - times[0] <= 10.0
    assert len(times) <= 10 * MAX_POINTS_PER_S
    np.testing.assert_allclose(values, np.array(times) * 2000)


def test_a_gap_breaks_the_line():
    waveform = Waveform()
    waveform.push(np.arange(10) / 50, np.ones(10))
    waveform.push(1 + np.arange(10) / 50, np.ones(10))
    _, values = waveform.points()
    assert np.isnan(values).sum() == 1
    assert len(values) == 21


def test_nothing_yet():
    assert Waveform().points() == ((), ())
