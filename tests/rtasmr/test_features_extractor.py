import dataclasses

import numpy as np
import pytest

from rtasmr.errors import StreamError
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.ppg import PpgFeature
from rtasmr.features.sound import SoundFeatures
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import AlignedChunk, Modality, Segment, Status

SPEC = FeatureSpec()
PICTURE, SOUND, PPG = (SPEC.columns(m) for m in (Modality.PICTURE, Modality.SOUND, Modality.PPG))
ALL_OK = dict.fromkeys(Modality, Status.OK)
SFREQ = 100.0


def mean_level(pictures):
    """An encoder whose every feature is the picture's first level."""
    return np.repeat(pictures[:, 0, 0, :1], 512, axis=1).astype(np.float32)


def extractor(**kwargs):
    return FeatureExtractor(SPEC, mean_level, **{"ppg_sfreq": SFREQ, "ppg_filtered": True, **kwargs})


def aligned(rng, tick, segment=0, **changes):
    """A tick with all three modalities; ``changes`` replaces fields."""
    n_new = 11 if tick == 0 else 10
    first = 0 if tick == 0 else 10 * tick + 1
    chunk = AlignedChunk(
        segment=Segment(segment, "vid3", 100.0 * segment),
        tick=tick,
        time_s=100.0 * segment + tick / 10,
        ppg=np.sin(2 * np.pi * 1.1 * (first + np.arange(n_new)) / SFREQ),
        ppg_expected=n_new,
        sound=rng.integers(-1000, 1000, 2048).astype(np.int16),
        picture=np.full((224, 224, 3), 5 + tick // 3, dtype=np.uint8),
        status=ALL_OK,
    )
    return dataclasses.replace(chunk, **changes)


def test_columns_hold_their_modality(rng):
    chunks = [aligned(rng, tick) for tick in range(5)]
    frames = extractor().update_many(chunks)
    pulse, sound = PpgFeature(SPEC, SFREQ, filtered=True), SoundFeatures(SPEC)
    for tick, (chunk, frame) in enumerate(zip(chunks, frames, strict=True)):
        assert frame.values.shape == frame.valid.shape == (544,)
        assert frame.values.dtype == np.float32
        assert (frame.segment, frame.tick, frame.time_s) == (chunk.segment, tick, chunk.time_s)
        np.testing.assert_array_equal(frame.values[PICTURE], 5 + tick // 3)
        np.testing.assert_array_equal(frame.values[SOUND], sound.frame(chunk.sound))
        reading = pulse.update(chunk.ppg, chunk.ppg_expected)
        np.testing.assert_array_equal(frame.values[PPG], np.float32(reading.value))
        assert frame.valid[PPG] == reading.valid == (tick > 0)
    assert frames[0].status[Modality.PPG] is Status.WARMUP
    assert frames[1].status == ALL_OK


def test_batch_equals_tick_by_tick(rng):
    chunks = [
        aligned(
            rng,
            tick,
            segment=tick // 20,
            sound=None if tick % 7 == 0 else rng.integers(-9, 9, 2048).astype(np.int16),
        )
        for tick in range(40)
    ]
    one, many = extractor(), extractor()
    for single, batch in zip([one.update(chunk) for chunk in chunks], many.update_many(chunks), strict=True):
        np.testing.assert_allclose(single.values, batch.values, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(single.valid, batch.valid)
        assert single.status == batch.status


def test_no_ticks_no_frames():
    assert extractor().update_many([]) == []


@pytest.mark.parametrize("status", [Status.STALE, Status.GAP, Status.BAD_INPUT, Status.ABSENT])
def test_missing_is_nan_and_not_valid(rng, status):
    chunk = aligned(
        rng,
        0,
        sound=None,
        picture=None,
        ppg=np.empty(0),
        ppg_expected=0,
        status=dict.fromkeys(Modality, status),
    )
    frame = extractor().update(chunk)
    assert np.isnan(frame.values).all()
    assert not frame.valid.any()
    assert frame.status == dict.fromkeys(Modality, status)


def test_the_worse_status_stands(rng):
    feature_extractor = extractor()
    for tick in range(3):
        feature_extractor.update(aligned(rng, tick))
    lost = aligned(rng, 3, ppg=np.full(20, np.nan), ppg_expected=20)
    assert feature_extractor.update(lost).status[Modality.PPG] is Status.GAP
    known_bad = dataclasses.replace(lost, tick=4, status={**ALL_OK, Modality.PPG: Status.BAD_INPUT})
    frame = feature_extractor.update(known_bad)
    assert frame.status == {**ALL_OK, Modality.PPG: Status.BAD_INPUT}
    assert not frame.valid[PPG].any()
    assert frame.valid[PICTURE].all()
    assert frame.valid[SOUND].all()


def test_a_missing_sound_is_never_ok(rng):
    frame = extractor().update(aligned(rng, 0, sound=None))
    assert frame.status[Modality.SOUND] is Status.STALE
    assert not frame.valid[SOUND].any()


def test_a_segment_starts_afresh(rng):
    once, twice = extractor(), extractor()
    fresh = [once.update(aligned(rng, tick, segment=1)) for tick in range(5)]
    for tick in range(30):
        twice.update(aligned(rng, tick, segment=0))
    again = [twice.update(aligned(rng, tick, segment=1)) for tick in range(5)]
    np.testing.assert_array_equal([f.values[PPG] for f in fresh], [f.values[PPG] for f in again])
    assert not again[0].valid[PPG].any()


def test_without_a_pulse_stream_the_pulse_is_absent(rng):
    frame = extractor(ppg_sfreq=None).update(aligned(rng, 0, ppg=np.empty(0), ppg_expected=0))
    assert frame.status[Modality.PPG] is Status.ABSENT
    assert np.isnan(frame.values[PPG]).all()


def test_a_pulse_that_joins_later_settles_first(rng):
    feature_extractor = extractor(ppg_sfreq=None)
    for tick in range(10):
        feature_extractor.update(aligned(rng, tick, ppg=np.empty(0), ppg_expected=0))
    feature_extractor.set_ppg(SFREQ, filtered=True)
    frames = [feature_extractor.update(aligned(rng, tick)) for tick in range(10, 20)]
    # 0.5 s of a filtered stream are 5 stretches of 10 samples; the fifth is the normaliser's first value.
    assert [bool(frame.valid[PPG].all()) for frame in frames] == [False] * 5 + [True] * 5
    assert {frame.status[Modality.PPG] for frame in frames[:5]} == {Status.WARMUP}


def test_a_pulse_known_before_the_first_tick_does_not_wait(rng):
    feature_extractor = extractor(ppg_sfreq=None)
    feature_extractor.set_ppg(SFREQ, filtered=True)
    frames = [feature_extractor.update(aligned(rng, tick)) for tick in range(3)]
    assert [bool(frame.valid[PPG].all()) for frame in frames] == [False, True, True]


def test_a_slow_pulse_stream_is_refused():
    with pytest.raises(StreamError, match="at least 20"):
        extractor(ppg_sfreq=10.0)
