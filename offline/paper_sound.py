"""Sound features of the ``paper`` sets: librosa over the whole clip, as published.

The ``live`` set computes the same columns frame by frame with kernels of its own. Here the library of
the published code does it, as its rounding is part of the published values: in near-silent bands another
order of summation moves the spectral contrast by hundredths of a decibel.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from offline.feature_sets import PAPER_SOUND
from rtasmr.errors import DataError
from rtasmr.features.spec import SOUND_NAMES, SOUND_SFREQ
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.media import read_sound

S16_SCALE = np.float32(32768.0)
N_MFCC = 20

_HOP = int(PAPER_SOUND["sound_hop_length"])
_FRAME = int(PAPER_SOUND["sound_frame_length"])
_MFCC_TOP_DB = float(PAPER_SOUND["mfcc_top_db"])


def paper_sound(path: Path, n_frames: int) -> NDArray[np.float32]:
    """Return the sound features of a stimulus shown for ``n_frames`` published frames.

    The decibel floor hangs on the loudest moment of what was shown, so the features of a shorter
    showing are not the beginning of those of a longer one.

    Parameters
    ----------
    path : Path
    n_frames : int
        507 or 550.

    Returns
    -------
    ndarray of shape (n_frames or fewer, 31), float32
        From 5 s on; fewer rows where the sound ends early.

    Raises
    ------
    DataError
        The file has no readable sound, or none after 5 s.
    """
    start_s = WARMUP_TICKS / FRAME_RATE_HZ
    sound = read_sound(path, start_s, start_s + n_frames / FRAME_RATE_HZ)
    if len(sound) == 0:
        raise DataError(f"{path}: expected sound after {start_s:g} s, found none; get the file again")
    return clip_sound(sound.astype(np.float32) / S16_SCALE)[:n_frames]


def clip_sound(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features of one clip, frame ``j`` centred on sample ``4410 j``.

    Both ends are padded with zeros, for the zero crossings with the end's own value.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        At 44.1 kHz, full scale 1.

    Returns
    -------
    ndarray of shape (1 + n_samples // 4410, 31), float32
        Columns as in ``SOUND_NAMES``.

    References
    ----------
    McFee et al., "librosa: audio and music signal analysis in Python", SciPy 2015.
    """
    # One transform for all spectral columns; librosa would compute this very one for each of them.
    magnitude = np.abs(librosa.stft(samples, n_fft=_FRAME, hop_length=_HOP))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=SOUND_SFREQ)
    mel_db = librosa.power_to_db(mel, top_db=_MFCC_TOP_DB)
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=SOUND_SFREQ)
    rows = np.vstack(
        [
            librosa.feature.mfcc(S=mel_db, n_mfcc=N_MFCC),
            librosa.feature.rms(y=samples, frame_length=_FRAME, hop_length=_HOP),
            centroid,
            librosa.feature.spectral_bandwidth(S=magnitude, sr=SOUND_SFREQ, centroid=centroid),
            librosa.feature.zero_crossing_rate(samples, frame_length=_FRAME, hop_length=_HOP),
            librosa.feature.spectral_contrast(S=magnitude, sr=SOUND_SFREQ),
        ]
    )
    assert len(rows) == len(SOUND_NAMES)
    return np.ascontiguousarray(rows.T, dtype=np.float32)
