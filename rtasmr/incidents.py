"""What happened to the streams during a run, as a marker stream of the recording (``rtasmr-incidents``)."""

from __future__ import annotations

import json

from rtasmr.stream_events import (
    ClockSet,
    Event,
    GoodAgain,
    Joined,
    Lost,
    PassedOver,
    Refused,
    Resumed,
    Silent,
    Unusable,
)
from rtasmr.types import StreamSpec

INCIDENTS_SPEC = StreamSpec(
    name="rtasmr-incidents",
    stype="Markers",
    source_id="rtasmr-incidents",
    sfreq=0.0,
    dtype="string",
    ch_names=("incident",),
    ch_types=("Markers",),
    ch_units=("",),
)
"""One JSON text per incident, stamped when it was noticed: ``{"stream": "ppg", "what": "lost"}``."""


def incident_text(event: Event) -> str:
    """Return the marker of an event: its kind, such as ``lost``, with its particulars."""
    content: dict[str, str | float] = {"stream": event.role.value}
    match event:
        case Joined():
            content |= {"what": "joined", "source_id": event.spec.source_id}
        case Lost():
            content |= {"what": "lost"}
        case Refused():
            content |= {"what": "refused", "reason": event.reason}
        case PassedOver():
            content |= {"what": "passed over", "reason": event.reason}
        case Silent():
            content |= {"what": "silent", "silent_s": round(event.silent_s, 3)}
        case Resumed():
            content |= {"what": "resumed", "silent_s": round(event.silent_s, 3)}
        case Unusable():
            content |= {"what": "bad input", "reason": event.reason}
        case GoodAgain():
            content |= {"what": "good again", "bad_s": round(event.bad_s, 3)}
        case ClockSet():
            # What the recording holds plus this is what the source sent from here on.
            content |= {"what": "clock", "shift_s": event.jump.shift_s}
    return json.dumps(content)


def ahead_text(ahead_s: float) -> str:
    """Return the marker of ticks that came ``ahead_s`` seconds before their newest sample was due."""
    return json.dumps({"stream": "tingle", "what": "ahead", "ahead_s": round(ahead_s, 3)})
