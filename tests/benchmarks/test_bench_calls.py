"""Single calls of the 10 Hz path, in this process, with nothing else to do: what each costs at best."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from rtasmr import media
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.picture import resize_picture
from rtasmr.features.ppg import PpgFeature
from rtasmr.features.sound import SoundFeatures
from rtasmr.features.spec import PICTURE_SHAPE, PPG_NAMES, FeatureSpec
from rtasmr.recorded_features import features_spec
from rtasmr.stream_specs import ppg_spec
from rtasmr.types import AlignedChunk, Modality, Segment, Status
from rtasmr.xdf import XdfWriter

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SECTION = "one call, milliseconds"
PPG_SFREQ = 2000.0


@pytest.fixture
def sound(rng):
    """One analysis frame of noise."""
    return (rng.standard_normal(2048) * 300).astype(np.int16)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 256, PICTURE_SHAPE, dtype=np.uint8)


def pulse_pieces(rng):
    """Yield the 200 samples of each tick, for ever."""
    k = 0
    while True:
        t = (200 * k + np.arange(200)) / PPG_SFREQ
        yield np.sin(2 * np.pi * 1.1 * t) + 0.01 * rng.standard_normal(200)
        k += 1


def librosa_calls(y):
    """The six published calls on one analysis frame, centred by the caller."""
    options = {"sr": 44_100, "n_fft": 2048, "hop_length": 4410, "center": False}
    return (
        librosa.feature.mfcc(y=y, n_mfcc=20, **options),
        librosa.feature.rms(y=y, frame_length=2048, hop_length=4410, center=False),
        librosa.feature.spectral_centroid(y=y, **options),
        librosa.feature.spectral_bandwidth(y=y, **options),
        librosa.feature.zero_crossing_rate(y, frame_length=2048, hop_length=4410, center=False),
        librosa.feature.spectral_contrast(y=y, **options),
    )


def test_sound_frame_against_librosa(repeat, ledger, sound):
    features = SoundFeatures(FeatureSpec())
    assert np.isfinite(features.frame(sound)).all()
    ours = repeat(lambda: features.frame(sound), 2000)
    y = sound.astype(np.float32) / 32768
    assert sum(len(part) for part in librosa_calls(y)) == 31
    theirs = repeat(lambda: librosa_calls(y), 200)
    ledger.add_durations(SECTION, "sound frame", *ours)
    ratio = f"{np.median(theirs[1]) / np.median(ours[1]):.1f} times ours"
    ledger.add_durations(SECTION, "sound frame, the six calls of librosa", *theirs, note=ratio)


@pytest.mark.parametrize("filtered", [True, False], ids=["filtered", "raw"])
def test_pulse_update(repeat, ledger, rng, filtered):
    feature = PpgFeature(FeatureSpec(), PPG_SFREQ, filtered)
    pieces = pulse_pieces(rng)
    samples = [next(pieces) for _ in range(1100)]
    readings = []
    each = iter(samples)
    times = repeat(lambda: readings.append(feature.update(next(each), 200)), 1000, n_before=100)
    assert all(reading.valid for reading in readings[100:])
    name = "filtered" if filtered else "raw"
    ledger.add_durations(SECTION, f"pulse, 200 samples of 2 kHz, {name}", *times)


def test_picture_resize_and_decode(repeat, ledger, stimulus):
    pictures = media.iter_pictures(stimulus, resize=False)
    _, first = next(pictures)
    assert first.shape == (720, 1280, 3)
    assert resize_picture(first).shape == PICTURE_SHAPE
    ledger.add_durations(SECTION, "picture 1280x720: resize", *repeat(lambda: resize_picture(first), 300))
    ledger.add_durations(
        SECTION, "picture 1280x720: decode, convert to RGB", *repeat(lambda: next(pictures), 300)
    )


@pytest.mark.parametrize("n_pictures", [1, 32])
def test_encoder(repeat, ledger, served, rng, n_pictures):
    encoder = served.load_encoder()
    pictures = rng.integers(0, 256, (n_pictures, *PICTURE_SHAPE), dtype=np.uint8)
    assert encoder.encode(pictures).shape == (n_pictures, 512)
    wall_s, cpu_s = repeat(lambda: encoder.encode(pictures), 320 // n_pictures)
    ledger.add_durations(
        SECTION, f"encoder, per picture, {n_pictures} at once", wall_s / n_pictures, cpu_s / n_pictures
    )


@pytest.mark.parametrize("n_frames", [50, 100, 200])
def test_model(repeat, ledger, served, rng, n_frames):
    model = served.load_model()
    values = rng.standard_normal((n_frames, len(model.card.feature_names))).astype(np.float32)
    valid = np.ones(values.shape, dtype=bool)
    assert model.predict(values, valid).shape == (n_frames,)
    times = repeat(lambda: model.predict(values, valid), 300)
    ledger.add_durations(SECTION, f"model, window of {n_frames} frames", *times)


def test_frame_of_a_tick_without_its_encoder(repeat, ledger, rng, sound, picture):
    """What the extractor itself costs: sound, pulse and bookkeeping."""
    spec = FeatureSpec()
    features = np.zeros((1, 512), dtype=np.float32)
    extractor = FeatureExtractor(spec, lambda _: features, PPG_SFREQ)
    segment = Segment(0, "", 0.0)
    status = dict.fromkeys(Modality, Status.OK)
    pieces = pulse_pieces(rng)
    chunks = iter(
        [AlignedChunk(segment, k, k / 10, next(pieces), 200, sound, picture, status) for k in range(1100)]
    )
    frames = []
    times = repeat(lambda: frames.append(extractor.update(next(chunks))), 1000, n_before=100)
    assert all(frame.valid.all() for frame in frames[100:])
    ledger.add_durations(SECTION, "feature frame without the encoder", *times)


def test_xdf_writing(repeat, ledger, rng, tmp_path):
    writer = XdfWriter(tmp_path / "bench.xdf", header={})
    features = writer.add_stream(features_spec(FeatureSpec()))
    row = rng.standard_normal((1, 512 + 31 + len(PPG_NAMES) + 2)).astype(np.float32)
    ticks = iter(np.arange(2010) / 10)
    times = repeat(lambda: writer.write(features, [next(ticks)], row), 2000)
    ledger.add_durations(SECTION, "XDF, one feature row to the disk", *times)

    pulse = writer.add_stream(ppg_spec(PPG_SFREQ, source_id="bench"))
    packet = rng.standard_normal((40, 2)).astype(np.float32)
    starts = iter(np.arange(2010) * 40 / PPG_SFREQ)
    offsets = np.arange(40) / PPG_SFREQ
    times = repeat(lambda: writer.write(pulse, next(starts) + offsets, packet), 2000)
    ledger.add_durations(SECTION, "XDF, 20 ms of pulse (2 kHz, 2 channels) to the disk", *times)
    assert writer.close().stat().st_size > 2000 * (row.nbytes + packet.nbytes)
