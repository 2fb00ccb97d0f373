"""Sound and pictures of a stimulus file as samples on a session's clock."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr import media
from rtasmr.declared import REAL_SILENCE
from rtasmr.errors import DataError
from rtasmr.features.spec import PICTURE_SHAPE, SOUND_SFREQ
from rtasmr.sources.pacing import PlannedStream
from rtasmr.sources.packets import Packet, regular_packets, single_packets
from rtasmr.stream_specs import clip_spec, picture_spec, sound_spec

logger = logging.getLogger(__name__)

BLACK = np.zeros(PICTURE_SHAPE, dtype=np.uint8)
"""What a blank screen shows."""

BLANK_RATE_HZ = 10
"""Pictures per second while the screen is blank."""

_BLOCK = 4410


def silence(n_samples: int) -> Iterator[NDArray[np.int16]]:
    """Yield ``n_samples`` zeros in short blocks."""
    for lo in range(0, n_samples, _BLOCK):
        yield np.zeros(min(_BLOCK, n_samples - lo), dtype=np.int16)


def file_sound(path: Path, first: int, stop: int) -> Iterator[NDArray[np.int16]]:
    """Yield the samples ``first`` to ``stop`` (exclusive) of a file; silence where its track has ended."""
    n_left = stop - first
    for block in media.iter_sound(path, first / SOUND_SFREQ, stop / SOUND_SFREQ):
        yield block[:n_left]
        n_left -= min(len(block), n_left)
    yield from silence(n_left)


def file_pictures(
    path: Path, origin_s: float, start_s: float, stop_s: float
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the images of a file shown from ``origin_s``, as far as they lie in ``[start_s, stop_s)``.

    Session seconds, all of them; the image on screen at ``start_s`` is stamped so.
    """
    for shown_s, picture in media.iter_pictures(path, start_s - origin_s, stop_s - origin_s):
        yield max(origin_s + shown_s, start_s), picture


def blank_pictures(start_s: float, stop_s: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield black pictures at 10 Hz in ``[start_s, stop_s)`` session seconds."""
    for k in itertools.count():
        time_s = start_s + k / BLANK_RATE_HZ
        if time_s >= stop_s:
            return
        yield time_s, BLACK


def media_streams(
    path: Path, *, loop: bool, label: str, source_id: str, chunk_s: float
) -> list[PlannedStream]:
    """Plan the streams of one file, played from session second 0.

    Parameters
    ----------
    path : Path
        Video or sound file; a track that it lacks gets no stream.
    loop : bool
        Start again at its end, for ever.
    label : str
        Name of the clip; empty publishes no markers.
    source_id : str
        Common start of the streams' identities.
    chunk_s : float
        Length of a packet of sound, in seconds.

    Raises
    ------
    DataError
        If the file is missing or unreadable, or shorter than one sample.
    """
    info = media.probe(path)
    n_samples = round(info.duration_s * SOUND_SFREQ)
    if n_samples == 0:
        raise DataError(
            f"{path}: expected a file with some duration, got {info.duration_s} s; choose another"
        )
    # Whole samples, so that the sound of a loop stays on one grid.
    length_s = n_samples / SOUND_SFREQ

    def passes() -> Iterable[int]:
        return itertools.count() if loop else range(1)

    def sound() -> Iterator[Packet]:
        blocks = itertools.chain.from_iterable(file_sound(path, 0, n_samples) for _ in passes())
        return regular_packets(blocks, 0.0, SOUND_SFREQ, itertools.repeat(chunk_s))

    def pictures() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for n in passes():
            yield from file_pictures(path, n * length_s, n * length_s, (n + 1) * length_s)

    def markers() -> Iterator[tuple[float, str]]:
        for n in passes():
            yield n * length_s, f"clip_start {label}"
            yield (n + 1) * length_s, f"clip_end {label}"

    for has_track, track in ((info.has_sound, "sound"), (info.has_picture, "picture")):
        if not has_track:
            logger.warning("%s holds no %s: there is no such stream", path.name, track)
    streams = []
    if info.has_sound:
        spec = sound_spec(source_id=f"{source_id}-sound", desc=REAL_SILENCE)
        streams.append(PlannedStream(spec, sound(), is_decoded=True))
    if info.has_picture:
        spec = picture_spec(source_id=f"{source_id}-picture", fps=info.fps)
        streams.append(PlannedStream(spec, single_packets(pictures()), is_decoded=True))
    if label:
        streams.append(PlannedStream(clip_spec(source_id=f"{source_id}-clip"), single_packets(markers())))
    return streams


def picture_stream(path: Path, *, loop: bool, name: str, source_id: str) -> PlannedStream:
    """Plan the pictures of a file, played from session second 0.

    Raises
    ------
    DataError
        If the file is missing or unreadable, or holds no pictures.
    """
    info = media.probe(path)
    if not info.has_picture:
        raise DataError(f"{path}: expected moving pictures, found none; choose a video file")

    def pictures() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for n in itertools.count() if loop else range(1):
            start_s = n * info.duration_s
            yield from file_pictures(path, start_s, start_s, start_s + info.duration_s)

    spec = picture_spec(source_id=source_id, name=name)
    return PlannedStream(spec, single_packets(pictures()), is_decoded=True)
