"""What the window shows, worked out without Qt: snapshots in; curves, lights and words out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.questions import ASKED, Question, question_of
from rtasmr.snapshot import (
    ProgrammeState,
    RecordingState,
    RunState,
    Snapshot,
    TickRecord,
    modalities_of,
)
from rtasmr.types import Cause, Modality, Role, Status
from rtasmr.view.lights import Level, Light, light_of, unknown_light
from rtasmr.view.tracks import RatingStep, RecordColumns, SegmentMark, reason_word
from rtasmr.view.wording import DASH, HOW_TO_KEEP, clean, clock_text, number, simulated_words

HISTORY_S = 2 * 3600
"""What a window that stays keeps; one that attaches late gets ten minutes."""
HISTORY_RECORDS = HISTORY_S * FRAME_RATE_HZ
TREND_POINTS = HISTORY_S  # a reading a second
PULSE_WINDOW_S = 10.0
SILENT_S = 2.0
"""A runtime that changes nothing for this long is reported; it should do so ten times a second."""
TROUBLE_S = 3.0
"""What to do about a stream is told when it has needed it for this long: at the end of a run all go away."""
N_OFFSETS = 10
"""Snapshots whose least delay tells the runtime's clock: half a second, for a replay's may run slower."""
SPANS_S = {"30 s": 30.0, "1 min": 60.0, "2 min": 120.0, "5 min": 300.0, "10 min": 600.0, "all": None}
"""Lengths of the time axis by name; None shows all that is kept."""
DEFAULT_SPAN = "1 min"
LEAST_SPAN_S = 30.0
"""Shortest time axis."""
AXIS_STEP = 1 / 30
"""Share of its length by which the time axis moves on."""
OUTSIDE_WORDS = "OUTSIDE WHAT THE MODEL WAS TRAINED ON: do not trust the probability now"
SLOW_WORDS = "THIS COMPUTER DOES NOT KEEP UP: it skips ticks. Close other programs"
SLOW_TICKS = 50
"""Newest ticks among which one that this computer was too slow for makes the window say so."""
DEMO_WORDS = "DEMO MODEL trained on simulated data: says nothing about people"

MODALITY_WORDS = {Modality.PPG: "pulse", Modality.SOUND: "sound", Modality.PICTURE: "picture"}


@dataclass(frozen=True, slots=True)
class Banner:
    """A line across the window that stays as long as its reason does."""

    level: Level
    text: str


def model_notices(demo: bool, warnings: Sequence[str]) -> list[str]:
    """Return what must stand beside every result of a model, the demo notice first and once.

    The card of a demo model says so among its warnings, too.
    """
    said = DEMO_WORDS.casefold()
    return [DEMO_WORDS] * demo + [text for text in warnings if not (demo and text.casefold() == said)]


class ViewState:
    """The window's memory; knows no clock but the one it is told.

    Every ``clock_s`` is a reading of one steady clock of the window's process, in seconds.

    Parameters
    ----------
    history : int
        Number of records kept.

    Attributes
    ----------
    snapshot : Snapshot
        The newest, without its records and its pulse.
    columns : RecordColumns
    marks : tuple of SegmentMark
    ppg_times, ppg_values : ndarray of shape (n_points,), float64
        The last ten seconds of the pulse wave.
    trend : ndarray of shape (n_readings, 3), float64
        Time, pulse rate per minute and quality of the readings of the pulse.
    asked : mapping of str to Question
        What the person is asked, by clip, as far as it was told; never changed in place.
    """

    def __init__(self, history: int = HISTORY_RECORDS) -> None:
        self._history = history
        self._offsets: deque[float] = deque(maxlen=N_OFFSETS)
        self._heard_s = math.nan
        self._link_error = ""
        self._is_gone = False
        self._forget(Snapshot())

    def _forget(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.columns = RecordColumns.of(())
        self.newest: TickRecord | None = None
        self.marks: tuple[SegmentMark, ...] = ()
        self.asked: Mapping[str, Question] = {}
        self._labels: dict[int, str] = {}  # of the segments whose records are kept
        self.ppg_times: NDArray[np.float64] = np.empty(0)
        self.ppg_values: NDArray[np.float64] = np.empty(0)
        self.trend: NDArray[np.float64] = np.empty((0, 3))
        self._troubled_since_s: dict[Role, float] = {}
        self._offsets.clear()

    def feed(self, snapshot: Snapshot, clock_s: float) -> None:
        """Take in a snapshot that arrived at ``clock_s``; a new run forgets the old one."""
        if snapshot.session != self.snapshot.session:
            self._forget(snapshot)
        self._add_pulse(snapshot)
        self._add(snapshot.records)
        self._note_asked(snapshot)
        # They are in the columns; a reference to them would keep every portion alive.
        self.snapshot = replace(snapshot, records=(), trend=(), ppg_times=(), ppg_values=())
        if math.isfinite(snapshot.now_s):
            self._offsets.append(clock_s - snapshot.now_s)
        self._heard_s = clock_s
        self._link_error, self._is_gone = "", False
        self._troubled_since_s = {
            stream.role: self._troubled_since_s.get(stream.role, clock_s)
            for stream, light in zip(snapshot.streams, self.lights, strict=True)
            if light.remedy
        }

    def _add_pulse(self, snapshot: Snapshot) -> None:
        """Add the part of the pulse wave, and the readings, that are new."""
        if snapshot.ppg_times:
            times = np.concatenate((self.ppg_times, snapshot.ppg_times))
            shown = times > times[-1] - PULSE_WINDOW_S
            self.ppg_times = times[shown]
            self.ppg_values = np.concatenate((self.ppg_values, snapshot.ppg_values))[shown]
        if snapshot.trend:
            rows = [(point.time_s, point.rate_bpm, point.quality) for point in snapshot.trend]
            self.trend = np.concatenate((self.trend, np.array(rows)))[-TREND_POINTS:]

    def _add(self, records: tuple[TickRecord, ...]) -> None:
        if not records:
            return
        previous = self.newest
        marks = list(self.marks)
        for record in records:
            if previous is None or record.segment != previous.segment:
                marks.append(SegmentMark(record.time_s, record.label))
                self._labels[record.segment] = record.label
            previous = record
        self.newest = previous
        self.columns = self.columns.joined(RecordColumns.of(records), self._history)
        oldest_s = self.columns.time_s[0]
        self.marks = tuple(mark for mark in marks if mark.time_s >= oldest_s)
        oldest = self.columns.segment[0]
        self._labels = {segment: label for segment, label in self._labels.items() if segment >= oldest}

    def _note_asked(self, snapshot: Snapshot) -> None:
        """Keep what the streams of ratings, and the programme, say is asked about a clip."""
        told = {asked.clip: asked.question for stream in snapshot.streams for asked in stream.asked}
        programme = snapshot.programme
        if programme is not None and programme.question:
            told[programme.now] = programme.question
        known = {clip: Question(text) for clip, text in told.items() if text in ASKED}
        if not known.items() <= self.asked.items():
            self.asked = {**self.asked, **known}

    def lose_link(self, reason: str, *, is_gone: bool = False) -> None:
        """Note that the runtime cannot be reached, or is gone; what was drawn stays."""
        self._link_error = reason
        self._is_gone = is_gone and not self.over and math.isfinite(self._heard_s)

    @property
    def linked(self) -> bool:
        """Whether a runtime answered last time."""
        return not self._link_error and math.isfinite(self._heard_s)

    @property
    def gone(self) -> bool:
        """Whether the runtime's process has ended without its last word: it was killed, or crashed."""
        return self._is_gone

    @property
    def over(self) -> bool:
        """Whether the runtime has said its last word."""
        return self.snapshot.state in (RunState.ENDED, RunState.FAILED)

    @property
    def paused(self) -> bool:
        """Whether what is shown is held now."""
        programme = self.snapshot.programme
        told = self.newest is not None and self.newest.cause is Cause.PAUSED
        return not self.over and (told if programme is None else programme.paused)

    @property
    def too_slow(self) -> bool:
        """Whether this computer does not keep up."""
        return not self.over and bool(self.columns.counted(Cause.OVERLOAD)[-SLOW_TICKS:].any())

    @property
    def _cause(self) -> Cause:
        """What data are lacking for now, where no stream is at fault."""
        return Cause.PAUSED if self.paused else Cause.OVERLOAD if self.too_slow else Cause.NONE

    @property
    def start_s(self) -> float:
        """Session clock at the first record, the zero of the time axis; 0.0 before there is one."""
        return self.snapshot.start_s if math.isfinite(self.snapshot.start_s) else 0.0

    def now_s(self, clock_s: float) -> float:
        """Return the session clock at ``clock_s``; it stands still once the runtime is gone or over.

        The least delayed of the last snapshots tells the offset between the clocks best.
        """
        if self.over or not self.linked or not self._offsets:
            return self.snapshot.now_s
        return clock_s - min(self._offsets)

    def age_s(self, clock_s: float) -> float:
        """Return how old the newest probability is on screen, in seconds; NaN where there is none."""
        estimates = np.flatnonzero(np.isfinite(self.columns.p))
        if len(estimates) == 0:
            return math.nan
        return self.now_s(clock_s) - float(self.columns.time_s[estimates[-1]])

    def axis_s(self, clock_s: float, span_s: float | None) -> tuple[float, float]:
        """Return begin and end of the time axis, in seconds since the first record of the session.

        It moves on in steps: a picture that stands still is read more easily, and drawn at less cost.

        Parameters
        ----------
        clock_s : float
        span_s : float or None
            Its length; None shows all that is kept.
        """
        pending = self.pending(clock_s)
        newest_s = self.start_s if self.newest is None else self.newest.time_s
        reached_s = (newest_s if pending is None else pending[1]) - self.start_s
        if span_s is None:
            begin_s = float(self.columns.time_s[0]) - self.start_s if len(self.columns) else 0.0
            steps = math.log(max(reached_s - begin_s, LEAST_SPAN_S) / LEAST_SPAN_S) / math.log(1 + AXIS_STEP)
            return begin_s, begin_s + LEAST_SPAN_S * (1 + AXIS_STEP) ** math.ceil(steps - 1e-9)
        step_s = AXIS_STEP * span_s
        end_s = max(math.ceil(reached_s / step_s - 1e-9) * step_s, span_s)
        return end_s - span_s, end_s

    def pending(self, clock_s: float) -> tuple[float, float] | None:
        """Return the stretch after the newest tick on which no estimate can exist yet."""
        if self.newest is None or self.over or self.gone:
            return None
        return self.newest.time_s + 0.5 / FRAME_RATE_HZ, self.now_s(clock_s)

    @property
    def title(self) -> str:
        """The window's title."""
        model = self.snapshot.model
        demo = " \N{MIDDLE DOT} DEMO MODEL" if model is not None and model.demo else ""
        return f"rtasmr Tinglegram{demo}"

    def banners(self, clock_s: float) -> tuple[Banner, ...]:
        """Return what must not be overlooked, worst first."""
        alarms: list[str] = []
        notices: list[str] = []
        snapshot = self.snapshot
        if self.gone:
            alarms += _last_words(snapshot.recording)
        elif self._link_error and not self.over:
            alarms.append(f"No runtime: {self._link_error} Trying again.")
        elif not self.over and clock_s - self._heard_s > SILENT_S:
            alarms.append(f"The runtime has said nothing for {clock_s - self._heard_s:.0f} s")
        if snapshot.state is RunState.FAILED:
            alarms.append(f"The runtime failed: {snapshot.message}")
        if snapshot.recording is not None and snapshot.recording.error:
            alarms.append(f"Recording failed: {snapshot.recording.error}")
        alarms += self._troubles(clock_s)
        if self.too_slow:
            notices.append(SLOW_WORDS)
        if self.newest is not None and self.newest.outside and not self.over:
            notices.append(OUTSIDE_WORDS)
        told = simulated_words({stream.role for stream in snapshot.streams if stream.simulated})
        notices[:0] = [told] * bool(told)
        if snapshot.model is not None:
            if snapshot.model.encoder.startswith("random"):
                notices.append(
                    f"RANDOM IMAGE ENCODER ({snapshot.model.encoder}): the picture's features mean nothing"
                )
            notices = model_notices(snapshot.model.demo, (*notices, *snapshot.model.warnings))
        return (
            *(Banner(Level.BAD, clean(text)) for text in alarms),
            *(Banner(Level.CARE, clean(text)) for text in notices),
        )

    def _troubles(self, clock_s: float) -> list[str]:
        """Return what to do about the streams that have been in need of it for a while."""
        told = []
        for stream, light in zip(self.snapshot.streams, self.lights, strict=True):
            since_s = self._troubled_since_s.get(stream.role, math.inf)
            if self.over or not light.remedy or clock_s - since_s < TROUBLE_S:
                continue
            reason = self.snapshot.message
            is_said = stream.status is Status.BAD_INPUT and reason.startswith(f"{stream.role} stream")
            told.append(reason if is_said else f"{light.title}: {light.word}. {light.remedy.capitalize()}")
        return told

    @property
    def headline(self) -> str:
        """What runs, where in which clip."""
        if self.snapshot.state is not RunState.RUNNING or self.newest is None:
            message = f": {self.snapshot.message}" if self.snapshot.message else ""
            return clean(f"{self.snapshot.state.capitalize()}{message}")
        place = f"clip {self.newest.label}" if self.newest.label else "free segment"
        # The clip stood still in its pauses: they are no part of how far it is.
        held = self.columns.counted(Cause.PAUSED) & (self.columns.segment == self.newest.segment)
        shown_s = (self.newest.tick + int(held[-1]) - int(np.count_nonzero(held))) / FRAME_RATE_HZ
        state = "Paused" if self.paused else "Running"
        if not self.linked:
            state = "Gone" if self.gone else "Not connected"
        return clean(f"{state} \N{MIDDLE DOT} {place} \N{MIDDLE DOT} {clock_text(shown_s)}")

    @property
    def probability_text(self) -> str:
        """The newest probability, or the word for why there is none."""
        if self.newest is None or self.gone:
            return DASH
        if self.newest.status is Status.OK:
            return number(self.newest.p, "{:.2f}")
        return reason_word(self.newest.status, self.newest.cause)

    @property
    def tingles(self) -> bool:
        """Whether the newest probability reaches the threshold."""
        model = self.snapshot.model
        if self.newest is None or model is None or self.gone:
            return False
        return self.newest.p >= model.threshold

    def estimate_text(self, clock_s: float) -> str:
        """How old the newest estimate is and what it was made from."""
        age_s = self.age_s(clock_s)
        if self.newest is None or math.isnan(age_s):
            return "no estimate yet"
        if self.gone:
            return "no estimate any more"
        if self.newest.status is not Status.OK and self.newest.cause is Cause.PAUSED:
            return "no estimate during a pause"
        if self.newest.status is not Status.OK:
            return f"no estimate now, the last is {age_s:.1f} s old"
        used = ", ".join(MODALITY_WORDS[modality] for modality in modalities_of(self.newest.modalities))
        return f"estimate {age_s:.1f} s old \N{MIDDLE DOT} from {used or 'no modality'}"

    def question_of(self, label: str) -> Question:
        """Return what is asked about a clip, as told or else as its name tells."""
        return question_of(label, self.asked)

    def rated(self, steps: Sequence[RatingStep]) -> tuple[Question, ...]:
        """Return what these steps are ratings of, each question once; without any, what the newest clip asks.

        Between clips nobody is asked: the 0 from which every segment starts is no answer there.
        """
        labels = [(self._labels.get(step.segment, ""), step.rating) for step in steps]
        questions = [self.question_of(label) for label, rating in labels if label or rating > 0]
        newest = "" if self.newest is None else self.newest.label
        return tuple(dict.fromkeys(questions)) or (self.question_of(newest),)

    @property
    def pulse_text(self) -> str:
        """Rate and quality of the pulse, or what is wrong with it; empty without a pulse."""
        pulse = self.snapshot.pulse
        if pulse is None:
            return ""
        troubles = ", ".join(clean(trouble, 40) for trouble in pulse.troubles)
        return " \N{MIDDLE DOT} ".join(
            part
            for part in (
                f"{number(pulse.rate_bpm, '{:.0f}')} / min",
                f"quality {number(100 * pulse.quality, '{:.0f} %')}",
                troubles,
            )
            if part
        )

    @property
    def programme_lines(self) -> tuple[str, str]:
        """Where a session of several clips is, and what comes next; empty without one."""
        programme = self.snapshot.programme
        return ("", "") if programme is None else _programme_lines(programme)

    @property
    def lights(self) -> tuple[Light, ...]:
        """One light per stream, as the runtime lists them; unknown where it cannot be asked."""
        if not self.linked and not self.over:
            return tuple(unknown_light(stream) for stream in self.snapshot.streams)
        cause = self._cause
        return tuple(light_of(stream, cause) for stream in self.snapshot.streams)

    @property
    def model_lines(self) -> tuple[str, ...]:
        """Identity and settings of the model."""
        model = self.snapshot.model
        if model is None:
            return ("no model loaded",)
        return (
            clean(model.id),
            f"runs on {clean(model.provider) or DASH}, threshold {model.threshold:.2f}",
            f"window {model.window_frames / FRAME_RATE_HZ:g} s, "
            f"look-ahead {model.lookahead_frames / FRAME_RATE_HZ:g} s",
        )

    @property
    def latency_lines(self) -> tuple[str, ...]:
        """Quantiles of the publish latency and of the computing time."""
        latency = self.snapshot.latency
        milli = "{:.0f} ms"
        stages = [f"{clean(s.name, 12)} {number(s.p50_ms, '{:.1f}')}" for s in latency.stages]
        # Two to a line: the column is narrow, and the eye compares down it.
        pairs = [", ".join(stages[i : i + 2]) + " ms" for i in range(0, len(stages), 2)]
        return (
            f"publish p50 {number(latency.publish_p50_ms, milli)}, "
            f"p99 {number(latency.publish_p99_ms, milli)}",
            f"compute p50 {number(latency.compute_p50_ms, milli)}, "
            f"p99 {number(latency.compute_p99_ms, milli)}",
            f"age when published {number(latency.age_ms / 1000, '{:.2f} s')}",
            *pairs,
        )

    @property
    def recording_lines(self) -> tuple[str, ...]:
        """Where the recording goes, how long and how big it is."""
        recording = self.snapshot.recording
        return ("off",) if recording is None else _recording_lines(recording)


