"""What happened in a recorded session, second by second and in words, for its page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rtasmr.incidents import INCIDENTS_SPEC
from rtasmr.overload import OVERLOAD, QUIET_S
from rtasmr.recorded_causes import pauses_of
from rtasmr.remarks import (
    BROKEN,
    DROPPED,
    EARLY,
    NO_PULSE,
    broken_words,
    dropped_words,
    early_words,
    overload_words,
    slow_words,
)
from rtasmr.session_facts import asked_for_pulse
from rtasmr.snapshot import TickRecord
from rtasmr.stopped import STOPPED, stop_words
from rtasmr.tables import Session
from rtasmr.types import Cause, Status


def happenings(session: Session, records: Sequence[TickRecord]) -> list[tuple[float, str]]:
    """Return what happened: seconds since the first tick, and a line; in order of time."""
    zero_s, last_s = records[0].time_s, records[-1].time_s
    rows = [(time_s, _incident(text)) for time_s, text in _incidents(session)]
    for time_s, text in session.events.select("time_s", "text").iter_rows():
        if text.startswith("clip_skipped "):
            rows.append((time_s, f"{text.removeprefix('clip_skipped ')} was skipped"))
    for begin_s, end_s in pauses_of(session.recording):
        rows.append((begin_s, f"paused for {min(end_s, last_s) - begin_s:.0f} s"))
    for begin_s, end_s, n_ticks in _overloads(records):
        rows.append(
            (
                begin_s,
                f"this computer did not keep up for {end_s - begin_s:.1f} s: "
                f"{n_ticks} ticks without a probability",
            )
        )
    return sorted((time_s - zero_s, line) for time_s, line in rows if line)


def losses(session: Session, records: Sequence[TickRecord]) -> list[str]:
    """Return what everybody must be told of what the session lacks."""
    told = []
    has_pulse = any(s.spec.stype == "PPG" and len(s.times) for s in session.recording.streams)
    if asked_for_pulse(session.header) and not has_pulse:
        told.append(NO_PULSE)
    slow = []
    for _, text in _incidents(session):
        content = _content(text)
        if content.get("what") == DROPPED:
            n_shown, n_dropped = content.get("pictures"), content.get("dropped")
            if isinstance(n_shown, int) and isinstance(n_dropped, int):
                slow += dropped_words(n_shown, n_dropped)
        if content.get("what") == BROKEN:
            n_times, late_s = content.get("times"), content.get("late_s")
            if isinstance(n_times, int) and isinstance(late_s, float):
                slow += broken_words(n_times, late_s)
        if content.get("what") == EARLY:
            told += early_words(str(content.get("reason")))
    n_slow = sum(is_slow(record) for record in records)
    return [*told, *slow_words([*slow, *overload_words(n_slow, len(records))])]


def stop_told(session: Session) -> str:
    """Return where the viewing was stopped before its end, in words; empty if that is not recorded."""
    contents = (_content(text) for _, text in _incidents(session))
    return next((stop_words(content) for content in contents if content.get("what") == STOPPED), "")


def is_slow(record: TickRecord) -> bool:
    """Whether a tick has no probability since the computer did not keep up."""
    return record.cause is Cause.OVERLOAD and record.status is not Status.OK


def _incidents(session: Session) -> list[tuple[float, str]]:
    events = session.events.filter(session.events["stream"] == INCIDENTS_SPEC.name)
    return list(events.select("time_s", "text").iter_rows())


def _overloads(records: Sequence[TickRecord]) -> Iterator[tuple[float, float, int]]:
    """Yield begin, end and number of ticks of every stretch of overload; short rests do not divide it."""
    slow = [record.time_s for record in records if is_slow(record)]
    first = 0
    for i in range(1, len(slow) + 1):
        if i == len(slow) or slow[i] - slow[i - 1] > QUIET_S:
            yield slow[first], slow[i - 1] + 0.1, i - first
            first = i


def _content(text: str) -> dict[str, object]:
    """Return the JSON object of an incident; empty where it is another program's, or damaged."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    is_ours = isinstance(content, dict) and {"stream", "what"} <= content.keys()
    return content if is_ours else {}


def _incident(text: str) -> str:
    """Return an incident in words, as it is where it is not ours; empty for those told otherwise."""
    content = _content(text)
    if not content:
        return text
    what = str(content["what"])
    if what in (OVERLOAD, DROPPED, BROKEN):
        return ""
    if what == STOPPED:
        return stop_words(content)
    shift_s = content.get("shift_s")
    if isinstance(shift_s, (int, float)):
        what = f"its clock was set anew, by {shift_s:+.3f} s"
    reason = f": {content['reason']}" if "reason" in content else ""
    return f"{content['stream']} {what}{reason}"
