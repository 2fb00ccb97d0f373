"""Faults planted in a clean pulse wave are found where they were planted."""

import numpy as np
import pytest

from offline.continuity import Continuity, Fault, count_faults, find_faults, standing, total

SFREQ = 2000.0


@pytest.fixture
def wave(rng):
    """Ten seconds of a 1 mV wave at 72 beats per minute with converter noise."""
    time_s = np.arange(round(10 * SFREQ)) / SFREQ
    return 0.5 * np.sin(2 * np.pi * 1.2 * time_s) + 0.004 * rng.standard_normal(len(time_s))


def found_at(faults):
    return {fault: np.flatnonzero(mask).tolist() for fault, mask in faults.items() if mask.any()}


def test_a_clean_wave_has_no_fault(wave):
    assert found_at(find_faults(wave, SFREQ)) == {}


def test_a_flat_line_counts_from_a_tenth_of_a_second(wave):
    wave[1000:1200] = wave[1000]  # 0.1 s
    wave[5000:5199] = wave[5000]  # one sample less
    assert found_at(find_faults(wave, SFREQ)) == {Fault.FLAT: list(range(1000, 1200))}


def test_clipping_is_standing_at_the_end_of_the_range(wave):
    wave[3000:3020] = wave.max()  # 10 ms
    wave[4000:4020] = wave.min()
    wave[6000:6019] = wave.max()  # one sample less
    wave[7000:7020] = 0.1  # within the range
    expected = [*range(3000, 3020), *range(4000, 4020)]
    faults = find_faults(wave, SFREQ)
    assert np.flatnonzero(faults[Fault.CLIPPED]).tolist() == expected
    assert not faults[Fault.FLAT].any()


def test_a_disconnect_jumps_stands_and_jumps_back(wave):
    wave[8000:9000] = -5.0
    faults = find_faults(wave, SFREQ)
    assert np.flatnonzero(faults[Fault.FLAT]).tolist() == list(range(8000, 9000))
    # The step down falls on the first sample of the flat line and counts there.
    assert np.flatnonzero(faults[Fault.JUMP]).tolist() == [9000]
    assert not faults[Fault.CLIPPED].any()


def test_a_step_of_half_the_range_within_a_sample_is_a_jump(wave):
    wave[12_000:] += 3.0
    assert found_at(find_faults(wave, SFREQ)) == {Fault.JUMP: [12_000]}


def test_missing_samples_are_missing_and_nothing_else(wave):
    wave[500:700] = np.nan
    assert found_at(find_faults(wave, SFREQ)) == {Fault.MISSING: list(range(500, 700))}


def test_a_recording_of_nothing_is_all_missing_and_one_of_a_constant_all_flat():
    assert count_faults(find_faults(np.full(400, np.nan), SFREQ), [(0, 400)]).lost[Fault.MISSING] == 400
    assert count_faults(find_faults(np.zeros(400), SFREQ), [(0, 400)]).lost[Fault.FLAT] == 400


def test_equal_neighbours_are_counted_in_runs():
    values = np.array([1.0, 1.0, 1.0, 2.0, np.nan, np.nan, 3.0, 3.0])
    assert standing(values, 2).tolist() == [True, True, True, False, False, False, True, True]
    assert standing(values, 3).tolist() == [True, True, True, False, False, False, False, False]


def test_only_the_trials_count_and_what_the_file_lacks_is_missing(wave):
    wave[1000:1400] = wave[1000]
    faults = find_faults(wave, SFREQ)
    part = count_faults(faults, [(1200, 2200), (19_000, 21_000)])
    assert part.n_samples == 3000
    assert part.lost[Fault.FLAT] == 200
    assert part.lost[Fault.MISSING] == 1000
    assert part.percent == pytest.approx(60.0)


def test_recordings_add_up():
    one = Continuity(1000, dict.fromkeys(Fault, 0) | {Fault.JUMP: 1})
    two = Continuity(3000, dict.fromkeys(Fault, 0) | {Fault.FLAT: 3})
    whole = total([one, two])
    assert (whole.n_samples, whole.lost[Fault.JUMP], whole.lost[Fault.FLAT]) == (4000, 1, 3)
    assert whole.percent == pytest.approx(99.9)
    assert np.isnan(total([]).percent)
