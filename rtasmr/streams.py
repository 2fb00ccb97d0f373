"""LSL streams in: open the one that was found and turn what arrives into chunks.

Stamps come on this host's clock (`raw_inlet`) and leave in seconds on the session clock.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr.clockwatch import ClockJump, ClockWatch
from rtasmr.closing import Closing
from rtasmr.declared import UPRIGHT, has_exact_stamps, is_inverted, modality_format, upright
from rtasmr.discovery import (
    FoundStream,
    Query,
    Resolver,
    describe,
    discover,
    printable,
    resolve,
    resolve_all,
)
from rtasmr.errors import StreamError
from rtasmr.features.spec import LIVE_PARAMETERS, PICTURE_SHAPE, SOUND_SFREQ
from rtasmr.rate import RateMonitor, RateState, StampRate
from rtasmr.raw_inlet import RawInlet, texts
from rtasmr.timebase import CLOCK_KEYS, TimeBase
from rtasmr.types import Chunk, Role, StreamSpec

__all__ = [
    "FoundStream",
    "Inlet",
    "Query",
    "Resolver",
    "TimeBase",
    "describe",
    "discover",
    "pick_channel",
    "printable",
    "resolve",
    "resolve_all",
]

MIN_PPG_SFREQ = float(LIVE_PARAMETERS["ppg_min_sfreq_hz"])
MAX_PPG_SFREQ = 50_000.0
"""Rates above are a mistake in the header; buffers are sized by it."""

SILENT_AFTER_S = 2.0
"""A source that promised a rate and is still open is asked after when it has sent nothing for so long."""

BEGINS_AFTER_S = 5.0
"""The same before its first sample: a device may take a while to begin."""

_PULL_S = 0.5
_MAX_PICTURES = 8
_MAX_MARKERS = 64
_MAX_BUFLEN = 60
_MAX_PICTURE_BUFLEN = 1
"""A picture weighs 150 kB: 100 of them (liblsl counts 100 per unit of an irregular stream) bound what a
stalled runtime can pile up."""

_NUMERIC = ("float32", "double64", "int8", "int16", "int32", "int64")


class Inlet(Closing):
    """One incoming stream, fit for its role; use it as a context manager.

    Parameters
    ----------
    found : FoundStream
        The described stream.
    role : Role
    timebase : TimeBase
        Map from the LSL clock to the session clock, one for all streams.
    channel : str
        Label or number of the channel to take; empty to take the only or the obvious one.
    polarity : str
        ``inverted`` turns a pulse over, ``upright`` leaves it; empty goes by what the stream declares.
        What is delivered is upright either way, and ``spec`` says so.
    open_timeout_s : float
        How long connecting may take, in seconds.

    Raises
    ------
    StreamError
        If the stream does not fit its role or does not open in time.
    StreamLostError
        If it is gone.
    """

    def __init__(
        self,
        found: FoundStream,
        role: Role,
        timebase: TimeBase,
        channel: str = "",
        *,
        polarity: str = "",
        open_timeout_s: float = 3.0,
    ) -> None:
        self.found = found
        self.role = role
        self._timebase = timebase
        wire = found.spec
        self.spec = _fit(found, role, timebase, channel)
        turns_over = role is Role.PPG and (polarity == "inverted" or (not polarity and is_inverted(wire)))
        if turns_over or (role is Role.PPG and polarity):
            # Said with the data, so that a replay of what is recorded does not turn it back.
            self.spec = replace(self.spec, desc={**self.spec.desc, **UPRIGHT})
        self.n_samples = 0
        self._newest_lsl_s = math.nan
        # A stream without a rate, as one of markers or pictures, may rest without being at fault.
        self._may_rest_s, burst_s = math.inf, 0.0
        if self.spec.sfreq > 0 and role.modality is not None:
            burst_s = modality_format(wire).burst_s
            self._may_rest_s = SILENT_AFTER_S + 1.5 * burst_s
        self.lag_s = math.nan
        """How much later than its stamp the newest sample was taken, in seconds; NaN before any."""
        self._jumps: list[ClockJump] = []
        self._clock = _clock_watch(wire, role)
        is_recorded = any(key in wire.desc for key in CLOCK_KEYS)
        self._monitor = RateMonitor(wire.sfreq, burst_s, is_recorded=is_recorded) if wire.sfreq > 0 else None
        self._stamp_rate = StampRate()
        self._raw = RawInlet(
            found,
            f"{role} stream",
            partial(
                _decode,
                role=role,
                dtype=wire.dtype,
                columns=_columns(wire, role, channel),
                turns_over=turns_over,
            ),
            max_samples=_pull_size(wire, role),
            max_buflen=_MAX_PICTURE_BUFLEN if role is Role.PICTURE else _MAX_BUFLEN,
            open_timeout_s=open_timeout_s,
        )

    def close(self) -> None:
        """Disconnect."""
        self._raw.close()

    @property
    def rate(self) -> RateState:
        """Measured rate against the header, on the LSL clock; nothing is judged of irregular streams."""
        if self._monitor is None:
            return RateState(measured_hz=self._stamp_rate.hz, is_plausible=True)
        return self._monitor.state

    @property
    def correction_s(self) -> float:
        """Seconds added to the stamps of another host; exactly 0 for this one."""
        return self._raw.correction_s

    @property
    def n_bad_stamps(self) -> int:
        """Samples left out since their stamp is NaN or infinite."""
        return self._raw.n_bad_stamps

    @property
    def age_s(self) -> float:
        """Seconds from the newest stamp to now, on this host's LSL clock; NaN before any sample."""
        return float(pylsl.local_clock()) - self._newest_lsl_s

    @property
    def silent_s(self) -> float:
        """Seconds since anything arrived, before any sample since it was opened, on this host's LSL clock."""
        return float(pylsl.local_clock()) - self._raw.heard_s

    @property
    def is_silent(self) -> bool:
        """Whether a stream that has a rate sends nothing any more, or has not begun to."""
        return self.silent_s > max(self._may_rest_s, 0.0 if self._raw.has_begun else BEGINS_AFTER_S)

    def pull(self) -> Chunk | None:
        """Take what has arrived, without waiting; None if nothing has.

        A call takes at most 4 s worth of samples (64 pictures); a longer backlog comes with the next calls.

        Raises
        ------
        StreamLostError
            If the source is gone.
        """
        pulled = self._raw.pull()
        if pulled is None:
            return None
        arrival_s = float(pylsl.local_clock())
        sent, data = pulled
        lsl_times, jumps = self._clock.correct(sent, arrival_s)
        self._jumps += jumps
        self.n_samples += len(lsl_times)
        self._newest_lsl_s = float(lsl_times[-1])
        self.lag_s = arrival_s - self._newest_lsl_s
        times = self._timebase.to_session(lsl_times)
        if self._monitor is None:
            self._stamp_rate.update(times)
        else:
            self._monitor.update(lsl_times, arrival_s)
        return Chunk(self.role, times, data)

    def take_clock_jumps(self) -> list[ClockJump]:
        """Return the jumps of the source's clock since the last call; the stamps are free of them."""
        jumps, self._jumps = self._jumps, []
        return jumps


