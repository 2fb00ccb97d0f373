"""Event logs of the data set, as written by Presentation (Neurobehavioral Systems).

One file per participant, ``021-1-20211022-d28c98dd.log``: a few lines about the scenario, a header row
that starts with ``Subject``, then one tab-separated row per event. Times count 0.1 ms from the start of
the scenario, which is also the start of the PPG export.
"""

from __future__ import annotations

import codecs
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.dataset_words import counted
from rtasmr.errors import DataError
from rtasmr.grid import (
    CLIP_DURATION_S,
    FIRST_CLIP_DURATION_S,
    FRAME_RATE_HZ,
    WARMUP_TICKS,
    n_published_frames,
)
from rtasmr.shift_jis import decoded
from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS, VIDEOS

LOG_UNITS_PER_S = 10_000
"""The log counts time in 0.1 ms."""

MAX_LEVEL = 3
BASELINE_REST_S = 60.0
"""A session opens with a minute of rest: a video shown earlier can only be practice."""
SHORTEST_SHOWING_S = 55.0
"""Less than the cut-short first clip (55.7 s): what is shown for less was broken off or practice."""
LONGEST_SESSION_S = 86_400.0
"""An event outside of one day has no time, whatever the file says."""

_TABLE_KEYS = ("Event Type", "Code", "Time")


@dataclass(frozen=True, slots=True)
class Clip:
    """One stimulus as it was shown.

    Parameters
    ----------
    video : str
        ``vid1`` to ``vid8``.
    start_s : float
        Onset in seconds on the log's clock.
    duration_s : float
        55.7 for the clip at position 0, whose start was late, else 60.0.
    position : int
        Place in the session, from 0.
    """

    video: str
    start_s: float
    duration_s: float
    position: int

    @property
    def stop_s(self) -> float:
        """End in seconds on the log's clock; the clip's interval is half open."""
        return self.start_s + self.duration_s


@dataclass(frozen=True, slots=True)
class Press:
    """One rating key: time in seconds on the log's clock and level 0 (none) to 3 (very)."""

    time_s: float
    level: int


@dataclass(frozen=True, slots=True)
class SessionLog:
    """What one participant saw and pressed.

    Parameters
    ----------
    participant : int
    condition : int or None
        Odd: ASMR block first; even: nature block first. None where the file name holds none.
    clips : tuple of Clip
        In the order shown, each stimulus at most once.
    presses : tuple of Press
        Sorted by time; equal times keep the order of the file.
    notes : tuple of str
        What looked unusual and how it was read; each starts with the file's name.
    """

    participant: int
    condition: int | None
    clips: tuple[Clip, ...]
    presses: tuple[Press, ...]
    notes: tuple[str, ...] = ()

    def clip(self, video: str) -> Clip:
        """Return the clip that showed ``video``, or raise `DataError`."""
        for clip in self.clips:
            if clip.video == video:
                return clip
        shown = ", ".join(clip.video for clip in self.clips)
        raise DataError(
            f"participant {self.participant:03d} was not shown {video!r}, only {shown}; name one of these"
        )


@dataclass(frozen=True, slots=True)
class _Showing:
    """A ``Video`` row with the number of a stimulus; times in log units."""

    video: str
    start: int
    duration: int | None


def participant_of(path: Path) -> int | None:
    """Return the integer before the first ``-`` of a log's name, or None where there is none."""
    head = path.name.split("-", 1)[0]
    return int(head) if re.fullmatch(r"[0-9]+", head) else None


def read_log(path: Path) -> SessionLog:
    r"""Read one event log.

    Clip rules are the published ones: position 0 lasts 55.7 s, every other 60 s; a rating is
    ``clip(code - 1, 0, 3)``. Beyond them, and each time with a note: Shift-JIS bytes are decoded, a second
    table ends the reading, practice videos take no position, ``stim2\VID3.avi`` is ``vid3`` and
    ``nature1.avi`` is ``vid5``, a key whose code is no number is ignored, a row that stands twice counts
    once, and of a stimulus shown twice the last whole showing counts.

    Raises
    ------
    DataError
        The file can not be read, its name holds no participant, it has no table or shows no stimulus.
    """
    participant = participant_of(path)
    if participant is None:
        raise DataError(f"{path.name}: a log is named like 021-1-20211022-d28c98dd.log; rename the file")
    notes: list[str] = []
    rows = _table_rows(path, _decode(path, notes), notes)
    showings = _showings(path, rows, notes)
    presses = _presses(path, rows, notes)
    condition = _condition(path, notes)
    clips = _clips(path, showings, notes)
    _note_order(path, condition, clips, notes)
    return SessionLog(participant, condition, clips, presses, tuple(notes))


