"""Sound features of one analysis frame: the streaming form of the published librosa columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from librosa.filters import mel as mel_filter_bank
from numpy.typing import NDArray
from scipy.fft import dct, rfft
from scipy.signal import get_window
from scipy.sparse import csr_array

from rtasmr.features.spec import SOUND_NAMES, FeatureSpec

Describe = Callable[[NDArray[np.int16]], NDArray[np.float32]]
"""Analysis frames (n, 2048) in, float32 features (n, 31) out: `SoundFeatures.batch`."""

S16_SCALE = 32768.0
N_MELS = 128
N_MFCC = 20
N_CONTRAST_BANDS = 6
CONTRAST_FMIN_HZ = 200.0
CONTRAST_QUANTILE = 0.02
AMIN = 1e-10
"""Smallest power or magnitude that is turned into decibels (-100 dB)."""

FRAMES_PER_BLOCK = 256
"""Analysis frames computed at once; bounds the memory of the batch path to about 10 MB."""

# Columns within the 31, in the order of SOUND_NAMES.
_MFCC = slice(0, N_MFCC)
_RMS, _CENTROID, _BANDWIDTH, _ZCR = range(N_MFCC, N_MFCC + 4)
_CONTRAST = slice(N_MFCC + 4, N_MFCC + 4 + N_CONTRAST_BANDS + 1)


class SoundFeatures:
    """Thirty-one features of 2048 samples centred on a tick.

    Columns follow ``SOUND_NAMES``: 20 MFCC, RMS, spectral centroid and bandwidth (Hz), zero-crossing
    rate, 7 spectral contrasts (dB). Every definition is librosa's for a centred frame with a Hann
    window, except the decibel floor: librosa clips 80 dB under the loudest bin of the whole clip,
    which no stream can know; here both floors are constants of the feature set.

    Parameters
    ----------
    spec : FeatureSpec
        Gives the rate, the frame length and the floors ``mel_floor_db`` and ``contrast_floor_db``.

    References
    ----------
    MFCC and mel filters: M. Slaney, Auditory Toolbox, 1998. Spectral contrast: D.-N. Jiang et al.,
    "Music type classification by spectral contrast feature", ICME 2002.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        parameters = spec.parameters
        self.frame_length = int(parameters["sound_frame_length"])
        self._mel_floor_db = float(parameters["mel_floor_db"])
        self._contrast_floor_db = float(parameters["contrast_floor_db"])
        sfreq = float(parameters["sound_sfreq_hz"])
        self._freqs_hz = np.arange(self.frame_length // 2 + 1) * (sfreq / self.frame_length)
        # The integer scale is folded into the window: one multiplication per sample.
        self._window = get_window("hann", self.frame_length, fftbins=True) / S16_SCALE
        self._mel = _mel_table(sfreq, self.frame_length)
        self._dct = dct(np.eye(N_MELS), type=2, norm="ortho", axis=0)[:N_MFCC].T
        self._bands = _contrast_bands(self._freqs_hz)

    def frame(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Return the features of one analysis frame.

        Parameters
        ----------
        samples : ndarray of shape (2048,), int16
            Samples ``[c - 1024, c + 1024)`` around the sample ``c`` of the tick.

        Returns
        -------
        ndarray of shape (31,), float32

        Raises
        ------
        ValueError
            When length or type is another one.
        """
        if samples.shape != (self.frame_length,):
            raise ValueError(f"expected {self.frame_length} samples, got an array of shape {samples.shape}")
        features: NDArray[np.float32] = self.batch(samples[np.newaxis])[0]
        return features

    def batch(self, frames: NDArray[np.int16]) -> NDArray[np.float32]:
        """Return the features of several analysis frames.

        Parameters
        ----------
        frames : ndarray of shape (n_frames, 2048), int16

        Returns
        -------
        ndarray of shape (n_frames, 31), float32
        """
        if frames.dtype != np.int16 or frames.ndim != 2 or frames.shape[1] != self.frame_length:
            raise ValueError(
                f"expected int16 frames of {self.frame_length} samples, got {frames.dtype} of shape "
                f"{frames.shape}; convert sound to 16 bit first"
            )
        spectrum = rfft(frames * self._window, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        magnitude = np.sqrt(power)
        features = np.empty((len(frames), len(SOUND_NAMES)), dtype=np.float32)
        features[:, _MFCC] = self._mfcc(power)
        features[:, _RMS] = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)) / S16_SCALE
        features[:, _CENTROID], features[:, _BANDWIDTH] = self._centroid_and_bandwidth(magnitude)
        negative = frames < 0
        features[:, _ZCR] = np.count_nonzero(negative[:, 1:] != negative[:, :-1], axis=1) / self.frame_length
        features[:, _CONTRAST] = self._contrast(magnitude)
        return features

    def frames(self, samples: NDArray[np.int16], centres: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the features around many ticks of one recording; the batch form of :meth:`frame`.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), int16
        centres : ndarray of shape (n_frames,), int
            Sample number of each tick, at least half a frame from both ends.

        Returns
        -------
        ndarray of shape (n_frames, 31), float32

        Raises
        ------
        ValueError
            When a frame would reach past the recording.
        """
        features = np.empty((len(centres), len(SOUND_NAMES)), dtype=np.float32)
        if len(centres) == 0:
            return features
        starts = np.asarray(centres) - self.frame_length // 2
        if starts.min() < 0 or starts.max() + self.frame_length > len(samples):
            raise ValueError(
                f"expected centres in [{self.frame_length // 2}, {len(samples) - self.frame_length // 2}], "
                f"got [{np.min(centres)}, {np.max(centres)}]"
            )
        windows = np.lib.stride_tricks.sliding_window_view(samples, self.frame_length)
        for first in range(0, len(starts), FRAMES_PER_BLOCK):
            block = slice(first, first + FRAMES_PER_BLOCK)
            features[block] = self.batch(windows[starts[block]])
        return features

    def _mfcc(self, power: NDArray[np.float64]) -> NDArray[np.float64]:
        mel: NDArray[np.float64] = (self._mel @ power.T).T
        mfcc: NDArray[np.float64] = _decibels(mel, self._mel_floor_db) @ self._dct
        return mfcc

    def _centroid_and_bandwidth(
        self, magnitude: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        total = magnitude.sum(axis=1)
        # Digital silence has no spectrum: librosa leaves its zeros as they are, so both come out 0.
        weights = magnitude / np.where(total > 0.0, total, 1.0)[:, np.newaxis]
        centroid = weights @ self._freqs_hz
        deviation = self._freqs_hz - centroid[:, np.newaxis]
        return centroid, np.sqrt(np.einsum("ij,ij,ij->i", weights, deviation, deviation))

    def _contrast(self, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
        peak = np.empty((len(magnitude), len(self._bands)))
        valley = np.empty_like(peak)
        for number, (band, n_mean) in enumerate(self._bands):
            ordered = np.sort(magnitude[:, band], axis=1)
            valley[:, number] = ordered[:, :n_mean].mean(axis=1)
            peak[:, number] = ordered[:, -n_mean:].mean(axis=1)
        return _decibels(peak, self._contrast_floor_db) - _decibels(valley, self._contrast_floor_db)


def _decibels(values: NDArray[np.float64], floor_db: float) -> NDArray[np.float64]:
    """Return ``10 log10(values)``, not below ``floor_db``."""
    return np.maximum(10.0 * np.log10(np.maximum(values, AMIN)), floor_db)


@cache
def _mel_table(sfreq: float, frame_length: int) -> csr_array:
    """Return the mel filters as a sparse matrix of shape (128, n_bins); 2 % of it is not zero."""
    return csr_array(mel_filter_bank(sr=sfreq, n_fft=frame_length, n_mels=N_MELS, dtype=np.float64))


def _contrast_bands(freqs_hz: NDArray[np.floating]) -> list[tuple[slice, int]]:
    """Return, per octave band, its bins and how many of them make the peak and the valley.

    The rules are librosa's: a band also takes the bin below it, the last band runs to Nyquist, and
    the others leave out their last bin, which still counts towards the quantile.
    """
    edges_hz = [0.0, *(CONTRAST_FMIN_HZ * 2.0**octave for octave in range(N_CONTRAST_BANDS + 1))]
    bands = []
    for number, (low_hz, high_hz) in enumerate(pairwise(edges_hz)):
        inside = np.flatnonzero((freqs_hz >= low_hz) & (freqs_hz <= high_hz))
        is_last = number == N_CONTRAST_BANDS
        first = inside[0] - (1 if number > 0 else 0)
        stop = len(freqs_hz) if is_last else inside[-1] + 1
        n_mean = max(int(np.rint(CONTRAST_QUANTILE * (stop - first))), 1)
        bands.append((slice(first, stop if is_last else stop - 1), n_mean))
    return bands