def _clock_watch(wire: StreamSpec, role: Role) -> ClockWatch:
    """Return what keeps the stamps of a stream on this host's clock."""
    # A replay has the session clock itself, and our own sources fit their stamps to this clock.
    is_ours = has_exact_stamps(wire) or any(key in wire.desc for key in CLOCK_KEYS)
    is_marker = role.modality is None
    burst_s = 0.0 if is_marker else modality_format(wire).burst_s
    return ClockWatch(wire.sfreq, burst_s, follow_drift=not is_ours, is_marker=is_marker)


def pick_channel(spec: StreamSpec, wanted: str = "") -> int:
    """Return the number of the channel to take.

    Parameters
    ----------
    spec : StreamSpec
        The described stream.
    wanted : str
        Label or number from 0. Empty takes the only channel, else the one labelled ``filtered``,
        else the only one of the stream's own type.

    Raises
    ------
    StreamError
        If no channel fits, or several do.
    """
    labels = [label.casefold() for label in spec.ch_names]
    if wanted:
        fits = [i for i, label in enumerate(labels) if label == wanted.casefold()]
        if not fits and wanted.isdecimal() and int(wanted) < spec.n_channels:
            fits = [int(wanted)]
    elif spec.n_channels == 1:
        fits = [0]
    else:
        fits = [i for i, label in enumerate(labels) if label == "filtered"]
        fits = fits or [i for i, ch_type in enumerate(spec.ch_types) if ch_type == spec.stype]
    if len(fits) == 1:
        return fits[0]
    listed = ", ".join(f"{i}:{printable(label, 20) or '?'}" for i, label in enumerate(spec.ch_names[:16]))
    what = f"a channel {printable(wanted)!r}" if wanted else "one channel to take"
    raise StreamError(
        f"expected {what} in stream {printable(spec.name)!r}, got {len(fits)} of {spec.n_channels} "
        f"({listed}). Name one with channel=."
    )


