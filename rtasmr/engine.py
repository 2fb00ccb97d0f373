"""The live runtime: pull, step, publish, record, show, until told to stop.

One thread does all of it, so that a tick's latency is the sum of what stands in `Engine._turn`. The parts
of a turn are public: whoever drives the engines of several viewers runs them side by side.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr.acquisition import Streams
from rtasmr.companions import Companions
from rtasmr.declared import is_filtered, modality_format
from rtasmr.features.spec import FeatureSpec
from rtasmr.incidents import INCIDENTS_SPEC, ahead_text, incident_text
from rtasmr.input_watch import InputWatch
from rtasmr.latency import LeadWatch, newest_needed
from rtasmr.link import SnapshotStore
from rtasmr.marker_map import MarkerMap
from rtasmr.markers import MarkerIntake
from rtasmr.overload import OverloadWatch
from rtasmr.pipeline import Pipeline
from rtasmr.predictor import Asking
from rtasmr.pulse_gate import PulseGate
from rtasmr.pulse_watch import PulseWatch, pulse_rows
from rtasmr.ratings import RatingTrack
from rtasmr.recorded_features import SEGMENTS_SPEC, feature_rows, features_spec, segment_text
from rtasmr.recorder import Recorder, RecorderState
from rtasmr.snapshot import (
    LatencyState,
    ModelState,
    RecordingState,
    RunState,
    TickRecord,
)
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_events import Event, Joined, Lost, Refused, trouble_text
from rtasmr.stream_specs import DISTANCE_SPEC, LATENCY_SPEC, PULSE_SPEC
from rtasmr.stream_states import stream_states
from rtasmr.tally import Tally
from rtasmr.types import (
    Chunk,
    FeatureFrame,
    Modality,
    Prediction,
    Role,
    Segment,
    Status,
    Step,
    StreamSpec,
    TickTiming,
)
from rtasmr.waveform import Waveform

logger = logging.getLogger(__name__)

POLL_S = 0.004
TICKS_PER_TURN = 4
"""Ticks served before the inlets are emptied again: they hold less than a runtime may be behind."""

CATCH_UP_S = 1.0
"""Longest that a run that was told to end goes on computing what it is behind with; the rest is skipped."""

SNAPSHOT_EVERY_S = 0.05
LATENCY_TICKS = 600
"""Ticks behind the figures shown live: the last minute."""


class Engine:
    """Drive a pipeline from inlets to outlet, recording and window.

    Parameters
    ----------
    acquisition : Streams
        Open inlets.
    pipeline : Pipeline
    spec : FeatureSpec
    model : ModelState
        What the window shows of the model.
    outlet : Outlet or None
        Takes the predictions (stream ``rtasmr-tingle``).
    recorder : Recorder or None
    store : SnapshotStore
        What the window reads.
    n_ticks : int or None
        Records after which the run ends.
    until_lost : bool
        End when no pulse, sound or picture stream is left.
    record_raw : bool
        Record sound and pictures as samples too.
    marker_map : MarkerMap or None
        What the texts of foreign marker streams mean; None takes our own texts only.
    require : sequence of Role
        Streams whose loss is an alarm.
    companions : Companions or None
        Streams that are recorded and not used.
    stopping : threading.Event or None
        Ends the run once it is set; the engine makes its own without.
    """

    def __init__(
        self,
        acquisition: Streams,
        pipeline: Pipeline,
        spec: FeatureSpec,
        model: ModelState,
        *,
        store: SnapshotStore,
        outlet: Outlet | None = None,
        recorder: Recorder | None = None,
        n_ticks: int | None = None,
        until_lost: bool = False,
        record_raw: bool = False,
        marker_map: MarkerMap | None = None,
        require: Sequence[Role] = (),
        companions: Companions | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self._acquisition = acquisition
        self._pipeline = pipeline
        self._lookahead_s = spec.lookahead_s
        self._features_spec = features_spec(spec)
        self._model = model
        self._store = store
        self._outlet = outlet
        self._recorder = recorder
        self._n_ticks = n_ticks
        self._until_lost = until_lost
        self._recorded_roles = set(Role) - (set() if record_raw else {Role.SOUND, Role.PICTURE})
        self._specs: dict[Role, StreamSpec] = {}
        self._announced: set[str] = set()
        self._ratings = RatingTrack()
        self._require = frozenset(require)
        self._companions = companions
        self._lost: Counter[Role] = Counter()
        self.markers = MarkerIntake(marker_map or MarkerMap())
        self._waveform = Waveform()
        self.pulse = PulseWatch()
        self._gate = PulseGate()
        self._lead = LeadWatch()
        self.input = InputWatch()
        self._overload = OverloadWatch()
        self._status: dict[Modality, Status] = dict.fromkeys(Modality, Status.ABSENT)
        self._records: list[TickRecord] = []
        self._published = math.nan
        self.latency = LatencyState()
        self._next_latency = 0.0
        self._message = ""
        self._next_snapshot = 0.0
        self._stopping = threading.Event() if stopping is None else stopping
        self.tally = Tally()
        self.lag_s = math.nan
        self.newest: TickRecord | None = None
        self.segments: list[Segment] = []

    def stop(self) -> None:
        """Ask the run to end; safe from a signal handler or another thread."""
        self._stopping.set()

    def run(self, joined: Sequence[Joined]) -> None:
        """Run until the end; ``joined`` are the streams that are open already.

        An error ends the run, leaves the window with state ``failed`` and goes on to the caller.
        """
        try:
            self.begin(joined)
            while not self._stopping.is_set() and not self.is_done:
                is_behind = self._turn()
                while is_behind and not self._stopping.is_set():
                    is_behind = self._turn()
                time.sleep(POLL_S)
            self._catch_up()
            self.end()
        except BaseException as error:
            self.fail(error)
            raise

    def _catch_up(self) -> None:
        """Serve the slots that were due when the run was told to end."""
        hurry_at = time.monotonic() + CATCH_UP_S
        while not self._is_full() and self._turn():
            if time.monotonic() >= hurry_at:
                self._pipeline.aligner.hurry()

    def begin(self, joined: Sequence[Joined]) -> None:
        """Take the streams that are open already and show that the run goes on."""
        for event in joined:
            self._handle(event)
        self._store.update(state=RunState.RUNNING, model=self._model)

    def end(self) -> None:
        """Deliver what still waits for its look-ahead, and show that the run has ended."""
        self._deliver(self._pipeline.flush())
        for text in self._overload.close():
            self.record_incident(text)
        if self._until_lost and not self._acquisition.any_data:  # what the run waited for
            self._message = "all streams have ended"
        self._show(RunState.ENDED, self._message)

    def fail(self, error: BaseException) -> None:
        """Show that the run has failed, and why."""
        self._show(RunState.FAILED, f"{type(error).__name__}: {error}")

    @property
    def streams(self) -> Mapping[Role, StreamSpec]:
        """Every stream that was ever there."""
        return self._specs

    @property
    def message(self) -> str:
        """What is wrong with the streams at the moment; empty if nothing is."""
        return self._message

    @property
    def status(self) -> Mapping[Modality, Status]:
        """What is known of each modality now: earlier than a record, which waits for its look-ahead."""
        return self._status

    @property
    def interruptions(self) -> dict[str, int]:
        """How often each stream went away that did."""
        return {role.value: n for role, n in self._lost.items()}

    @property
    def losses(self) -> dict[str, Any]:
        """Samples lost or refused for their stamps, by modality; refused markers and skipped ticks."""
        aligner = self._pipeline.aligner
        present = [role.modality for role in self._specs if role.modality is not None]
        return {
            "lost": {m.value: aligner.n_lost(m) for m in present},
            "rejected": {m.value: aligner.n_rejected(m) for m in present},
            "bad_stamps": self.bad_stamps,
            "rejected_markers": aligner.n_rejected_markers,
            "skipped_ticks": aligner.n_skipped,
        }

    @property
    def bad_stamps(self) -> dict[str, int]:
        """Samples left out since their stamp is NaN or infinite, by role."""
        return {role.value: n for role, n in self._acquisition.n_bad_stamps.items()}

    @property
    def is_done(self) -> bool:
        """Whether all ticks that were asked for are there, or the streams that were to be outlived gone."""
        return self._is_full() or (self._until_lost and not self._acquisition.any_data)

    def _is_full(self) -> bool:
        """Whether the frames of all ticks that were asked for are there."""
        return self._n_ticks is not None and self.tally.ticks + self._pipeline.n_pending >= self._n_ticks

    def _turn(self) -> bool:
        """Pull, step, deliver, show: one turn of the loop; return whether ticks may wait for the next."""
        chunks = self.gather()
        now = self._now_s()
        begin = time.perf_counter()
        steps = self._pipeline.step(chunks, now, TICKS_PER_TURN)
        n_frames = self.deliver(steps, time.perf_counter() - begin)
        self.read_pulse(chunks)
        self.show_when_due()
        return n_frames == TICKS_PER_TURN and not self._is_full()

    def gather(self) -> list[Chunk]:
        """Take what has arrived, record it, and return what the pipeline gets of it."""
        chunks, events = self._acquisition.pull()
        for event in (*events, *self.input.take_news()):
            self._handle(event)
            self.record_incident(incident_text(event))
        if self._companions is not None:
            for spec, times, data in self._companions.pull(self._acquisition.timebase):
                self._record(spec.source_id, spec, times, data)
        return [known for chunk in chunks if (known := self._take(chunk)) is not None]

    def asking(self, chunks: Sequence[Chunk], now: float) -> Asking[list[Step]]:
        """Advance the pipeline by one tick at most, with the model to be asked; see `Pipeline.asking`."""
        return self._pipeline.asking(chunks, now, 1)

    def deliver(self, steps: Sequence[Step], compute_s: float) -> int:
        """Publish and record what a step of the pipeline gave; return the number of its frames.

        Parameters
        ----------
        steps : sequence of Step
        compute_s : float
            What they took, in seconds.
        """
        n_frames = sum(step.frame is not None for step in steps)
        if n_frames:
            self.tally.compute.add(compute_s / n_frames)
        self._deliver(steps)
        return n_frames

    def read_pulse(self, chunks: Sequence[Chunk]) -> None:
        """Read the pulse: behind the delivery, as no tick has to wait for the millisecond it takes."""
        for chunk in chunks:
            if chunk.role is Role.PPG and (readings := self.pulse.push(chunk)):
                self._record("pulse", PULSE_SPEC, *pulse_rows(readings))

    def show_when_due(self) -> None:
        """Renew the state for the window if there is something new in it."""
        clock = time.monotonic()
        # A finished tick is shown at once; the pulse wave moves on between two ticks.
        if self._records or clock >= self._next_snapshot:
            self._next_snapshot = clock + SNAPSHOT_EVERY_S
            self._show(RunState.RUNNING, self._message)

    def _handle(self, event: Event) -> None:
        role, modality = event.role, event.role.modality
        if isinstance(event, Joined):
            self._specs[role] = event.spec
            if role is Role.PPG:
                self.pulse.join(event.spec.sfreq, modality_format(event.spec).burst_s)
            if modality is not None:
                self._pipeline.add_stream(
                    modality, modality_format(event.spec), filtered=is_filtered(event.spec)
                )
            else:
                self.markers.join(role, event.spec)
            if role is Role.RATING:
                self._ratings.connect()
                # Without a press too the recording says that somebody could rate.
                self._announce(role.value, self.markers.recorded_spec(role))
        elif modality is not None and isinstance(event, Lost | Refused):
            if isinstance(event, Refused) and event.was_used:
                self._pipeline.refuse_stream(modality)
            else:
                status = Status.BAD_INPUT if isinstance(event, Refused) else Status.GAP
                self._pipeline.aligner.lose_stream(modality, status)
            self.input.leave(role)
            if role is Role.PPG:
                self.pulse.leave()
                self._gate.leave(self._now_s())
        if isinstance(event, Lost):
            self._lost[role] += 1
        if trouble := trouble_text(event, is_required=role in self._require):
            self._message = trouble
        elif self._message.startswith(role.value):
            self._message = ""

    def _take(self, chunk: Chunk) -> Chunk | None:
        """Note what is shown and recorded of the input; return what the pipeline gets of it, if anything."""
        if chunk.role.modality is None:
            return self._take_markers(chunk)
        self.input.see(chunk, self._specs[chunk.role])
        if chunk.role is Role.PPG:
            self._waveform.push(chunk.times, chunk.data[:, 0])
        if self._recorder is not None and chunk.role in self._recorded_roles:
            self._record(chunk.role.value, self._specs[chunk.role], chunk.times, chunk.data)
        return chunk

    def record_incident(self, text: str) -> None:
        """Record what happened, as a text of `rtasmr.incidents`, as of now."""
        self._record("incidents", INCIDENTS_SPEC, np.array([self._now_s()]), np.array([text], dtype=object))

    def _now_s(self) -> float:
        """Return the time on the session clock."""
        return float(self._acquisition.timebase.to_session(pylsl.local_clock()))

    def _can_measure(self, needed: float, taken: float) -> bool:
        """Whether a tick's latency is one; say where it is the first whose stamps run ahead of the clock."""
        can_measure = self._lead.can_measure(needed, taken)
        if (ahead_s := self._lead.take_news()) is not None:
            logger.warning(
                "ticks come %.0f ms before their newest sample is due: a source's stamps run ahead of this "
                "clock, so latency is not measured. Set its clock, or the rate in its header, right.",
                1000 * ahead_s,
            )
            self.record_incident(ahead_text(ahead_s))
        return can_measure

    def _take_markers(self, chunk: Chunk) -> Chunk | None:
        taken = self.markers.take(chunk)
        for record in taken.records:
            self._record(record.key, record.spec, record.chunk.times, record.chunk.data)
        if taken.known is not None and chunk.role is Role.RATING:
            self._ratings.push(taken.known)
        return taken.known

    def _record(self, key: str, spec: StreamSpec, times: NDArray[np.float64], data: NDArray[Any]) -> None:
        """Record samples; a stream appears in the file with its first, one of ratings when it joins."""
        if self._recorder is None:
            return
        self._announce(key, spec)
        self._recorder.put(key, times, data)

    def _announce(self, key: str, spec: StreamSpec) -> None:
        if self._recorder is not None and key not in self._announced:
            self._recorder.add_stream(key, spec)
            self._announced.add(key)

    def _deliver(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.frame is not None:
                self._deliver_frame(step.frame)
            if step.prediction is not None:
                if self._n_ticks is not None and self.tally.ticks >= self._n_ticks:
                    return
                self._deliver_prediction(step.prediction, step.frame, step.timing)

    def _deliver_frame(self, frame: FeatureFrame) -> None:
        self._status = dict(frame.status)
        self.input.push(frame.time_s, frame.status)
        if not self.segments or self.segments[-1] != frame.segment:
            self.segments.append(frame.segment)
            text = np.array([segment_text(frame.segment)], dtype=object)
            self._record("segments", SEGMENTS_SPEC, np.array([frame.segment.origin]), text)
        self._record("features", self._features_spec, *feature_rows([frame]))

    def _deliver_prediction(
        self, prediction: Prediction, frame: FeatureFrame | None, timing: TickTiming | None
    ) -> None:
        """Publish one record, then note how late it was."""
        pulse = self._acquisition.inlets.get(Role.PPG)
        prediction = self._gate.judged(prediction, None if pulse is None else pulse.rate)
        timebase = self._acquisition.timebase
        tick_lsl = timebase.from_session(prediction.time_s)
        age_s = pylsl.local_clock() - tick_lsl
        record = TickRecord.of(prediction, self._ratings.at(prediction.time_s, prediction.segment))
        row = np.array(
            [record.p, record.p_low, record.p_high, age_s, record.tick, record.status, record.modalities],
            dtype=np.float32,
        )[None]
        if self._outlet is not None:
            self._outlet.push_at(row, np.array([tick_lsl]))
        published = pylsl.local_clock()
        for text in self._overload.push(prediction.time_s, prediction.cause):
            self.record_incident(text)
        self.tally.count(prediction)
        needed = math.nan if frame is None else timebase.from_session(newest_needed(frame, self._lookahead_s))
        if frame is not None:
            self.lag_s = published - needed
        is_fresh = frame is not None and prediction.status is Status.OK
        if is_fresh and not self._can_measure(needed, published if timing is None else timing.began):
            self.lag_s = math.nan
        elif is_fresh:
            self.tally.publish.add(published - needed)
            self.tally.age.add(age_s)  # as it was published and recorded
            if timing is not None:
                stages_ms = 1000 * self.tally.stages.add(needed, timing, published)
                stamp = np.array([prediction.time_s])
                self._record("latency", LATENCY_SPEC, stamp, stages_ms.astype(np.float32)[None])
        if self._outlet is not None:
            self._record("tingle", self._outlet.spec, np.array([prediction.time_s]), row)
        if not math.isnan(prediction.distance):
            self.tally.outside += prediction.outside
            distance = np.array([[prediction.distance]], dtype=np.float32)
            self._record("distance", DISTANCE_SPEC, np.array([prediction.time_s]), distance)
        self._records.append(record)
        self._published = time.monotonic()
        self.newest = record

    def _show(self, state: RunState, message: str) -> None:
        """Leave the state where the window finds it."""
        records, self._records = self._records, []
        self._update_latency()
        times, values = self._waveform.points()
        now_s = self._now_s()
        self.pulse.expire(now_s)
        self._store.update(
            records,
            self._published,
            state=state,
            message=message,
            now_s=now_s,
            streams=stream_states(
                self._specs, self._acquisition.inlets, self._status, self._pipeline.aligner
            ),
            ppg_times=times,
            ppg_values=values,
            pulse=self.pulse.state,
            latency=self.latency,
            recording=None if self._recorder is None else recording_state(self._recorder.snapshot()),
        )

    def _update_latency(self) -> None:
        """Renew the percentiles twice a second; they cost more than the rest of a snapshot."""
        clock = time.monotonic()
        if clock < self._next_latency:
            return
        self._next_latency = clock + 0.5
        self.latency = self.tally.latency(LATENCY_TICKS, self._store.drawn(LATENCY_TICKS))


def recording_state(state: RecorderState) -> RecordingState:
    """Return what the window shows of the recorder."""
    path = str(state.file.absolute())
    return RecordingState(path, state.seconds, state.n_bytes, state.overruns, state.error or "")
