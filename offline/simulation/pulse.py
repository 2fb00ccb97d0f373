"""A person's pulse over a session, and the amplifier's export of it.

Beat intervals carry respiration, slow drifts and, in scenario ``tingle``, the person's own tingles; each beat
is a sum of Gaussians (systolic wave, dicrotic wave) in phase. The raw channel adds baseline wander and
noise; the filtered one is its causal band-pass, as the amplifier computes it.

References
----------
.. [1] McSharry et al., "A dynamical model for generating synthetic electrocardiogram signals", IEEE Trans.
   Biomed. Eng. 50 (2003): sums of Gaussians over the phase of a beat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi

from offline.simulation.processes import slow_noise, smoothed
from offline.simulation.schedule import SESSION_S
from rtasmr.biopac import PPG_SFREQ
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.presentation_log import MAX_LEVEL
from rtasmr.simulation_signs import IN_PULSE

N_SAMPLES = round(SESSION_S * PPG_SFREQ)
N_TICKS = round(SESSION_S * FRAME_RATE_HZ)

STEP_MV = 10.0 / 2**15
"""Smallest step of the amplifier's converter, range +-5 mV."""
HARDWARE_BAND_HZ = (0.5, 35.0)

RSA_SHARE, VASOMOTION_SHARE = 0.022, 0.10
SLOW_RR_SD, BEAT_RR_SD = 0.025, 0.006
NOISE_MV, MAINS_MV, MAINS_HZ, WANDER_MV = 0.004, 0.002, 60.0, 0.08

_PHASE_STEPS = 1 << 14


@dataclass(frozen=True, slots=True)
class PulseEffect:
    """What a tingle of the highest level does to the pulse, as shares.

    Parameters
    ----------
    rr_gain : float
        Longer beat intervals: 0.06 slows the pulse by 6 %.
    amplitude_gain : float
        Larger pulse waves.
    lag_s : float
        Time constant with which the pulse follows the tingle, in seconds.
    """

    rr_gain: float
    amplitude_gain: float
    lag_s: float

    def scaled(self, strength: float) -> PulseEffect:
        """Return an effect ``strength`` times as large, with the same time constant."""
        return replace(self, rr_gain=strength * self.rr_gain, amplitude_gain=strength * self.amplitude_gain)


TINGLE_EFFECT = PulseEffect(rr_gain=0.06, amplitude_gain=0.30, lag_s=2.0)
"""Several times what the study found, so that a few simulated people suffice to see it."""
NO_EFFECT = PulseEffect(rr_gain=0.0, amplitude_gain=0.0, lag_s=2.0)


@dataclass(frozen=True, slots=True)
class Pulse:
    """A simulated session.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, 2), int16
        Raw and filtered channel in steps of ``STEP_MV``.
    beat_times_s : ndarray of shape (n_beats,)
        Feet of the pulse waves, in seconds from the session's start.
    """

    codes: NDArray[np.int16]
    beat_times_s: NDArray[np.float64]


def simulate_pulse(intensity: NDArray[np.float64], effect: PulseEffect, rng: np.random.Generator) -> Pulse:
    """Return a session's pulse.

    Parameters
    ----------
    intensity : ndarray of shape (7200,)
        The person's tingles over the whole session at 10 Hz, 0 to 3.
    effect : PulseEffect
        What they do to the pulse.
    """
    drive = smoothed(intensity / MAX_LEVEL, effect.lag_s)
    tick_s = np.arange(N_TICKS) / FRAME_RATE_HZ
    breath = np.sin(2.0 * np.pi * _breath_phase(rng))
    rest_rr_s = 60.0 / rng.uniform(58.0, 84.0)
    rr_s = rest_rr_s * (
        1.0 + RSA_SHARE * breath + slow_noise(N_TICKS, SLOW_RR_SD, 25.0, rng) + effect.rr_gain * drive
    )
    beat_times_s = _beat_times(rr_s, rest_rr_s, rng)
    amplitude = np.interp(beat_times_s, tick_s, 1.0 + effect.amplitude_gain * drive)
    amplitude *= np.interp(
        beat_times_s, tick_s, np.exp(0.05 * breath + slow_noise(N_TICKS, VASOMOTION_SHARE, 20.0, rng))
    )
    wave = rng.uniform(1.0, 1.7) * _waves(beat_times_s, amplitude, rng)

    time_s = np.arange(N_SAMPLES) / PPG_SFREQ
    wander = WANDER_MV * breath + slow_noise(N_TICKS, 2.0 * WANDER_MV, 8.0, rng)
    raw = wave + np.interp(time_s, tick_s, wander)
    raw += NOISE_MV * rng.standard_normal(N_SAMPLES) + MAINS_MV * np.sin(2.0 * np.pi * MAINS_HZ * time_s)
    band = butter(2, HARDWARE_BAND_HZ, "bandpass", fs=PPG_SFREQ, output="sos")
    # The amplifier has been running: its filter rests on the first value.
    filtered, _ = sosfilt(band, raw, zi=sosfilt_zi(band) * raw[0])
    channels = np.stack((raw, filtered), axis=1)
    codes = np.clip(np.rint(channels / STEP_MV), -(2**14), 2**14 - 1).astype(np.int16)
    return Pulse(codes, beat_times_s)


