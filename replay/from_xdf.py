"""Sessions recorded to an XDF file, by this project or by LabRecorder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from replay.recorded import ReplaySession, ReplayStream, cut
from rtasmr.errors import DataError
from rtasmr.recorded_features import SEGMENTS_SPEC
from rtasmr.session import RecordedStream, read_xdf
from rtasmr.sources.packets import Packet, stamped_packets
from rtasmr.timebase import CLOCK_KEYS, TimeBase
from rtasmr.types import StreamSpec

INPUT_TYPES = ("PPG", "Audio", "VideoRaw")
MARKER_TYPE = "Markers"
INTERNAL_NAMES = (SEGMENTS_SPEC.name,)
"""Marker streams that the runtime writes for itself."""


def xdf_session(path: Path, start_s: float | None = None, stop_s: float | None = None) -> ReplaySession:
    """Plan the replay of a recording.

    What the runtime takes in is replayed: pulse, sound, pictures and markers; what it made of them is
    not. Session seconds are the stamps as recorded; a recording of a replay is laid back on the
    session time of the replay.

    Parameters
    ----------
    path : Path
    start_s, stop_s : float, optional
        Seconds since the first sample of the recording between which to replay.

    Raises
    ------
    DataError
        If the file is damaged or has nothing to replay.
    ConfigError
        If nothing lies between start and stop.
    """
    recording = read_xdf(path)
    inputs = [stream for stream in recording.streams if _is_input(stream)]
    if not inputs:
        names = ", ".join(stream.spec.name for stream in recording.streams) or "no stream"
        raise DataError(
            f"{path}: expected samples of type {', '.join(INPUT_TYPES)} or {MARKER_TYPE}, got {names}. "
            "Choose another recording."
        )
    times = [_session_times(stream) for stream in inputs]
    begin_s = min(float(t.min()) for t in times)
    end_s = max(float(t.max()) for t in times)
    start, stop = cut(
        begin_s,
        np.nextafter(end_s, np.inf),  # the last sample belongs to the session
        None if start_s is None else begin_s + start_s,
        None if stop_s is None else begin_s + stop_s,
        path.name,
    )
    streams = tuple(
        _replayed(stream, stamps, (stamps >= start) & (stamps < stop))
        for stream, stamps in zip(inputs, times, strict=True)
    )
    return ReplaySession(path.name, start, stop, streams)


def _is_input(stream: RecordedStream) -> bool:
    spec = stream.spec
    if spec.stype == MARKER_TYPE:
        is_wanted = spec.name not in INTERNAL_NAMES and spec.dtype == "string" and spec.n_channels == 1
    else:
        is_wanted = spec.stype in INPUT_TYPES
    return is_wanted and len(stream.times) > 0


def _session_times(stream: RecordedStream) -> NDArray[np.float64]:
    base = TimeBase.from_desc(stream.spec.desc)
    return stream.times if base is None else base.to_session(stream.times)


def _replayed(stream: RecordedStream, times: NDArray[np.float64], keep: NDArray[np.bool_]) -> ReplayStream:
    kept_times, kept_data = times[keep], stream.data[keep]

    def packets(durations_s: Iterator[float]) -> Iterator[Packet]:
        return stamped_packets(kept_times, kept_data, durations_s)

    return ReplayStream(_spec(stream.spec), packets)


def _spec(spec: StreamSpec) -> StreamSpec:
    """Return a description that does not pass for the device that was recorded."""
    base = TimeBase.from_desc(spec.desc)
    return replace(
        spec,
        source_id=f"replay-{spec.source_id or spec.name}",
        sfreq=spec.sfreq if base is None else round(spec.sfreq / base.speed, 6),
        desc={key: value for key, value in spec.desc.items() if key not in CLOCK_KEYS},
        hostname="",
    )
