"""Sessions of the data set: pulse and log from file, the stimuli played where the log shows them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from replay.recorded import ReplaySession, ReplayStream, cut
from rtasmr.biopac import PpgRecording
from rtasmr.dataset import DataSet
from rtasmr.declared import REAL_SILENCE
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.presentation_log import Clip, SessionLog
from rtasmr.sources.media_file import blank_pictures, file_pictures, file_sound, silence
from rtasmr.sources.packets import Packet, regular_packets, single_packets
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, rating_spec, sound_spec

logger = logging.getLogger(__name__)

BEFORE_CLIP_S = 1.0
AFTER_CLIP_S = 1.5
"""What is replayed around a single clip: its first frame looks back, its last ones look ahead."""

_ROUNDING_S = 1e-9


def dataset_session(
    root: Path,
    participant: int,
    video: str | None = None,
    start_s: float | None = None,
    stop_s: float | None = None,
) -> ReplaySession:
    """Plan the session of a participant, or one clip of it.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    participant : int
    video : str, optional
        Replay from 1 s before this clip to 1.5 s after it.
    start_s, stop_s : float, optional
        Seconds on the log's clock between which to replay.

    Raises
    ------
    DataError
        If the set was not written or downloaded to its end, a file is missing or damaged, or the participant
        did not see the clip. A missing stimulus is an error only once its sound or pictures are asked for.
    ConfigError
        If nothing lies between start and stop.
    """
    dataset = DataSet.open(root)
    dataset.require_finished()
    log = dataset.log(participant)
    recording = dataset.ppg(participant)
    title = f"participant {participant:03d}"
    begin_s, end_s = recording.start_s, recording.stop_s
    clips = log.clips
    if video is not None:
        clip = log.clip(video)
        clips = (clip,)
        title = f"{title}, {video}"
        begin_s, end_s = max(begin_s, clip.start_s - BEFORE_CLIP_S), clip.stop_s + AFTER_CLIP_S
    start, stop = cut(begin_s, end_s, start_s, stop_s, title)
    clips = tuple(clip for clip in clips if clip.start_s < stop and clip.stop_s > start)
    for note in (*log.notes, *recording.notes):
        logger.warning("%s", note)

    def files() -> dict[str, Path]:
        """Look the stimuli up only where they are played: pulse and markers go without them."""
        return {clip.video: dataset.stimulus(clip.video) for clip in clips}

    def left(from_s: float) -> tuple[Clip, ...]:
        return tuple(clip for clip in clips if clip.stop_s > from_s)

    events = _Events(log, clips, start, stop)
    prefix = f"replay-{participant:03d}"
    origin = {"simulated": "true"} if dataset.is_simulated else {}
    return ReplaySession(
        title,
        start,
        stop,
        (
            ReplayStream(
                ppg_spec(recording.sfreq, source_id=f"{prefix}-ppg", units=recording.units, desc=origin),
                lambda durations_s, from_s: pulse_packets(recording, from_s, stop, durations_s),
            ),
            ReplayStream(
                sound_spec(source_id=f"{prefix}-sound", desc={**REAL_SILENCE, **origin}),
                lambda durations_s, from_s: sound_packets(left(from_s), files(), from_s, stop, durations_s),
                is_decoded=True,
            ),
            ReplayStream(
                picture_spec(source_id=f"{prefix}-picture", desc=origin),
                lambda _, from_s: single_packets(session_pictures(left(from_s), files(), from_s, stop)),
                is_decoded=True,
            ),
            ReplayStream(rating_spec(source_id=f"{prefix}-rating", desc=origin), events.ratings),
            ReplayStream(clip_spec(source_id=f"{prefix}-clip", desc=origin), events.clips),
        ),
    )


class _Events:
    """Markers of a session between ``start`` and ``stop``."""

    def __init__(self, log: SessionLog, clips: tuple[Clip, ...], start: float, stop: float) -> None:
        self._ratings = [
            (press.time_s, f"rating={press.level}") for press in log.presses if start <= press.time_s <= stop
        ]
        edges = chain.from_iterable(
            ((clip.start_s, f"clip_start {clip.video}"), (clip.stop_s, f"clip_end {clip.video}"))
            for clip in clips
        )
        self._clips = [edge for edge in edges if start <= edge[0] <= stop]

    def ratings(self, _durations_s: Iterator[float], from_s: float) -> Iterator[Packet]:
        return single_packets(press for press in self._ratings if press[0] >= from_s)

    def clips(self, _durations_s: Iterator[float], from_s: float) -> Iterator[Packet]:
        return single_packets(edge for edge in self._clips if edge[0] >= from_s)


def pulse_packets(
    recording: PpgRecording, start: float, stop: float, durations_s: Iterator[float]
) -> Iterator[Packet]:
    """Yield the pulse of a session."""
    first, end = (
        max(0, math.ceil((edge - recording.start_s) * recording.sfreq - _ROUNDING_S))
        for edge in (start, stop)
    )
    samples = recording.samples[first:end]
    return regular_packets([samples], recording.start_s, recording.sfreq, durations_s, first)


def sound_packets(
    clips: tuple[Clip, ...],
    files: dict[str, Path],
    start: float,
    stop: float,
    durations_s: Iterator[float],
) -> Iterator[Packet]:
    """Yield the sound of a session: the clips, and silence while the screen was blank.

    Sample 0 of a clip lies exactly at its start. Each clip therefore has a sample grid of its own,
    which begins in the silence up to 1 s before it; the step from one grid to the next is less than
    one sample and inaudible there.
    """
    grids = _sound_grids(clips, start, stop)
    next_s = start
    for origin_s, clip, end_s in grids:
        first = round((next_s - origin_s) * SOUND_SFREQ)
        if origin_s + first / SOUND_SFREQ < start - _ROUNDING_S:
            first += 1
        last = math.ceil((end_s - origin_s) * SOUND_SFREQ - SOUND_SFREQ * _ROUNDING_S)
        blocks = silence(last - first) if clip is None else _clip_sound(clip, files[clip.video], first, last)
        yield from regular_packets(blocks, origin_s, SOUND_SFREQ, durations_s, first)
        next_s = origin_s + last / SOUND_SFREQ


def _sound_grids(
    clips: tuple[Clip, ...], start: float, stop: float
) -> list[tuple[float, Clip | None, float]]:
    """Return origin, clip and end of each stretch with one sample grid, in order."""
    if not clips:
        return [(start, None, stop)]
    ends = [max(before.stop_s, after.start_s - BEFORE_CLIP_S) for before, after in pairwise(clips)]
    return [(clip.start_s, clip, end) for clip, end in zip(clips, [*ends, stop], strict=True)]


def _clip_sound(clip: Clip, path: Path, first: int, last: int) -> Iterator[NDArray[np.int16]]:
    """Yield the samples ``first`` to ``last`` (exclusive) of a clip's grid."""
    n_shown = round(clip.duration_s * SOUND_SFREQ)
    begin, end = min(max(first, 0), last), max(min(last, n_shown), first)
    yield from silence(begin - first)
    if begin < end:
        yield from file_sound(path, begin, end)
    yield from silence(last - max(begin, end))


def session_pictures(
    clips: tuple[Clip, ...], files: dict[str, Path], start: float, stop: float
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield time and picture of everything on screen: the clips' images, black at 10 Hz between them."""
    blank_from = start
    for clip in clips:
        yield from blank_pictures(blank_from, clip.start_s)
        begin, end = max(clip.start_s, start), min(clip.stop_s, stop)
        yield from file_pictures(files[clip.video], clip.start_s, begin, end)
        blank_from = clip.stop_s
    yield from blank_pictures(blank_from, stop)
