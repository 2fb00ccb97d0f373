"""Blocks of a sound card to the one sound format: mono, 16 bit, 44.1 kHz, counted."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from rtasmr.features.spec import SOUND_SFREQ

_LAYOUTS = {1: "mono", 2: "stereo"}


class BlockConverter:
    """Mixes and resamples consecutive blocks; the result does not depend on how they are cut.

    Parameters
    ----------
    sfreq : int
        Rate of the card in Hz.
    n_channels : int
        1 or 2; two are averaged.
    """

    def __init__(self, sfreq: int, n_channels: int) -> None:
        self._sfreq = sfreq
        self._layout = _LAYOUTS[n_channels]
        self._is_as_wanted = sfreq == SOUND_SFREQ and n_channels == 1
        self._n_in = 0
        self._n_out = 0
        self._resampler = _resampler()

    @property
    def held_s(self) -> float:
        """Seconds between the last sample taken in and the last one given out."""
        return self._n_in / self._sfreq - self._n_out / SOUND_SFREQ

    def skip(self, n_samples: int) -> None:
        """Count samples of the card that are lost; what the resampler still held is lost with them."""
        if n_samples == 0:
            return
        self._n_in += n_samples
        self._n_out = round(self._n_in * SOUND_SFREQ / self._sfreq)
        self._resampler = _resampler()

    def convert(self, block: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """Take a block; return what is ready, and its running index at 44.1 kHz.

        Parameters
        ----------
        block : ndarray of shape (n_samples, n_channels), int16

        Returns
        -------
        samples : ndarray of shape (n_ready,), int16
        counter : ndarray of shape (n_ready,), int64
        """
        samples = block[:, 0] if self._is_as_wanted else self._resampled(block)
        self._n_in += len(block)
        counter = self._n_out + np.arange(len(samples))
        self._n_out += len(samples)
        return samples, counter

    def _resampled(self, block: NDArray[np.int16]) -> NDArray[np.int16]:
        packed = np.ascontiguousarray(block).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=self._layout)
        frame.sample_rate = self._sfreq
        frame.pts, frame.time_base = self._n_in, Fraction(1, self._sfreq)
        parts = [part.to_ndarray()[0] for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int16)


def _resampler() -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="mono", rate=int(SOUND_SFREQ))
