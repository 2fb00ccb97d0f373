from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, resample, resample_poly, sosfilt, sosfilt_zi, sosfreqz

from rtasmr.dataset import DataSet
from rtasmr.errors import StreamError
from rtasmr.features.ppg import CausalFilter, PpgFeature, RunningNormaliser, design_ppg_filter
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import Status

SPEC = FeatureSpec()
SFREQ = 2000.0
TICK = 200  # samples per tick at 2000 Hz


def pulse(duration_s: float, sfreq: float = SFREQ, offset: float = 0.0):
    """A pulse-like wave: two harmonics of 1.1 Hz and a slow drift."""
    t = np.arange(round(duration_s * sfreq)) / sfreq
    return offset + np.sin(2 * np.pi * 1.1 * t) + 0.4 * np.sin(2 * np.pi * 2.2 * t + 1) + 0.2 * np.sin(t)


def stretches(samples, sfreq: float = SFREQ):
    """Cut a recording that starts at tick 0 into what each tick adds, up to 0.1 s after it."""
    stop = 0
    for tick in range(len(samples)):
        start, stop = stop, round((tick + 1) / 10 * sfreq) + 1
        if stop > len(samples):
            return
        yield samples[start:stop]


def readings(samples, sfreq: float = SFREQ, filtered: bool = True):
    feature = PpgFeature(SPEC, sfreq, filtered)
    return [feature.update(new, len(new)) for new in stretches(samples, sfreq)]


def invalid_ticks(readings_):
    return [tick for tick, reading in enumerate(readings_) if not reading.valid]


def z_score(values):
    return (values - np.mean(values)) / np.std(values)


# --- the normaliser -----------------------------------------------------------------------------


def test_normaliser_is_the_population_z_score_at_first(rng):
    values = rng.standard_normal(300) + 5
    normaliser = RunningNormaliser(300)
    scores = [normaliser.update(value) for value in values]
    assert np.isnan(scores[0])
    expected = [(values[n] - values[: n + 1].mean()) / values[: n + 1].std() for n in range(1, 300)]
    np.testing.assert_allclose(scores[1:], expected, rtol=1e-9, atol=1e-9)


def test_normaliser_forgets_exponentially():
    """After 4 values a memory of 4 weighs each new one by 1/4; figures by hand."""
    normaliser = RunningNormaliser(4)
    for value in (1.0, -1.0, 1.0, -1.0):  # mean 0, variance 1
        normaliser.update(value)
    # mean = 4 / 4 = 1, variance = 3/4 (1 + 16 / 4) = 3.75
    assert normaliser.update(4.0) == pytest.approx(3 / np.sqrt(3.75))


def test_equal_values_have_no_score():
    normaliser = RunningNormaliser(300)
    assert np.isnan([normaliser.update(2.5) for _ in range(5)]).all()


# --- the filter ---------------------------------------------------------------------------------


def test_low_pass_halves_the_power_at_its_edge():
    _, response = sosfreqz(design_ppg_filter(SPEC, SFREQ, filtered=True), worN=[0.0, 4.5], fs=SFREQ)
    np.testing.assert_allclose(np.abs(response), [1.0, np.sqrt(0.5)], rtol=1e-6)


@pytest.mark.parametrize("sfreq", [2000.0, 100.0, 60.0, 30.0])
def test_raw_stream_loses_its_offset(sfreq):
    _, response = sosfreqz(design_ppg_filter(SPEC, sfreq, filtered=False), worN=[0.0, 1.5], fs=sfreq)
    assert np.abs(response[0]) == pytest.approx(0.0, abs=1e-6)
    assert 0.9 < np.abs(response[1]) < 1.0


@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(1, 1999), max_size=20))
def test_filter_does_not_depend_on_the_pieces(seed, cuts):
    samples = np.random.default_rng(seed).standard_normal(2000)
    whole, pieces = (CausalFilter(design_ppg_filter(SPEC, 200.0, filtered=False)) for _ in range(2))
    whole.push(samples)
    for piece in np.split(samples, sorted(set(cuts))):
        pieces.push(piece)
    assert whole.output == pieces.output


def test_filter_starts_in_its_steady_state():
    causal = CausalFilter(design_ppg_filter(SPEC, SFREQ, filtered=True))
    causal.push(np.full(500, 2065.0))
    assert causal.output == pytest.approx(2065.0, rel=1e-9)