def _decode(
    block: NDArray[Any], *, role: Role, dtype: str, columns: list[int], turns_over: bool
) -> NDArray[Any]:
    """Return a copy of a pulled block in the types of `Chunk`."""
    if role is Role.PICTURE:
        return block.view(np.uint8).copy()
    taken = block[:, columns]
    if dtype == "string":
        return texts(taken[:, 0])
    if role.modality is None:
        # Triggers may be numbers: 7 and 7.0 are both told as "7".
        return np.array([str(value).removesuffix(".0") for value in taken[:, 0]], dtype=object)
    return upright(taken) if turns_over else taken


def _columns(wire: StreamSpec, role: Role, channel: str) -> list[int]:
    if role is Role.PICTURE:
        return []
    return [pick_channel(wire, channel)]


def check_fit(found: FoundStream, role: Role, channel: str = "") -> None:
    """Check a described stream against its role before it is opened, as `Inlet` does.

    Raises
    ------
    StreamError
        If it does not fit.
    """
    _fit(found, role, TimeBase.from_streams([found.spec]), channel)


def _fit(found: FoundStream, role: Role, timebase: TimeBase, channel: str) -> StreamSpec:
    """Check a stream against its role; return what the inlet delivers, with its rate in session time."""
    wire = found.spec
    # Rates are known to a micro-hertz at best; rounding undoes what the speed of a replay cost.
    sfreq = round(wire.sfreq / timebase.speed, 6)
    n_bytes = math.prod(PICTURE_SHAPE)
    is_event = wire.dtype == "string" or (wire.dtype in _NUMERIC and sfreq == 0)
    needs, fits = {
        Role.PPG: (
            f"numbers at a regular rate of {MIN_PPG_SFREQ:g} to {MAX_PPG_SFREQ:g} Hz",
            wire.dtype in _NUMERIC and MIN_PPG_SFREQ <= sfreq <= MAX_PPG_SFREQ,
        ),
        Role.SOUND: (f"int16 at {SOUND_SFREQ:g} Hz", wire.dtype == "int16" and sfreq == SOUND_SFREQ),
        Role.PICTURE: (f"int8 with {n_bytes} channels", wire.dtype == "int8" and wire.n_channels == n_bytes),
        Role.RATING: ("events (texts or numbers)", is_event),
        Role.CLIP: ("events (texts or numbers)", is_event),
    }[role]
    if not fits:
        raise StreamError(
            f"expected {needs} as {role} stream, got {wire.dtype} with {wire.n_channels} channels "
            f"at {sfreq:g} Hz from {found}. Choose another stream."
        )
    # What the inlet delivers is in session time: the map must not be applied again, say by a replay
    # of what the runtime records.
    desc = {key: value for key, value in wire.desc.items() if key not in CLOCK_KEYS}
    if role is Role.PICTURE:
        return replace(wire, sfreq=sfreq, desc=desc)
    i = pick_channel(wire, channel)
    label = wire.ch_names[i].casefold()
    if role is Role.PPG:
        desc["filter"] = label if label in ("raw", "filtered") else desc.get("filter", "raw")
    return replace(
        wire,
        sfreq=sfreq,
        dtype=wire.dtype if role.modality is not None else "string",
        ch_names=wire.ch_names[i : i + 1],
        ch_types=wire.ch_types[i : i + 1],
        ch_units=wire.ch_units[i : i + 1],
        desc=desc,
    )


def _pull_size(wire: StreamSpec, role: Role) -> int:
    if role is Role.PICTURE:
        return _MAX_PICTURES
    return max(_MAX_MARKERS, math.ceil(_PULL_S * wire.sfreq))
