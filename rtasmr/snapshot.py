"""What the runtime tells its windows: immutable values and their JSON form.

A snapshot crosses a process border, so it is plain JSON: nothing in it can run code at the reader. A
number that is not finite travels as ``null`` and comes back as NaN.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum, StrEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rtasmr.errors import DataError
from rtasmr.types import Cause, Modality, Prediction, Role, Status

SNAPSHOT_VERSION = 7
"""Raised whenever a field changes; a reader refuses every other version."""

NO_RATING = -1
"""Rating of a tick before the first key press."""

T = TypeVar("T")


class RunState(StrEnum):
    """What the runtime is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the person is asked to rate during a clip: a `rtasmr.questions.Question` as text."""

    clip: str
    question: str


@dataclass(frozen=True, slots=True)
class StreamState:
    """Health of one input stream.

    ``sfreq`` is the declared rate and ``measured_sfreq`` the one seen, in Hz (0.0 declares an irregular
    stream); ``lag_s`` is how late its newest sample came; ``age_s`` is the time since that one's stamp. NaN
    where there is nothing to measure yet. ``asked`` is what a stream of ratings says of its clips;
    ``simulated`` whether the stream says that what it carries is of no person.
    """

    role: Role
    name: str
    source_id: str
    sfreq: float
    measured_sfreq: float
    lag_s: float
    age_s: float
    status: Status
    n_samples: int
    n_lost: int
    overruns: int
    asked: tuple[Asked, ...] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class TickRecord:
    """The one record of a tick.

    Parameters
    ----------
    segment, label, tick, time_s
        Index and stimulus of the segment (empty: a free segment), tick in it, seconds on the session
        clock.
    p : float
        Probability; NaN where there is none.
    status : Status
    modalities : int
        Bit ``i`` stands for the ``i``-th ``Modality``, which was ``OK`` at this tick.
    rating : int
        Rating in force at the tick, 0 to 3, or ``NO_RATING``.
    p_low, p_high : float
        Ends of the uncertainty band, NaN where the model gives none.
    outside : bool
        Whether the features lie outside what the model was trained on.
    cause : Cause
        What the tick lacks its data for where no stream is at fault.
    """

    segment: int
    label: str
    tick: int
    time_s: float
    p: float
    status: Status
    modalities: int
    rating: int
    p_low: float = math.nan
    p_high: float = math.nan
    outside: bool = False
    cause: Cause = Cause.NONE

    @classmethod
    def of(cls, prediction: Prediction, rating: int = NO_RATING) -> TickRecord:
        """Return the record of a prediction, with the rating in force at its tick."""
        return cls(
            segment=prediction.segment.index,
            label=prediction.segment.label,
            tick=prediction.tick,
            time_s=prediction.time_s,
            p=prediction.probability,
            status=prediction.status,
            modalities=_bits(m in prediction.modalities for m in Modality),
            rating=rating,
            p_low=prediction.p_low,
            p_high=prediction.p_high,
            outside=prediction.outside,
            cause=prediction.cause,
        )


def _bits(flags: Any) -> int:
    return sum(1 << bit for bit, flag in enumerate(flags) if flag)


def modalities_of(bits: int) -> tuple[Modality, ...]:
    """Return the modalities that a bit mask names."""
    return tuple(modality for bit, modality in enumerate(Modality) if bits >> bit & 1)


@dataclass(frozen=True, slots=True)
class ModelState:
    """The model that runs; ``encoder`` names the image encoder (``imagenet``, ``random:7``)."""

    id: str
    demo: bool
    threshold: float
    lookahead_frames: int
    window_frames: int
    warnings: tuple[str, ...] = ()
    provider: str = ""
    encoder: str = ""


@dataclass(frozen=True, slots=True)
class StageState:
    """Quantiles of one stage of a tick, in ms; see `rtasmr.latency`."""

    name: str
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class LatencyState:
    """Running quantiles in ms; ``age_ms`` is the age of the newest estimate when it was published.

    ``stages`` are the parts of the publish latency, in order, and what the window adds to them.
    """

    publish_p50_ms: float = math.nan
    publish_p99_ms: float = math.nan
    compute_p50_ms: float = math.nan
    compute_p99_ms: float = math.nan
    age_ms: float = math.nan
    stages: tuple[StageState, ...] = ()


@dataclass(frozen=True, slots=True)
class PulseState:
    """The pulse as read last; see `rtasmr.pulse_quality`.

    ``time_s`` is the end of the window that was read, ``rate_bpm`` NaN where there is none, ``quality``
    0 to 1, ``troubles`` the names of what is wrong, ``beats`` the times of the beats in the window; times
    are on the session clock.
    """

    time_s: float
    rate_bpm: float
    quality: float
    troubles: tuple[str, ...]
    beats: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PulsePoint:
    """One reading of the pulse, as kept for the curve over time: see `PulseState`."""

    time_s: float
    rate_bpm: float
    quality: float


@dataclass(frozen=True, slots=True)
class ProgrammeState:
    """Where a session of several clips is, for whoever runs it.

    Parameters
    ----------
    now : str
        Name of the clip, or what stands between two (``rest``, ``instructions``, ``closing words``).
    question : str
        What the person is asked about this clip (``tingling``, ``pleasantness``); empty between clips.
    clip, n_clips : int
        Number of the clip shown now or last, counted from 1 (0: none yet), and how many there are.
    left_s, total_left_s : float
        Seconds left of what is shown now, and of all; NaN where unknown.
    next : str
        What comes next; empty at the end.
    paused : bool
    step : int
        Number of what is shown now among all items, rests and texts too, counted from 1 (0: not told).
    """

    now: str
    question: str
    clip: int
    n_clips: int
    left_s: float
    total_left_s: float
    next: str
    paused: bool = False
    step: int = 0


class Command(StrEnum):
    """What a window may ask of the runtime."""

    END = "end"
    """End the run: the window that came with it was closed."""
    PAUSE = "pause"
    """Pause the programme; one that is paused stays so, so that asking twice does no harm."""
    RESUME = "resume"
    """Go on with a paused programme."""
    SKIP = "skip"
    """Leave an item of the programme, by its number, for the next; asking twice does no harm."""
    STOP = "stop"
    """End the programme, and with it the run."""


@dataclass(frozen=True, slots=True)
class RecordingState:
    """The recording in progress, in the file ``path``; ``error`` is empty while all goes well."""

    path: str
    seconds: float
    n_bytes: int
    overruns: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the runtime at one instant.

    Parameters
    ----------
    session : str
        Random name of the run, so that a reader notices a new one.
    revision : int
        Counts the changes of the state; equal revisions are equal snapshots.
    seq : int
        Number of records up to and including the last of ``records``: what the reader asks from next.
    n_behind : int
        Newer records that did not fit into this reply; ask again.
    state, message
        What the runtime does, and why where it does not run.
    now_s, start_s : float
        Session clock at the update, and time of the first record.
    published_ago_s : float
        Real time from the publication of the newest record to this reply.
    ppg_times, ppg_values : tuple of float
        The last 10 s of the pulse wave at no more than 60 Hz; NaN where samples are missing. A reply holds
        the part that its reader lacks.
    trend : tuple of PulsePoint
        Readings of the pulse, oldest first, that the reader lacks.
    programme : ProgrammeState or None
        Position in a session of several clips.
    """

    version: int = SNAPSHOT_VERSION
    session: str = ""
    revision: int = 0
    seq: int = 0
    n_behind: int = 0
    state: RunState = RunState.WAITING
    message: str = ""
    now_s: float = math.nan
    start_s: float = math.nan
    published_ago_s: float = math.nan
    model: ModelState | None = None
    streams: tuple[StreamState, ...] = ()
    records: tuple[TickRecord, ...] = ()
    ppg_times: tuple[float, ...] = ()
    ppg_values: tuple[float, ...] = ()
    pulse: PulseState | None = None
    trend: tuple[PulsePoint, ...] = ()
    programme: ProgrammeState | None = None
    latency: LatencyState = field(default_factory=LatencyState)
    recording: RecordingState | None = None