def test_held_reading_leaves_the_state_alone():
    samples = pulse(1.0)
    causal, untouched = (CausalFilter(design_ppg_filter(SPEC, SFREQ, filtered=True)) for _ in range(2))
    for each in (causal, untouched):
        each.push(samples)
    held = causal.held(50)
    causal.push(samples)
    untouched.push(samples)
    assert causal.output == untouched.output
    extended = CausalFilter(design_ppg_filter(SPEC, SFREQ, filtered=True))
    extended.push(np.concatenate((samples, np.full(50, samples[-1]))))
    assert held == extended.output


# --- readings -----------------------------------------------------------------------------------


def test_first_reading_has_nothing_to_compare_with():
    first, *others = readings(pulse(3.0))
    assert (first.valid, first.status) == (False, Status.WARMUP)
    assert np.isnan(first.value)
    assert all(reading.valid and reading.status is Status.OK for reading in others)


@pytest.mark.parametrize("filtered", [True, False])
def test_offset_and_gain_do_not_matter(filtered):
    plain = readings(pulse(10.0), filtered=filtered)
    scaled = readings(2065.0 + 30.0 * pulse(10.0), filtered=filtered)
    np.testing.assert_allclose(
        [reading.value for reading in plain[1:]], [reading.value for reading in scaled[1:]], atol=1e-6
    )


def test_slow_streams_are_refused():
    with pytest.raises(StreamError, match=r"expected at least 20 samples/s, got 19\.9"):
        PpgFeature(SPEC, 19.9, filtered=True)
    assert readings(pulse(3.0, 20.0), 20.0)[-1].valid


@pytest.mark.parametrize("sfreq", [0.0, -5.0, float("nan"), float("inf")])
def test_senseless_rates_are_refused(sfreq):
    with pytest.raises(StreamError, match="samples/s"):
        PpgFeature(SPEC, sfreq, filtered=True)


def test_reset_forgets_everything():
    feature = PpgFeature(SPEC, SFREQ, filtered=False)
    first = [feature.update(new, len(new)) for new in stretches(pulse(3.0))]
    feature.update(np.full(1000, np.nan), 1000)
    feature.reset()
    again = [feature.update(new, len(new)) for new in stretches(pulse(3.0))]
    assert repr(first) == repr(again)