def rating_track(log: SessionLog, clip: Clip) -> NDArray[np.int8]:
    """Return the rating of every published frame of a clip.

    The first frame (5 s) holds the last press of the warm-up, or 0: nothing is carried over from the clip
    before. After that each frame holds the last press at or before it; presses at or after the clip's end
    do not count.

    Returns
    -------
    ndarray of shape (507,) or (550,), int8
        Levels 0 to 3 at ticks 50, 51, ... of the clip.
    """
    # Whole 0.1 ms: a press on a tick must count at that tick, whatever float64 makes of the seconds.
    ticks_per_unit = LOG_UNITS_PER_S // FRAME_RATE_HZ
    n_frames = n_published_frames(clip.duration_s)
    start = _log_units(clip.start_s)
    within = [
        (_log_units(press.time_s) - start, press.level)
        for press in log.presses
        if start <= _log_units(press.time_s) < start + _log_units(clip.duration_s)
    ]
    times = np.array([time for time, _ in within], dtype=np.int64)
    levels = np.array([0, *(level for _, level in within)], dtype=np.int8)
    frame_times = (WARMUP_TICKS + np.arange(n_frames)) * ticks_per_unit
    return levels[np.searchsorted(times, frame_times, side="right")]


def _log_units(seconds: float) -> int:
    return round(seconds * LOG_UNITS_PER_S)


def _decode(path: Path, notes: list[str]) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name}: can not be read ({error.strerror}); check the file") from error
    encoding = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text, told = decoded(raw, encoding)
    if told:
        notes.append(f"{path.name}: {told}")
    return text


def _table_rows(path: Path, text: str, notes: list[str]) -> list[dict[str, str]]:
    """Return the rows of the first table; columns are found by name."""
    # Not splitlines: it also cuts at bytes that a decoded text may hold inside a field.
    lines = [line.rstrip("\r") for line in text.split("\n")]
    header_at = next((i for i, line in enumerate(lines) if line.startswith("Subject")), None)
    if header_at is None:
        raise DataError(f"{path.name}: no header row that starts with 'Subject'; not a Presentation log")
    header = [name.strip() for name in lines[header_at].split("\t")]
    missing = [key for key in _TABLE_KEYS if key not in header]
    if missing:
        raise DataError(f"{path.name}: the table has no column {missing}; export the log with its columns")
    # 'Uncertainty' stands twice in the header; the columns wanted here stand once.
    columns = {name: header.index(name) for name in header}
    rows = []
    for number, line in enumerate(lines[header_at + 1 :], start=header_at + 2):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("\t")]
        if sum(name in fields for name in _TABLE_KEYS) >= 2:
            notes.append(f"{path.name}: a second table starts at line {number}; it is not read")
            break
        rows.append({name: fields[at] for name, at in columns.items() if at < len(fields)})
    return rows


def _time(row: Mapping[str, str], key: str = "Time") -> int | None:
    """Return a time of a row in log units, None where the cell is no number or no time of a session."""
    value = _number(row.get(key, ""))
    if value is None or not 0 <= value <= LONGEST_SESSION_S * LOG_UNITS_PER_S:
        return None
    return round(value)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _video_of(code: str) -> str | None:
    """Return the stimulus a code names: the digits of its last path part, 1 to 8.

    The nature clips are ``vid5`` to ``vid8`` in codes and ``nature1.avi`` to ``nature4.avi`` on disk.
    """
    name = re.split(r"[\\/]", code)[-1]
    name = re.sub(r"\.[A-Za-z]\w*$", "", name)
    if re.fullmatch(r"nature[1-4]", name, re.IGNORECASE):
        return NATURE_VIDEOS[int(name[-1]) - 1]
    digits = "".join(re.findall(r"[0-9]", name))
    video = f"vid{int(digits)}" if digits else ""
    return video if video in VIDEOS else None


def _showings(path: Path, rows: Sequence[Mapping[str, str]], notes: list[str]) -> list[_Showing]:
    showings: list[_Showing] = []
    renamed: list[str] = []
    for row in rows:
        if row.get("Event Type") != "Video":
            continue
        code = row.get("Code", "")
        start = _time(row)
        if start is None:
            notes.append(f"{path.name}: Video row {code!r} has no time; ignored")
            continue
        video = _video_of(code)
        if video is None:
            notes.append(
                f"{path.name}: Video row {code!r} at {start / LOG_UNITS_PER_S:.1f} s is none of the "
                "eight stimuli; ignored"
            )
            continue
        if code != video:
            renamed.append(f"{code!r} as {video}")
        if any((showing.video, showing.start) == (video, start) for showing in showings):
            notes.append(
                f"{path.name}: the Video row {code!r} at {start / LOG_UNITS_PER_S:.1f} s stands twice"
            )
            continue
        showings.append(_Showing(video, start, _time(row, "Duration")))
    if renamed:
        rows_read = counted(len(renamed), "Video row")
        notes.append(f"{path.name}: {rows_read} read by number: {', '.join(renamed)}")
    return sorted(showings, key=lambda showing: showing.start)