def encode(snapshot: Snapshot) -> bytes:
    """Return a snapshot as UTF-8 JSON; records become rows in the order of ``TickRecord``'s fields."""
    content = _to_json(snapshot)
    content["records"] = [list(row.values()) for row in content["records"]]
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def decode(data: bytes) -> Snapshot:
    """Return the snapshot in ``data``.

    Raises
    ------
    DataError
        If the bytes are not a snapshot of this version with exactly the known fields.
    """
    content = decode_object(data)
    version = content.get("version")
    if version != SNAPSHOT_VERSION:
        raise DataError(
            f"expected snapshot version {SNAPSHOT_VERSION}, got {version!r}: "
            "start the window from the same installation as the runtime"
        )
    rows = content.get("records")
    if isinstance(rows, list):
        names = [f.name for f in fields(TickRecord)]
        if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
            raise DataError(f"expected records of {len(names)} fields, got another shape")
        content["records"] = [dict(zip(names, row, strict=True)) for row in rows]
    snapshot: Snapshot = _from_json(Snapshot, content, "snapshot")
    if len(snapshot.ppg_times) != len(snapshot.ppg_values):
        raise DataError(
            f"expected one pulse value per stamp, got {len(snapshot.ppg_values)} values "
            f"and {len(snapshot.ppg_times)} stamps"
        )
    return snapshot


