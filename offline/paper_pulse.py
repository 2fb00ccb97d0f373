"""Pulse feature of the ``paper`` sets: Fourier resampling and z-score over the whole clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample

from offline.feature_sets import PAPER_PULSE
from rtasmr.biopac import FILTERED_CHANNEL, PpgRecording
from rtasmr.dataset_words import counted, of_clips
from rtasmr.flat_pulse import flat_stretch_s
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS, n_published_frames
from rtasmr.presentation_log import LOG_UNITS_PER_S, Clip

_MAX_GAP_S = float(PAPER_PULSE["ppg_max_gap_s"])


@dataclass(frozen=True)
class PulseClip:
    """The pulse column of one clip, or the reason why there is none.

    Parameters
    ----------
    values : ndarray of shape (n_frames,), float32, or None
        z-score, mean 0 and population SD 1; None where the pulse is flat or missing.
    n_missing : int
        Samples without a number.
    gap_s : float
        Longest stretch without a sample, in seconds.
    flat_s : float
        Longest stretch in which it does not move, in seconds; 0 where it is flat from end to end, too.
    """

    values: NDArray[np.float32] | None
    n_missing: int = 0
    gap_s: float = 0.0
    flat_s: float = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether too much of it is missing."""
        return self.gap_s > _MAX_GAP_S


def paper_pulse(recording: PpgRecording, clip: Clip) -> PulseClip:
    """Return the pulse of one clip of a recording as published, where it holds one.

    The window is cut by the time column as printed, so that its length varies with the printed digits;
    all of it is resampled. A flat window has no z-score: the published code divides by the rounding
    noise of the resampling there, or gives zeros. One that is flat for seconds has none that says anything:
    mean, SD and resampling mix the loss into all frames.

    Parameters
    ----------
    recording : PpgRecording
    clip : Clip
    """
    start_s = clip.start_s + WARMUP_TICKS / FRAME_RATE_HZ
    # The published end is a whole number of log units; the sum in seconds may lie one float above it,
    # and a printed time on the very end would then count.
    stop_s = round(clip.stop_s * LOG_UNITS_PER_S) / LOG_UNITS_PER_S
    window = _window(recording.time_min, start_s, stop_s)
    times_s = recording.time_min[window] * 60.0
    samples = recording.samples[window, FILTERED_CHANNEL].astype(np.float64)
    known = np.isfinite(samples)
    n_missing = int(np.count_nonzero(~known))
    gap_s = _longest_gap(times_s[known], start_s, stop_s)
    if gap_s > _MAX_GAP_S:
        return PulseClip(None, n_missing, gap_s)
    if n_missing:
        samples = np.interp(np.arange(len(samples)), np.flatnonzero(known), samples[known])
    flat_s = flat_stretch_s(samples, recording.sfreq)
    if flat_s > 0:
        return PulseClip(None, n_missing, gap_s, 0.0 if flat_s >= len(samples) / recording.sfreq else flat_s)
    resampled = resample(samples, n_published_frames(clip.duration_s))
    scaled = ((resampled - resampled.mean()) / resampled.std()).astype(np.float32)
    return PulseClip(scaled, n_missing, gap_s)


def pulse_notes(pulses: Mapping[str, PulseClip]) -> list[str]:
    """Return what was unusual about the pulse of a session and what was done, a sentence per fact.

    Parameters
    ----------
    pulses : mapping of str to PulseClip
        By video, in the order shown.
    """
    lost = [video for video, pulse in pulses.items() if pulse.is_lost]
    unmoved = [video for video, pulse in pulses.items() if pulse.values is None and not pulse.is_lost]
    partly = [video for video in unmoved if pulses[video].flat_s]
    flat = [video for video in unmoved if video not in partly]
    mended = [video for video, pulse in pulses.items() if pulse.values is not None and pulse.n_missing]
    notes = []
    if lost:
        gap_s = max(pulses[video].gap_s for video in lost)
        told = f"pulse missing for up to {gap_s:.2f} s in {of_clips(lost, len(pulses))}"
        notes.append(f"{told}; marked invalid there")
    if flat:
        notes.append(f"pulse flat in {of_clips(flat, len(pulses))}; marked invalid there")
    if partly:
        flat_s = max(pulses[video].flat_s for video in partly)
        told = f"pulse flat for up to {flat_s:.1f} s in {of_clips(partly, len(pulses))}"
        notes.append(f"{told}; marked invalid there")
    if mended:
        n_missing = sum(pulses[video].n_missing for video in mended)
        samples = counted(n_missing, "missing sample")
        notes.append(f"{samples} in {of_clips(mended, len(pulses))}; interpolated")
    return notes


def _window(time_min: NDArray[np.float64], start_s: float, stop_s: float) -> NDArray[np.intp]:
    """Return the rows with ``start_s <= minutes * 60 < stop_s``, compared as floats."""
    first, last = 0, len(time_min)
    if np.all(time_min[1:] >= time_min[:-1]):
        # The exact rule is asked only of rows near the window: it is dear on 1.4 million of them.
        first = int(np.searchsorted(time_min, start_s / 60.0 - 1e-6))
        last = int(np.searchsorted(time_min, stop_s / 60.0 + 1e-6))
    seconds = time_min[first:last] * 60.0
    return first + np.flatnonzero((seconds >= start_s) & (seconds < stop_s))


def _longest_gap(times_s: NDArray[np.float64], start_s: float, stop_s: float) -> float:
    """Return the longest stretch of the window without a sample, in seconds."""
    return float(np.diff(np.concatenate([[start_s], times_s, [stop_s]])).max())