def _clips(path: Path, showings: Sequence[_Showing], notes: list[str]) -> tuple[Clip, ...]:
    """Return the last whole showing of every stimulus, numbered among all whole showings."""
    if not showings:
        raise DataError(f"{path.name}: no Video row names one of vid1 to vid8; not a log of this study")
    following = [*(showing.start for showing in showings[1:]), None]
    whole = [showing for showing, end in zip(showings, following, strict=True) if _is_whole(showing, end)]
    # What is whole comes last and wins; a stimulus that was never shown whole has its last showing.
    chosen = {showing.video: showing for showing in (*showings, *whole)}
    clips = []
    position = 0
    for showing in showings:
        if showing is chosen[showing.video]:
            duration_s = FIRST_CLIP_DURATION_S if position == 0 else CLIP_DURATION_S
            clips.append(Clip(showing.video, showing.start / LOG_UNITS_PER_S, duration_s, position))
            position += 1
        elif showing in whole:
            notes.append(
                f"{path.name}: {showing.video} is shown again; the showing at "
                f"{showing.start / LOG_UNITS_PER_S:.1f} s is ignored, the last one counts"
            )
            position += 1
        else:
            notes.append(
                f"{path.name}: {showing.video} at {showing.start / LOG_UNITS_PER_S:.1f} s is practice or "
                "was broken off; ignored"
            )
    absent = [video for video in VIDEOS if video not in chosen]
    if absent:
        notes.append(f"{path.name}: never shows {', '.join(absent)}; left out for this participant")
    for clip, following_clip in itertools.pairwise(clips):
        if following_clip.start_s < clip.start_s + SHORTEST_SHOWING_S:
            notes.append(
                f"{path.name}: {following_clip.video} starts "
                f"{following_clip.start_s - clip.start_s:.1f} s after {clip.video}; clips overlap"
            )
    return tuple(clips)


def _is_whole(showing: _Showing, following: int | None) -> bool:
    """Whether a showing was neither practice, before the session, nor broken off, as far as can be told."""
    shown = [length for length in (showing.duration, following and following - showing.start) if length]
    return (
        showing.start >= BASELINE_REST_S * LOG_UNITS_PER_S
        and min(shown, default=math.inf) >= SHORTEST_SHOWING_S * LOG_UNITS_PER_S
    )


def _presses(path: Path, rows: Sequence[Mapping[str, str]], notes: list[str]) -> tuple[Press, ...]:
    presses = []
    ignored: list[str] = []
    clipped: list[str] = []
    for row in rows:
        if row.get("Event Type") != "Response":
            continue
        code = row.get("Code", "")
        time, value = _time(row), _number(code)
        if time is None or value is None or value != round(value):
            ignored.append(code)
            continue
        level = min(max(round(value) - 1, 0), MAX_LEVEL)
        if level != value - 1:
            clipped.append(code)
        presses.append(Press(time / LOG_UNITS_PER_S, level))
    if ignored:
        notes.append(
            f"{path.name}: {counted(len(ignored), 'Response row')} without a number or time "
            f"({_some(ignored)}); ignored"
        )
    if clipped:
        codes = counted(len(clipped), "Response code")
        notes.append(f"{path.name}: {codes} outside 1 to 4 ({_some(clipped)}); clipped")
    return tuple(sorted(presses, key=lambda press: press.time_s))


def _some(codes: Sequence[str]) -> str:
    return ", ".join(sorted(set(codes))[:4])


def _condition(path: Path, notes: list[str]) -> int | None:
    parts = path.stem.split("-")
    if len(parts) > 1 and re.fullmatch(r"[0-9]+", parts[1]):
        return int(parts[1])
    notes.append(f"{path.name}: the name holds no condition after the participant; block order is unknown")
    return None


def _note_order(path: Path, condition: int | None, clips: Sequence[Clip], notes: list[str]) -> None:
    if condition is None:
        return
    asmr_first = clips[0].video in ASMR_VIDEOS
    if asmr_first != (condition % 2 == 1):
        block = "ASMR" if asmr_first else "nature"
        notes.append(f"{path.name}: condition {condition} says otherwise, but the {block} block comes first")
