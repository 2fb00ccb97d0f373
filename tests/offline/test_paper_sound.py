"""Sound of the paper's sets: answers by hand, against the live kernels, and the published values."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from offline.paper_sound import clip_sound, paper_sound
from rtasmr.errors import DataError
from rtasmr.features.sound import SoundFeatures
from rtasmr.features.spec import LIVE_PARAMETERS, SOUND_NAMES, FeatureSpec

SFREQ = 44_100
RMS, CENTROID, BANDWIDTH, ZCR = (
    SOUND_NAMES.index(name)
    for name in ("rms", "spectral_centroid", "spectral_bandwidth", "zero_crossing_rate")
)
MFCC = slice(0, 20)
HERTZ = [CENTROID, BANDWIDTH]
CONTRAST = slice(24, 31)


def write_sound(path: Path, samples: np.ndarray) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=SFREQ, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis].astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = SFREQ
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def noise(rng: np.random.Generator, n: int, level: float) -> np.ndarray:
    return np.clip(rng.normal(0, level, n), -1, 1).astype(np.float32)


def test_frames_are_centred_on_every_4410th_sample_and_padded_as_published():
    samples = np.full(3 * 4410, 0.5, dtype=np.float32)
    rows = clip_sound(samples)
    assert rows.shape == (4, 31)
    assert rows.dtype == np.float32
    # The first frame is half zeros, the others lie inside; a constant never crosses zero, not even at
    # the padded ends.
    np.testing.assert_allclose(rows[:, RMS], [0.5 / np.sqrt(2), 0.5, 0.5, 0.5 / np.sqrt(2)], atol=1e-6)
    np.testing.assert_array_equal(rows[:, ZCR], 0)


def test_an_alternating_sample_crosses_zero_every_time():
    samples = (0.25 * (-1.0) ** np.arange(2 * 4410)).astype(np.float32)
    assert clip_sound(samples)[1, ZCR] == pytest.approx(2047 / 2048)
    assert clip_sound(samples)[1, CENTROID] == pytest.approx(SFREQ / 2, rel=1e-3)


def test_the_floor_hangs_on_the_loudest_moment_of_what_was_shown(rng):
    quiet = noise(rng, 10 * 4410, 1e-5)
    loud_end = np.concatenate([quiet, noise(rng, 4410, 0.5)])
    alone, with_end = clip_sound(quiet)[:8], clip_sound(loud_end)[:8]
    # Everything but the coefficients under the common floor is that of the frame itself.
    np.testing.assert_array_equal(alone[:, RMS : ZCR + 1], with_end[:, RMS : ZCR + 1])
    assert np.abs(alone[:, MFCC] - with_end[:, MFCC]).max() > 10


def test_the_live_kernels_agree_once_they_know_the_clip(rng):
    """With the clip's own floor put into the live set, both say the same of every inner frame."""
    s16 = np.round(32767 * noise(rng, 12 * 4410, 0.1) * np.repeat([1, 0.001], 6 * 4410)).astype(np.int16)
    samples = s16.astype(np.float32) / np.float32(32768)
    expected = clip_sound(samples)
    import librosa

    mel = librosa.feature.melspectrogram(y=samples, sr=SFREQ, n_fft=2048, hop_length=4410)
    floor = float(10 * np.log10(mel.max()) - 80.0)
    spec = FeatureSpec(parameters={**LIVE_PARAMETERS, "mel_floor_db": floor})
    got = SoundFeatures(spec).frames(s16, 4410 * np.arange(1, 12))
    inner = expected[1:12]
    np.testing.assert_allclose(got[:, MFCC], inner[:, MFCC], atol=1e-3)
    np.testing.assert_allclose(got[:, [RMS, ZCR]], inner[:, [RMS, ZCR]], atol=1e-5)
    np.testing.assert_allclose(got[:, HERTZ], inner[:, HERTZ], rtol=1e-4)
    np.testing.assert_allclose(got[:, CONTRAST], inner[:, CONTRAST], atol=1e-2)


def test_the_sound_is_cut_from_5_s_on(tmp_path):
    samples = np.zeros(round(6.5 * SFREQ))
    samples[5 * SFREQ :] = 8192  # a quarter of full scale
    rows = paper_sound(write_sound(tmp_path / "s.wav", samples), 10)
    assert rows.shape == (10, 31)
    np.testing.assert_allclose(rows[1:9, RMS], 0.25, atol=1e-6)


def test_sound_that_ends_early_gives_fewer_rows(tmp_path):
    rows = paper_sound(write_sound(tmp_path / "s.wav", np.full(round(6.0 * SFREQ), 100)), 550)
    assert rows.shape == (11, 31)


def test_a_file_without_sound_after_5_s_is_named(tmp_path, tiny_video):
    path = write_sound(tmp_path / "short.wav", np.full(4 * SFREQ, 100))
    with pytest.raises(DataError, match=r"short\.wav: expected sound after 5 s"):
        paper_sound(path, 550)
    with pytest.raises(DataError, match=r"none\.avi"):
        paper_sound(tmp_path / "none.avi", 550)


@pytest.mark.parametrize(("video", "name"), [("vid3", "ASMR3.avi"), ("vid8", "nature4.avi")])
def test_the_published_values(shared_data, video, name):
    reference = shared_data / "reference"
    with np.load(reference / "expected.npz") as archive:
        expected = archive[f"X_{video}"][:, 512:]
    got = paper_sound(reference / "stim" / name, 550)
    np.testing.assert_allclose(got[:, MFCC], expected[:, MFCC], atol=1e-3)
    np.testing.assert_allclose(got[:, [RMS, ZCR]], expected[:, [RMS, ZCR]], atol=1e-5)
    np.testing.assert_allclose(got[:, HERTZ], expected[:, HERTZ], rtol=1e-4)
    np.testing.assert_allclose(got[:, CONTRAST], expected[:, CONTRAST], atol=1e-2)