def _breath_phase(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the phase of the breath in cycles, shape (n_ticks,)."""
    rate_hz = rng.uniform(0.20, 0.30) * (1.0 + slow_noise(N_TICKS, 0.08, 15.0, rng))
    return np.asarray(rng.random() + np.cumsum(rate_hz) / FRAME_RATE_HZ)


def _beat_times(rr_s: NDArray[np.float64], rest_rr_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Integrate the rate into beats from one before the session to one after it."""
    times = [-rest_rr_s * rng.random()]
    while times[-1] < SESSION_S + rest_rr_s:
        tick = min(max(round(times[-1] * FRAME_RATE_HZ), 0), len(rr_s) - 1)
        times.append(times[-1] + rr_s[tick] * (1.0 + BEAT_RR_SD * rng.standard_normal()))
    return np.array(times)


def _waves(
    beat_times_s: NDArray[np.float64], amplitude: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the pulse wave, shape (n_samples,), about 1 from foot to peak."""
    time_s = np.arange(N_SAMPLES) / PPG_SFREQ
    position = np.interp(time_s, beat_times_s, np.arange(len(beat_times_s)))
    phase = np.arange(_PHASE_STEPS) / _PHASE_STEPS
    dicrotic = rng.uniform(0.25, 0.45)
    template = _bump(phase, 0.22, 0.075) + dicrotic * _bump(phase, rng.uniform(0.50, 0.56), 0.10)
    template -= template.min()
    within = ((position % 1.0) * _PHASE_STEPS).astype(np.intp)
    # Interpolated from beat to beat, so that the wave does not jump at its foot.
    return template[within] * np.interp(position, np.arange(len(amplitude)), amplitude)


def _bump(phase: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    """Return a Gaussian on the circle."""
    distance = (phase - centre + 0.5) % 1.0 - 0.5
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


class BiopacWriter:
    """Writes exports; keeps the texts of all times and values, as they are the same in every file."""

    def __init__(self) -> None:
        values = np.arange(-(2**14), 2**14) * STEP_MV
        self._values = pl.Series([f"{value:.6g}" for value in values])
        minutes = np.arange(N_SAMPLES) / (60.0 * PPG_SFREQ)
        self._times = pl.Series([f"{minute:.6g}" for minute in minutes.tolist()])

    def write(self, path: Path, participant: int, codes: NDArray[np.int16]) -> None:
        """Write one participant's export, six significant digits as the program prints them.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, 2), int16
            In steps of ``STEP_MV``.
        """
        header = (
            f"{participant:03d}{IN_PULSE}\n0.5 ms/sample\n2 channels\nPPG\nmV\nPPG (0.5-35Hz)\nmV\n"
            f"min\tCH1\tCH2\n\t{len(codes)}\t{len(codes)}\n"
        )
        index = codes.astype(np.int32) + 2**14
        table = pl.DataFrame(
            {
                "min": self._times,
                "CH1": self._values.gather(pl.Series(index[:, 0])),
                "CH2": self._values.gather(pl.Series(index[:, 1])),
            }
        )
        with path.open("wb") as file:
            file.write(header.encode("ascii"))
            table.write_csv(file, separator="\t", include_header=False, quote_style="never")