def _last_words(recording: RecordingState | None) -> tuple[str, ...]:
    """Return what became of a runtime that is gone, and of its recording."""
    gone = "The session's process is gone: killed, or crashed. It neither predicts nor records any more."
    if recording is None:
        return (f"{gone} There was no recording.",)
    return (
        gone,
        f"The recording so far is {recording.path}: {HOW_TO_KEEP}",
    )


def _programme_lines(programme: ProgrammeState) -> tuple[str, str]:
    dot = " \N{MIDDLE DOT} "
    asks = f" ({clean(programme.question, 20)})" if programme.question else ""
    left = f"{clock_text(programme.left_s)} left" if math.isfinite(programme.left_s) else ""
    whole = (
        clock_text(programme.total_left_s) + " to the end" if math.isfinite(programme.total_left_s) else ""
    )
    now = (
        "PAUSED" if programme.paused else "",
        f"clip {programme.clip} of {programme.n_clips}",
        clean(programme.now, 40) + asks,
        left,
    )
    then = (f"next: {clean(programme.next, 40)}" if programme.next else "", whole)
    at, ahead = (dot.join(part for part in parts if part) for parts in (now, then))
    return at, ahead


def _recording_lines(recording: RecordingState) -> tuple[str, ...]:
    size = f"{clock_text(recording.seconds)}, {recording.n_bytes / 1e6:.1f} MB"
    overruns = f", {recording.overruns} overruns" if recording.overruns else ""
    failed = ("failed",) if recording.error else ()
    return (clean(PurePath(recording.path).name), size + overruns, *failed)
