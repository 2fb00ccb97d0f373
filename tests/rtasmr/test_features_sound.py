from pathlib import Path

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from rtasmr.features.sound import SoundFeatures
from rtasmr.features.spec import LIVE_PARAMETERS, SOUND_NAMES, FeatureSpec
from rtasmr.media import read_sound

SFREQ = 44_100
HOP = 4_410
N_FFT = 2_048
COLUMN = {name: i for i, name in enumerate(SOUND_NAMES)}

# Largest deviations from librosa that its own single-precision arithmetic explains.
TOLERANCES = {
    "mfcc": 2e-4,
    "rms": 9e-9,
    "spectral_centroid": 1e-3,
    "spectral_bandwidth": 8e-3,
    "zero_crossing_rate": 0.0,
    "spectral_contrast": 8e-3,
}


def librosa_features(sound: NDArray[np.int16], floor_db: float) -> NDArray[np.float32]:
    """The published calls on a whole recording, but with a constant mel floor."""
    y = sound.astype(np.float32) / 32768
    kwargs = {"sr": SFREQ, "n_fft": N_FFT, "hop_length": HOP}
    mel = librosa.feature.melspectrogram(y=y, **kwargs)
    mel_db = np.maximum(librosa.power_to_db(mel, top_db=None), floor_db)
    rows = [
        librosa.feature.mfcc(S=mel_db, n_mfcc=20),
        librosa.feature.rms(y=y, frame_length=N_FFT, hop_length=HOP),
        librosa.feature.spectral_centroid(y=y, **kwargs),
        librosa.feature.spectral_bandwidth(y=y, **kwargs),
        librosa.feature.zero_crossing_rate(y, frame_length=N_FFT, hop_length=HOP),
        librosa.feature.spectral_contrast(y=y, **kwargs),
    ]
    return np.vstack(rows).T


def assert_equals_librosa(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    deviation = np.abs(ours - theirs).max(axis=0)
    for prefix, tolerance in TOLERANCES.items():
        worst = max(deviation[i] for name, i in COLUMN.items() if name.startswith(prefix))
        assert worst <= tolerance, f"{prefix}: {worst} > {tolerance}"


@pytest.fixture
def sound() -> SoundFeatures:
    return SoundFeatures(FeatureSpec())


@pytest.mark.parametrize("level", [3, 300, 1500])
def test_noise_equals_librosa(sound, rng, level):
    recording = (rng.standard_normal(3 * SFREQ) * level).clip(-32768, 32767).astype(np.int16)
    ticks = np.arange(1, 29)
    ours = np.array([sound.frame(recording[t * HOP - 1024 : t * HOP + 1024]) for t in ticks])
    assert_equals_librosa(ours, librosa_features(recording, LIVE_PARAMETERS["mel_floor_db"])[ticks])


def test_tone_over_near_silence_equals_librosa(sound, rng):
    time_s = np.arange(2 * SFREQ) / SFREQ
    tone = 9000 * np.sin(2 * np.pi * 440 * time_s) * (time_s > 1.0) + rng.integers(-1, 2, len(time_s))
    recording = tone.astype(np.int16)
    ticks = np.arange(1, 19)
    assert_equals_librosa(
        sound.frames(recording, ticks * HOP),
        librosa_features(recording, LIVE_PARAMETERS["mel_floor_db"])[ticks],
    )


@pytest.mark.parametrize("stimulus", ["ASMR3.avi", "nature4.avi"])
def test_stimulus_equals_librosa(sound, shared_data: Path, stimulus):
    recording = read_sound(shared_data / "reference" / "stim" / stimulus)
    ticks = np.arange(1, len(recording) // HOP)
    assert_equals_librosa(
        sound.frames(recording, ticks * HOP),
        librosa_features(recording, LIVE_PARAMETERS["mel_floor_db"])[ticks],
    )


def test_digital_silence(sound):
    features = sound.frame(np.zeros(N_FFT, dtype=np.int16))
    expected = np.zeros(31)
    # Every mel bin at the floor F: the orthonormal DCT has only its constant term, F * sqrt(128).
    expected[0] = LIVE_PARAMETERS["mel_floor_db"] * np.sqrt(128)
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_fastest_alternation(sound):
    samples = np.where(np.arange(N_FFT) % 2, -16384, 16384).astype(np.int16)
    features = sound.frame(samples)
    assert features[COLUMN["zero_crossing_rate"]] == 2047 / 2048
    assert features[COLUMN["rms"]] == 0.5
    # All of it at the Nyquist frequency: a Hann window leaves that bin and, at half, the one below.
    bin_hz = SFREQ / N_FFT
    assert features[COLUMN["spectral_centroid"]] == pytest.approx(SFREQ / 2 - bin_hz / 3, rel=1e-6)


def test_tone_on_a_bin_is_its_own_centroid(sound):
    bin_hz = SFREQ / N_FFT
    samples = 30000 * np.sin(2 * np.pi * 100 * np.arange(N_FFT) / N_FFT)
    features = sound.frame(np.round(samples).astype(np.int16))
    # Rounding noise of 1/3 level in each of 1025 bins pulls by less than 0.1 % of the band.
    assert features[COLUMN["spectral_centroid"]] == pytest.approx(100 * bin_hz, abs=10)
    assert features[COLUMN["rms"]] == pytest.approx(30000 / 32768 / np.sqrt(2), rel=1e-5)


def test_the_floor_is_a_constant(rng):
    """A frame's values depend on nothing but the frame: a loud one beside it changes none."""
    sound = SoundFeatures(FeatureSpec())
    quiet = rng.integers(-3, 4, N_FFT).astype(np.int16)
    loud = rng.integers(-30000, 30000, N_FFT).astype(np.int16)
    together = sound.batch(np.stack([quiet, loud]))
    np.testing.assert_array_equal(together[0], sound.frame(quiet))
    raised = SoundFeatures(FeatureSpec(parameters={**LIVE_PARAMETERS, "mel_floor_db": 0.0}))
    assert raised.frame(quiet)[0] == 0.0  # the quiet frame lies under that floor
    np.testing.assert_array_equal(raised.frame(quiet)[20:], sound.frame(quiet)[20:])


def test_batch_equals_frame_by_frame(sound, rng):
    recording = rng.integers(-20000, 20000, 700 * 100 + 2 * N_FFT).astype(np.int16)
    centres = 1024 + 100 * np.arange(700)
    one_by_one = np.array([sound.frame(recording[c - 1024 : c + 1024]) for c in centres])
    np.testing.assert_allclose(sound.frames(recording, centres), one_by_one, rtol=1e-5, atol=1e-5)


def test_no_ticks_no_frames(sound):
    assert sound.frames(np.zeros(N_FFT, dtype=np.int16), np.array([], dtype=int)).shape == (0, 31)


@pytest.mark.parametrize(
    "samples", [np.zeros(2047, np.int16), np.zeros(2048, np.float32), np.zeros((2048, 1), np.int16)]
)
def test_other_input_is_refused(sound, samples):
    with pytest.raises(ValueError, match="expected"):
        sound.frame(samples)


@pytest.mark.parametrize("centre", [1023, 3073])
def test_frames_past_the_recording_are_refused(sound, centre):
    with pytest.raises(ValueError, match=r"\[1024, 3072\]"):
        sound.frames(np.zeros(4096, np.int16), np.array([centre]))
