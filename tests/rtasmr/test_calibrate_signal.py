"""A probe is found where it is, and delays are refused where they prove nothing."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.calibrate_signal import CalibrationError, Heard, agreed_delay, find_probe, probe

SFREQ = 44_100
FIRST_S = 1000.0
DUE_S = 1000.2


def recorded(*delays_s, rng=None, noise=0.0, gain=0.5):
    """Return 0.9 s of sound in which the probe is heard these seconds after it was due."""
    sound = np.zeros(round(0.9 * SFREQ))
    for delay_s in delays_s:
        first = round((DUE_S + delay_s - FIRST_S) * SFREQ)
        wave = probe(SFREQ)
        sound[first : first + len(wave)] += gain * wave
    if rng is not None:
        sound += noise * rng.standard_normal(len(sound))
    return np.round(np.clip(32_767 * sound, -32_768, 32_767)).astype(np.int16)


@pytest.mark.parametrize("delay_s", [-0.1, 0.0, 0.0803, 0.5])
def test_a_probe_is_found_to_a_tenth_of_a_ms(delay_s):
    heard = find_probe(recorded(delay_s), FIRST_S, DUE_S, SFREQ)
    assert heard.delay_s == pytest.approx(delay_s, abs=1e-4)
    assert heard.match == pytest.approx(1, abs=1e-3)
    assert not heard.is_double


def test_a_probe_in_noise_as_loud_or_turned_over_is_found(rng):
    loud = 0.5 * float(np.std(probe(SFREQ)))
    sound = recorded(0.08, rng=rng, noise=loud)
    for one in (sound, -np.maximum(sound, -32_767)):
        assert find_probe(one, FIRST_S, DUE_S, SFREQ).delay_s == pytest.approx(0.08, abs=1e-4)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.1, 1.0])
def test_where_there_is_none_none_is_found(rng, noise):
    assert find_probe(recorded(rng=rng, noise=noise), FIRST_S, DUE_S, SFREQ) is None


def test_other_sound_is_no_probe():
    tone = (20_000 * np.sin(2 * np.pi * 3000 * np.arange(SFREQ) / SFREQ)).astype(np.int16)
    assert find_probe(tone, FIRST_S, DUE_S, SFREQ) is None
    assert find_probe(tone[:100], FIRST_S, DUE_S, SFREQ) is None


def test_an_echo_is_left_out_unless_it_is_as_loud():
    quiet = recorded(0.02) + recorded(0.06, gain=0.25)
    heard = find_probe(quiet, FIRST_S, DUE_S, SFREQ)
    assert heard.delay_s == pytest.approx(0.02, abs=1e-4)
    assert not heard.is_double
    assert find_probe(recorded(0.02, 0.1), FIRST_S, DUE_S, SFREQ).is_double


def at(*delays_ms, is_double=False):
    return [None if d is None else Heard(d / 1000, 0.9, is_double) for d in delays_ms]


def test_the_delay_is_the_median_of_those_that_agree():
    delay = agreed_delay([at(78, 80, 81, None), at(82, 79, 300, 80)])
    assert delay.delay_s == pytest.approx(0.080)
    assert delay.spread_s == pytest.approx(0.002)
    assert (delay.n_heard, delay.n_played) == (6, 8)


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (at(None, None, None, None), "heard 0"),
        (at(80, 80, None, None), "heard 2; turn the sound up"),
        (at(0, 50, 100, 150), "delays from 0 to 150 ms"),
        (at(80, 80, 80, 80, is_double=True), "most of them twice"),
    ],
)
def test_what_proves_nothing_is_refused(heard, told):
    with pytest.raises(CalibrationError, match=told) as refused:
        agreed_delay([heard])
    assert "\n" not in str(refused.value)


def test_an_input_that_says_something_else_each_time_it_is_opened_is_refused():
    """Each pass agrees in itself, and all lie within 10 ms of the median."""
    with pytest.raises(CalibrationError, match="opened anew, got 74 and 86 ms"):
        agreed_delay([at(74, 74, 74, 74), at(86, 86, 86, 86)])
    delay = agreed_delay([at(76, 76, 76, 76), at(84, 84, 84, 84)])
    assert (delay.delay_s, delay.spread_s) == (pytest.approx(0.080), pytest.approx(0.004))
