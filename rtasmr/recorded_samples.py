"""The samples of a recording as chunks, in the order in which a live run would have got them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from rtasmr.declared import is_inverted, upright
from rtasmr.errors import DataError
from rtasmr.markers import is_translated
from rtasmr.session import RecordedStream, Recording
from rtasmr.types import Chunk, Modality, Role, StreamSpec

STEP_S = 1.0
"""Seconds of a stream in one chunk: what the aligner's buffers hold of it, many times over."""

MAX_SILENCE_S = 3600.0
"""Longest pause of a recorded stream that is believed."""


def recorded_inputs(recording: Recording) -> dict[Modality, StreamSpec]:
    """Return the streams of pulse, sound and pictures that a recording has samples of.

    Raises
    ------
    DataError
        If there are several of a kind, or the stamps of one cannot be those of one session.
    """
    return {
        role.modality: stream.spec
        for role, stream in _by_role(recording).items()
        if role.modality is not None
    }


def recorded_chunks(recording: Recording) -> list[Chunk]:
    """Return the samples of pulse, sound, pictures and clip markers; errors as in `recorded_inputs`."""
    chunks = [chunk for role, stream in _by_role(recording).items() for chunk in _steps_of(stream, role)]
    # Markers before the data of the same moment, as they come live.
    return sorted(chunks, key=lambda c: (float(c.times[0]), c.role.modality is not None))


def _by_role(recording: Recording) -> dict[Role, RecordedStream]:
    taken: dict[Role, RecordedStream] = {}
    for stream in recording.streams:
        role = _role_of(stream)
        if role is None or len(stream.times) == 0:
            continue
        if role in taken:
            raise DataError(
                f"{recording.path}: expected one {role} stream, got {taken[role].spec.name!r} and "
                f"{stream.spec.name!r}. Leave one out of the file."
            )
        _check_clock(stream, recording)
        taken[role] = stream
    return taken


def _check_clock(stream: RecordedStream, recording: Recording) -> None:
    """Refuse stamps that no session can have: every tick between them would be served."""
    steps = np.diff(stream.times)
    worst = float(steps[np.argmax(np.abs(steps))]) if len(steps) else 0.0
    if not np.isfinite(stream.times).all() or worst > MAX_SILENCE_S or steps.min(initial=0.0) < -STEP_S:
        raise DataError(
            f"{recording.path}: the stamps of {stream.spec.name!r} jump by {worst:g} s; expected one running "
            "clock. Cut the recording at the jump."
        )


def _role_of(stream: RecordedStream) -> Role | None:
    spec = stream.spec
    if spec.stype == "Markers":
        is_clip = not is_translated(spec) and any(str(t).startswith("clip_") for t in stream.data)
        return Role.CLIP if is_clip else None
    return {"PPG": Role.PPG, "Audio": Role.SOUND, "VideoRaw": Role.PICTURE}.get(spec.stype)


def _steps_of(stream: RecordedStream, role: Role) -> Iterator[Chunk]:
    """Cut a recorded stream into chunks that the aligner's buffers hold."""
    if len(stream.times) == 0:
        return
    data = stream.data
    if role is Role.PPG and data.ndim == 2:
        labels = [name.casefold() for name in stream.spec.ch_names]
        column = labels.index("filtered") if "filtered" in labels else 0
        data = data[:, column : column + 1]
        data = upright(data) if is_inverted(stream.spec) else data
    if role is Role.PICTURE:
        data = data.view(np.uint8)
    step = np.floor((stream.times - stream.times[0]) / STEP_S)
    edges = [0, *(np.flatnonzero(np.diff(step)) + 1).tolist(), len(stream.times)]
    for start, stop in itertools.pairwise(edges):
        yield Chunk(role, stream.times[start:stop], data[start:stop])
