"""The light of one stream: how it is, in a word, a level and its numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from rtasmr.snapshot import StreamState
from rtasmr.types import Cause, Role, Status
from rtasmr.view.tracks import STATUS_WORDS
from rtasmr.view.wording import DASH, clean, number

DEAD_S = 2.0
"""A stream without a sample for this long has no light but red."""

ROLE_WORDS = {
    Role.PPG: "Pulse",
    Role.SOUND: "Sound",
    Role.PICTURE: "Picture",
    Role.RATING: "Rating keys",
    Role.CLIP: "Clip markers",
}
OPTIONAL_ROLES = (Role.RATING, Role.CLIP)
"""Nothing is predicted from these: one that is missing needs care, but is no fault."""


class Level(StrEnum):
    """How bad something is; the window gives each a colour and a symbol of its own."""

    GOOD = "good"
    CARE = "care"
    BAD = "bad"
    OFF = "off"
    """Nobody knows."""


@dataclass(frozen=True, slots=True)
class Light:
    """One stream's line: its level, what it is, how it is, its numbers, and what to do; empty for nothing."""

    level: Level
    title: str
    word: str
    name: str
    numbers: str
    remedy: str = ""


LOST = "lost"
"""Of a stream that was there and is gone: there is no age to tell."""
PAUSED, TOO_SLOW = "paused", "computer too slow"
UNKNOWN = "unknown"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for a number that is yet to come."""

_START_AGAIN = "start its source again as it was; it is taken up by itself"
_LOST_REMEDY = {Role.PPG: f"plug the sensor in, or {_START_AGAIN}"}
_SILENT_REMEDY = {Role.PPG: "check the sensor's cable, battery and distance"}
_BAD_REMEDY = {Role.PPG: "check how the sensor sits"}


def light_of(stream: StreamState, cause: Cause = Cause.NONE) -> Light:
    """Return the light of one stream; ``cause`` is what it lacks its data for now, if not its own doing."""
    is_gone = _is_gone(stream)
    if stream.role.modality is not None and not is_gone:
        is_silent_pulse = stream.role is Role.PPG and stream.age_s > DEAD_S
        if cause is Cause.PAUSED and stream.status is Status.GAP and not is_silent_pulse:
            return Light(Level.GOOD, ROLE_WORDS[stream.role], PAUSED, *_described(stream))
        if cause is Cause.OVERLOAD and stream.status is Status.STALE and not stream.age_s > DEAD_S:
            return Light(Level.CARE, ROLE_WORDS[stream.role], TOO_SLOW, *_described(stream))
    word = LOST if is_gone else STATUS_WORDS[stream.status]
    silent = stream.status is not Status.OK and stream.age_s > DEAD_S
    if silent and stream.status is not Status.ABSENT:
        word = f"no data for {stream.age_s:.0f} s"
    if stream.status is Status.OK:
        level = Level.GOOD
    elif stream.role in OPTIONAL_ROLES:
        level = Level.CARE
    elif silent or is_gone or stream.status in (Status.ABSENT, Status.BAD_INPUT):
        level = Level.BAD
    else:
        level = Level.CARE
    remedy = _remedy_of(stream, is_gone=is_gone, is_silent=silent)
    return Light(level, ROLE_WORDS[stream.role], word, *_described(stream), remedy)


def unknown_light(stream: StreamState) -> Light:
    """Return the light of a stream of which nothing is known any more, as its runtime is gone."""
    return Light(Level.OFF, ROLE_WORDS[stream.role], UNKNOWN, clean(stream.name) or DASH, "")


def _is_gone(stream: StreamState) -> bool:
    return stream.status is Status.GAP and math.isnan(stream.age_s)


def _remedy_of(stream: StreamState, *, is_gone: bool, is_silent: bool) -> str:
    if is_gone:
        return _LOST_REMEDY.get(stream.role, _START_AGAIN)
    if stream.role in OPTIONAL_ROLES or stream.status is Status.ABSENT:
        return ""
    if is_silent:
        return _SILENT_REMEDY.get(stream.role, "check its source")
    return _BAD_REMEDY.get(stream.role, "check its source") if stream.status is Status.BAD_INPUT else ""


def _described(stream: StreamState) -> tuple[str, str]:
    """Return a stream's name and its numbers."""
    return clean(stream.name) or DASH, _stream_numbers(stream)


def _stream_numbers(stream: StreamState) -> str:
    if stream.status is Status.ABSENT:
        return "not found on the network"
    if stream.role in OPTIONAL_ROLES:
        last = f", last {stream.age_s:.0f} s ago" if math.isfinite(stream.age_s) else ""
        return f"{stream.n_samples} received{last}"
    if _is_gone(stream):
        return f"lost {stream.n_lost}"
    rate = _rate_text(stream)
    parts = [rate] * bool(rate)
    parts += [f"lag {number(stream.lag_s * 1000, '{:.0f} ms')}", f"lost {stream.n_lost}"]
    if stream.overruns:
        parts.append(f"overruns {stream.overruns}")
    return ", ".join(parts)


def _rate_text(stream: StreamState) -> str:
    """Return the measured rate; empty where a stream has none, or it is not known yet."""
    if math.isnan(stream.measured_sfreq) and stream.sfreq <= 0:
        return ""
    unit, scale = ("kHz", 1000.0) if stream.sfreq >= 10_000 else ("Hz", 1.0)
    is_known = math.isfinite(stream.measured_sfreq)
    measured = f"{stream.measured_sfreq / scale:.1f}" if is_known else ELLIPSIS
    declared = f" of {stream.sfreq / scale:g}" if stream.sfreq > 0 else ""
    return f"{measured}{declared} {unit}"
