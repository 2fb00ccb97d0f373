"""A synthetic pulse: something to try the runtime with, and nothing about anybody."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtasmr.sources.pacing import PlannedStream
from rtasmr.sources.packets import regular_packets
from rtasmr.stream_specs import ppg_spec

# Systolic wave and dicrotic wave: centre and width in parts of a beat, height.
_WAVES = ((0.28, 0.09, 1.0), (0.58, 0.13, 0.35))


class SimulatedPulse:
    """Beats at a mean rate, slowly breathing, with a little noise.

    Parameters
    ----------
    sfreq : float
        Rate in Hz.
    rng : numpy.random.Generator
    beats_per_min : float
        Mean pulse rate.
    noise : float
        Standard deviation of the noise; the systolic peak is 1.
    """

    def __init__(
        self, sfreq: float, rng: np.random.Generator, beats_per_min: float = 66.0, noise: float = 0.01
    ) -> None:
        self._sfreq = sfreq
        self._rng = rng
        self._beat_hz = beats_per_min / 60
        self._noise = noise

    def blocks(self, n_samples: int) -> Iterator[NDArray[np.float32]]:
        """Yield blocks of ``n_samples`` for ever."""
        first = 0
        while True:
            time_s = np.arange(first, first + n_samples) / self._sfreq
            first += n_samples
            # Breathing (0.25 Hz) speeds the heart up and down by some 4 %.
            beats = self._beat_hz * (time_s - 0.04 / (2 * np.pi * 0.25) * np.cos(2 * np.pi * 0.25 * time_s))
            phase = beats % 1.0
            wave = sum(h * np.exp(-0.5 * ((phase - c) / w) ** 2) for c, w, h in _WAVES)
            yield (wave + self._noise * self._rng.standard_normal(n_samples)).astype(np.float32)


def simulated_stream(
    sfreq: float, *, rng: np.random.Generator, beats_per_min: float, name: str, source_id: str, chunk_s: float
) -> PlannedStream:
    """Plan an endless synthetic pulse; its metadata says ``simulated``.

    Parameters
    ----------
    sfreq : float
        Rate in Hz.
    rng : numpy.random.Generator
    beats_per_min : float
    name, source_id : str
    chunk_s : float
        Length of a packet in seconds.
    """
    spec = ppg_spec(sfreq, source_id=source_id, name=name, channels=("raw",), desc={"simulated": "true"})
    n_block = max(1, round(sfreq))
    blocks = SimulatedPulse(sfreq, rng, beats_per_min).blocks(n_block)
    return PlannedStream(spec, regular_packets(blocks, 0.0, sfreq, itertools.repeat(chunk_s)))