# --- losses -------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    # From the third sample on: one sample alone does not tell a pulse from a flat line.
    gaps=st.lists(st.tuples(st.integers(2, 990), st.integers(1, 10)), max_size=12),
)
@settings(max_examples=50, deadline=None)
def test_short_gaps_equal_interpolation_of_the_whole_recording(seed, gaps):
    sfreq, max_gap = 100.0, 10
    samples = np.cumsum(np.random.default_rng(seed).standard_normal(1001))
    lost = np.zeros(1001, dtype=bool)
    for start, length in gaps:
        if not lost[max(start - 1, 0) : start + length + 1].any():  # gaps that do not touch
            lost[start : start + length] = True
    lost[-1] = False
    gappy = np.where(lost, np.nan, samples)
    live = readings(gappy, sfreq)

    known = np.flatnonzero(~lost)
    assert np.diff(known).max() - 1 <= max_gap
    filled = np.interp(np.arange(1001), known, samples[known])
    sos = design_ppg_filter(SPEC, sfreq, filtered=True)
    filtered, _ = sosfilt(sos, filled, zi=sosfilt_zi(sos) * filled[0])
    normaliser = RunningNormaliser(300)
    for tick, reading in enumerate(live):
        at = 10 * (tick + 1)
        n_held = at - known[known <= at][-1]
        value = filtered[at]
        if n_held:  # the read point lies in a gap: the last sample is held
            held = CausalFilter(sos)
            held.push(np.concatenate((filled[: at - n_held + 1], np.full(n_held, filled[at - n_held]))))
            value = held.output
        expected = normaliser.update(value)
        assert reading.valid == (tick > 0)
        if reading.valid:
            assert reading.value == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(seed=st.integers(0, 2**32 - 1), tick=st.integers(0, 18), n_lost=st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_later_samples_change_no_earlier_reading(seed, tick, n_lost):
    random = np.random.default_rng(seed)
    samples = random.standard_normal(401)
    samples[random.random(401) < 0.05] = np.nan
    changed = samples.copy()
    first_later = 20 * (tick + 1) + 1
    changed[first_later:] = random.standard_normal(len(changed) - first_later)
    changed[first_later : first_later + n_lost] = np.nan
    original, altered = readings(samples, 200.0), readings(changed, 200.0)
    assert repr(original[: tick + 1]) == repr(altered[: tick + 1])


def test_gap_of_a_tenth_of_a_second_is_bridged():
    samples = pulse(6.0)
    samples[4001:4201] = np.nan  # exactly the stretch of tick 20
    assert invalid_ticks(readings(samples)) == [0]


@pytest.mark.parametrize(("filtered", "n_settle"), [(True, 1000), (False, 4000)])
def test_longer_gap_is_invalid_until_the_filter_has_settled(filtered, n_settle):
    samples = pulse(8.0)
    samples[4001:4202] = np.nan  # one sample more: known to be too long at tick 21
    result = readings(samples, filtered=filtered)
    # Tick k reads sample 200 (k + 1); the first sample after the gap is 4202.
    settled = next(tick for tick in range(21, 80) if 200 * (tick + 1) - 4202 + 1 >= n_settle)
    assert invalid_ticks(result) == [0, *range(21, settled)]
    assert {result[tick].status for tick in range(21, settled)} == {Status.GAP}


def test_normaliser_remembers_over_a_gap():
    samples = pulse(20.0)
    gappy = samples.copy()
    gappy[20_000:24_000] = np.nan
    whole, broken = readings(samples), readings(gappy)
    resumed = [tick for tick in range(150, 199) if broken[tick].valid]
    assert len(resumed) == 49
    difference = [whole[tick].value - broken[tick].value for tick in resumed]
    assert np.abs(difference).max() < 0.1


def test_loss_at_the_start_of_a_segment():
    samples = pulse(4.0)
    samples[:50] = np.nan
    assert invalid_ticks(readings(samples)) == [0]
    samples[:300] = np.nan
    result = readings(samples)
    # Longer than 0.1 s: settles for 1000 samples from sample 300, so tick 6 (sample 1400) is the first fed.
    assert invalid_ticks(result) == list(range(7))
    assert result[0].status is Status.GAP


def test_infinite_samples_are_lost_and_bad():
    samples = pulse(4.0)
    samples[4001:4301] = np.inf
    result = readings(samples)
    assert {result[tick].status for tick in invalid_ticks(result)[1:]} == {Status.BAD_INPUT}
    assert all(np.isfinite(reading.value) for reading in result if reading.valid)


def test_late_samples_are_stale_and_then_used():
    pieces = list(stretches(pulse(4.0)))
    feature = PpgFeature(SPEC, SFREQ, filtered=True)
    for new in pieces[:10]:
        feature.update(new, len(new))
    stale = feature.update(pieces[10][:50], TICK)
    assert (stale.valid, stale.status) == (False, Status.STALE)
    caught_up = feature.update(np.concatenate((pieces[10][50:], pieces[11])), 350)

    causal, normaliser = CausalFilter(design_ppg_filter(SPEC, SFREQ, True)), RunningNormaliser(300)
    for tick, new in enumerate(pieces[:12]):
        causal.push(new)
        if tick != 10:  # the filter saw every sample in order, the normaliser had no value there
            expected = normaliser.update(causal.output)
    assert caught_up.value == expected


def test_no_samples_due_is_no_reading():
    feature = PpgFeature(SPEC, SFREQ, filtered=True)
    for new in stretches(pulse(2.0)):
        feature.update(new, len(new))
    nothing = feature.update(np.empty(0), 0)
    assert (nothing.valid, nothing.status) == (False, Status.STALE)


# --- bad input ----------------------------------------------------------------------------------


def test_flat_line_is_bad_after_a_second():
    samples = pulse(8.0)
    samples[4001:10_001] = samples[4000]  # tick 25 is the first to see it for half of the last second
    result = readings(samples)
    bad = invalid_ticks(result)[1:]
    assert bad[0] in range(25, 30)
    assert set(range(29, 50)) <= set(bad)
    assert {result[tick].status for tick in bad} == {Status.BAD_INPUT}
    # Half a second until half of the last second moves, half a second to settle.
    assert bad == list(range(bad[0], bad[-1] + 1))
    assert bad[-1] in range(54, 60)


@pytest.mark.parametrize("level", [0.0, 2065.3])
def test_flat_line_from_the_start_never_counts(level):
    result = readings(np.full(6001, level))
    assert [reading.status for reading in result[:9]] == [Status.WARMUP] * 9
    assert {reading.status for reading in result[10:]} == {Status.BAD_INPUT}
    assert not any(reading.valid for reading in result)


def test_saturated_signal_is_bad():
    assert {r.status for r in readings(np.clip(4 * pulse(6.0), -1, 1))[10:]} == {Status.BAD_INPUT}


def test_coarse_steps_are_not_taken_for_saturation():
    coarse = np.round(10 * pulse(8.0))
    assert invalid_ticks(readings(coarse)) == [0]


# --- real recordings ----------------------------------------------------------------------------


def amplifier_band(samples, sfreq):
    """Stand in for the amplifier's 0.5-35 Hz channel."""
    sos = butter(2, (0.5, 35.0), "bandpass", fs=sfreq, output="sos")
    return sosfilt(sos, samples, zi=sosfilt_zi(sos) * samples[0])[0]


def agreement(samples, sfreq, filtered, published):
    """Correlation with a published column, before and after the running normaliser.

    ``samples`` start at the clip's start, the published column 5 s later.
    """
    causal = CausalFilter(design_ppg_filter(SPEC, sfreq, filtered))
    decimated = []
    for new in stretches(samples, sfreq):
        causal.push(new)
        decimated.append(causal.output)
    n = len(published)
    normalised = np.array([reading.value for reading in readings(samples, sfreq, filtered)])
    return (
        np.corrcoef(z_score(decimated[50 : 50 + n]), published)[0, 1],
        np.corrcoef(normalised[50 : 50 + n], published)[0, 1],
    )


def published_column(band_passed, sfreq):
    """Whole-clip Fourier resampling to 10 Hz and z-score, from 5 s on."""
    n = int((len(band_passed) / sfreq - 5.2) * 10)
    return z_score(resample(band_passed[round(5 * sfreq) : round((5 + n / 10) * sfreq)], n))


@pytest.mark.parametrize("filtered", [True, False])
def test_finger_sensor(shared_data: Path, filtered):
    raw = resample_poly(np.loadtxt(shared_data / "ppg" / "biosppy_ppg_1000hz.txt"), 2, 1, padtype="line")
    band_passed = amplifier_band(raw, 2000.0)
    before, after = agreement(
        band_passed if filtered else raw, 2000.0, filtered, published_column(band_passed, 2000.0)
    )
    assert before >= 0.98
    assert after >= 0.95


@pytest.mark.parametrize("sfreq", [30.0, 100.0])
def test_phone_camera(shared_data: Path, sfreq):
    table = np.loadtxt(shared_data / "ppg" / "welltory_s01_PPG.csv", delimiter=",", skiprows=1)
    time_s, red = table[:, 0] / 1000, table[:, 1]
    fine = -np.interp(np.arange(0, time_s[-1], 1 / 600), time_s, red)
    # The camera's own 28 images/s hold no more than a 30 Hz stream does.
    raw = fine[:: round(600 / sfreq)]
    before, after = agreement(raw, sfreq, False, published_column(amplifier_band(fine, 600.0), 600.0))
    assert before >= 0.98
    assert after >= 0.95


def test_reference_participant(shared_data: Path):
    data = DataSet.open(shared_data / "reference")
    recording, log = data.ppg(21), data.log(21)
    expected = np.load(shared_data / "reference" / "expected.npz")
    for clip in log.clips:
        first = round((clip.start_s - recording.start_s) * SFREQ)
        clip_samples = recording.samples[first : first + round(61 * SFREQ)].astype(np.float64)
        for channel, filtered in ((1, True), (0, False)):
            before, after = agreement(clip_samples[:, channel], SFREQ, filtered, expected[f"P_{clip.video}"])
            assert before >= 0.98, (clip.video, channel)
            assert after >= 0.95, (clip.video, channel)