def decode_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises
    ------
    DataError
        If the bytes are anything else.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"expected a JSON object, got {len(data)} other bytes ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"expected a JSON object, got {type(content).__name__}")
    return content


def _to_json(value: Any) -> Any:
    # Enums first: Status is an int and RunState a str, and names survive a renumbering.
    if isinstance(value, Status):
        return value.name
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return {name: _to_json(getattr(value, name)) for name in _field_types(value.__class__)}


@cache
def _field_types(cls: Any) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _from_json(kind: Any, value: Any, where: str) -> Any:
    """Return ``value`` as an instance of the annotation ``kind``."""
    if kind is float:
        if value is None:
            return math.nan
        return float(_expect(value, (int, float), where))
    if kind in (str, int, bool):
        return _expect(value, (kind,), where)
    if get_origin(kind) is tuple:
        items = _expect(value, (list,), where)
        item_kind = get_args(kind)[0]
        if item_kind is float and all(type(item) is float for item in items):
            return tuple(items)  # the pulse wave: 1200 numbers ten times a second
        return tuple(_from_json(item_kind, item, where) for item in items)
    if isinstance(kind, types.UnionType):
        return None if value is None else _from_json(get_args(kind)[0], value, where)
    if is_dataclass(kind):
        return _dataclass_from_json(kind, value, where)
    return _enum_from_json(kind, value, where)


def _dataclass_from_json(kind: Any, value: Any, where: str) -> Any:
    content = _expect(value, (dict,), where)
    known = _field_types(kind)
    if content.keys() != known.keys():
        unknown = sorted(content.keys() - known.keys())
        missing = sorted(known.keys() - content.keys())
        raise DataError(
            f"{where}: expected the fields of {kind.__name__}, got unknown {unknown} and missing {missing}"
        )
    return kind(**{name: _from_json(known[name], content[name], f"{where}.{name}") for name in known})


def _enum_from_json(kind: type[Enum], value: Any, where: str) -> Enum:
    by_name = {(m.name if kind is Status else m.value): m for m in kind}
    member = by_name.get(_expect(value, (str,), where))
    if member is None:
        raise DataError(f"{where}: expected one of {list(by_name)}, got {value!r}")
    return member


def _expect(value: T, kinds: tuple[type, ...], where: str) -> T:
    # type() and not isinstance(): True is an int to Python but not to us.
    if type(value) not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise DataError(f"{where}: expected {names}, got {type(value).__name__}")
    return value
