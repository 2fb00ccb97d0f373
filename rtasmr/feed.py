"""Chunks of files in time order, with no socket: the offline counterpart of the inlets."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.media import iter_pictures, probe, read_sound
from rtasmr.types import Chunk, Role

logger = logging.getLogger(__name__)

STEP_S = 1.0
"""Seconds handed over at a time; bounds the pictures held in memory."""

TORN_S = 1.0
"""Tracks of a whole file end that far apart at most."""


def stimulus_chunks(path: Path, label: str = "", stop_s: float | None = None) -> Iterator[Chunk]:
    """Yield a stimulus file's clip markers, sound and pictures in presentation order.

    Parameters
    ----------
    path : Path
        Video file; either of sound and picture may be missing, not both.
    label : str
        Name of the clip in its markers; empty lays no markers and leaves the segment free.
    stop_s : float or None
        Seconds of the file to hand over; None means all of it.

    Raises
    ------
    DataError
        If the file is missing, unreadable, or holds neither sound nor picture.
    """
    info = probe(path)
    for has_track, track in ((info.has_sound, "sound"), (info.has_picture, "picture")):
        if not has_track:
            logger.warning("%s holds no %s: its frames go without", path.name, track)
    duration_s = info.duration_s if stop_s is None else min(stop_s, info.duration_s)
    if label:
        yield marker_chunk(0.0, f"clip_start {label}")
    sound = read_sound(path, stop_s=duration_s) if info.has_sound else np.empty(0, np.int16)
    # Only what a tick will pick is resized: a third of the images at 30 per second.
    ticks = np.arange(math.ceil(duration_s * FRAME_RATE_HZ) + 1) / FRAME_RATE_HZ
    pictures = iter_pictures(path, stop_s=duration_s, shown_at=ticks) if info.has_picture else iter(())
    waiting: tuple[float, NDArray[np.uint8]] | None = next(pictures, None)
    n_steps = int(np.ceil(duration_s / STEP_S))
    per_step = round(STEP_S * SOUND_SFREQ)
    seen_s = 0.0
    for step in range(n_steps):
        part = sound[step * per_step : (step + 1) * per_step]
        if len(part):
            times = (step * per_step + np.arange(len(part))) / SOUND_SFREQ
            yield Chunk(Role.SOUND, times, part[:, None])
        shown: list[tuple[float, NDArray[np.uint8]]] = []
        is_last = step == n_steps - 1
        while waiting is not None and (is_last or waiting[0] < (step + 1) * STEP_S):
            shown.append(waiting)
            waiting = next(pictures, None)
        if shown:
            images = np.stack([image for _, image in shown])
            yield Chunk(Role.PICTURE, np.array([t for t, _ in shown]), images.reshape(len(shown), -1))
            seen_s = shown[-1][0]
    _tell_torn(path, duration_s, len(sound) / SOUND_SFREQ if info.has_sound else seen_s)
    if label:
        yield marker_chunk(duration_s, f"clip_end {label}")


def _tell_torn(path: Path, duration_s: float, decoded_s: float) -> None:
    """Say so where much less can be decoded than the file's header promises."""
    if duration_s - decoded_s > TORN_S:
        logger.warning(
            "%s: expected %.1f s as its header says, %.1f s can be decoded; get a whole copy of the file",
            path.name,
            duration_s,
            decoded_s,
        )


def reached(chunk: Chunk) -> float:
    """Return the time before which nothing can follow, given chunks in order of their first stamps.

    Passed to the aligner as ``now``, it lets a stream that ends early be late as it would be live, and
    holds up nobody. A marker says nothing about the data: ``-inf``.
    """
    return -math.inf if chunk.role.modality is None else float(chunk.times[0])


def marker_chunk(time_s: float, text: str, role: Role = Role.CLIP) -> Chunk:
    """Return one marker stamped ``time_s`` (seconds on the session clock)."""
    return Chunk(role, np.array([time_s]), np.array([text], dtype=object))


def pulse_chunks(samples: NDArray[np.float32], sfreq: float, start_s: float = 0.0) -> Iterator[Chunk]:
    """Yield a loss-free pulse in steps that the aligner's buffer holds.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
    sfreq : float
        Rate in Hz; sample ``i`` lies at ``start_s + i / sfreq``.
    start_s : float
        Time of sample 0 in seconds on the session clock.
    """
    times = start_s + np.arange(len(samples)) / sfreq
    per_step = max(1, round(STEP_S * sfreq))
    for first in range(0, len(samples), per_step):
        step = slice(first, first + per_step)
        yield Chunk(Role.PPG, times[step], samples[step, None])
