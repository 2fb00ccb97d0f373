"""Sessions recorded to an XDF file, by this project or by LabRecorder."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from replay.recorded import ReplaySession, ReplayStream, cut
from replay.schedule import MakePackets
from replay.stored import StoredStream, index_xdf
from rtasmr.declared import EXACT_STAMPS
from rtasmr.errors import DataError
from rtasmr.sources.packets import Packet, stamped_packets
from rtasmr.timebase import CLOCK_KEYS, TimeBase
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

Stamps = Literal["original-spacing", "nominal"]

INPUT_TYPES = ("PPG", "Audio", "VideoRaw")
OWN_PREFIX = "rtasmr-"
OWN_INPUTS = ("rtasmr-clip", "rtasmr-rating")
"""Marker streams of ours that the runtime takes in; others under our prefix it writes for itself."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")


def xdf_session(
    path: Path,
    start_s: float | None = None,
    stop_s: float | None = None,
    stamps: Stamps = "original-spacing",
) -> ReplaySession:
    """Plan the replay of a recording.

    Every stream of the file is replayed but for what the runtime made of its inputs. Session seconds are
    the stamps as recorded, moved to the clock of the recording machine; a recording of a replay is laid
    back on the session time of the replay. Samples are read from the file as they become due.

    Parameters
    ----------
    path : Path
    start_s, stop_s : float, optional
        Seconds since the first sample of the recording between which to replay.
    stamps : {"original-spacing", "nominal"}
        As recorded, or regular streams at their nominal rate, gaps of more than 1 s left open.

    Raises
    ------
    DataError
        If the file is damaged or has nothing to replay.
    ConfigError
        If nothing lies between start and stop.
    """
    found = index_xdf(path)
    inputs = [stream for stream in found if stream.chunks and not _is_made_by_us(stream.spec)]
    if not inputs:
        names = ", ".join(stream.spec.name for stream in found) or "no stream"
        raise DataError(
            f"{path}: expected samples of a sensor, a stimulus or markers, got {names}. "
            "Choose another recording."
        )
    begin_s = min(stream.first_s for stream in inputs)
    end_s = max(stream.last_s for stream in inputs)
    start, stop = cut(
        begin_s,
        float(np.nextafter(end_s, np.inf)),  # the last sample belongs to the session
        None if start_s is None else begin_s + start_s,
        None if stop_s is None else begin_s + stop_s,
        path.name,
        zero_s=begin_s,
    )
    is_nominal = stamps == "nominal"
    source_ids = _source_ids([stream.spec for stream in inputs])
    streams = tuple(
        ReplayStream(_spec(stream.spec, source_id, is_nominal), _packets(stream, stop, is_nominal))
        for stream, source_id in zip(inputs, source_ids, strict=True)
    )
    return ReplaySession(path.name, start, stop, streams, zero_s=begin_s)


def _is_made_by_us(spec: StreamSpec) -> bool:
    is_ours = spec.name.startswith(OWN_PREFIX)
    return is_ours and spec.stype not in INPUT_TYPES and spec.name not in OWN_INPUTS


def _packets(stream: StoredStream, stop_s: float, is_nominal: bool) -> MakePackets:
    def packets(durations_s: Iterator[float], from_s: float) -> Iterator[Packet]:
        for times, values in stream.read(from_s, stop_s, nominal=is_nominal):
            yield from stamped_packets(times, values, durations_s)

    return packets


def _source_ids(specs: list[StreamSpec]) -> list[str]:
    """Return an identity per stream that does not pass for the device recorded, and is nobody else's."""
    taken: Counter[str] = Counter()
    source_ids = []
    for spec in specs:
        source_id = f"replay-{spec.source_id or spec.name}"
        taken[source_id] += 1
        source_ids.append(source_id if taken[source_id] == 1 else f"{source_id}-{taken[source_id]}")
    return source_ids


def _spec(spec: StreamSpec, source_id: str, is_nominal: bool) -> StreamSpec:
    base = TimeBase.from_desc(spec.desc)
    desc: dict[str, str] = {}
    for key, value in spec.desc.items():
        if key in CLOCK_KEYS:
            continue
        if _PLAIN_KEY.fullmatch(key):
            desc[key] = value
        else:
            logger.warning("stream %r: its metadata %r has no name that LSL takes: left out", spec.name, key)
    if is_nominal and spec.sfreq > 0:
        desc.update(EXACT_STAMPS)
    return replace(
        spec,
        source_id=source_id,
        sfreq=spec.sfreq if base is None else round(spec.sfreq / base.speed, 6),
        desc=desc,
        hostname="",
    )
