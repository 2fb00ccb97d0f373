"""`rtasmr live` for several viewers: one stimulus, one model, and for each of them all that is their own."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pylsl

from rtasmr.acquisition import Acquisition
from rtasmr.config import LiveConfig
from rtasmr.ending import RunEnd
from rtasmr.engine import Engine
from rtasmr.errors import ConfigError, StreamError
from rtasmr.link import SnapshotServer, SnapshotStore
from rtasmr.live import end_on_signals, prepare, recording_header, settle_garbage, tell_room
from rtasmr.live_account import account
from rtasmr.live_status import live_status, report_every_second
from rtasmr.marker_map import MarkerMap
from rtasmr.recorder import Recorder
from rtasmr.served import ServedModel
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.supervisor import Sources
from rtasmr.stream_events import Joined
from rtasmr.timing import TickTimer
from rtasmr.types import Role
from rtasmr.viewers.account import group_account
from rtasmr.viewers.batch import CPU_WINDOWS, GPU_WINDOWS, BatchedModel
from rtasmr.viewers.config import Viewer
from rtasmr.viewers.group import Group, Member
from rtasmr.viewers.streams import OWN_ROLES, STIMULUS_ROLES, StimulusStreams, ViewerStreams

logger = logging.getLogger(__name__)

MAX_ENCODER_THREADS = 4

_WAIT_POLL_S = 0.02


def run_viewers(
    config: LiveConfig,
    viewers: Sequence[Viewer],
    *,
    say: Callable[[str], None],
    status: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Run until the end and return the account that ``--json`` prints.

    Every viewer has a stream ``rtasmr-tingle`` with a ``source_id`` that ends in the viewer's code, a
    recording of their own and a window that may be attached. What happens to the pulse of one changes
    nothing for the others, nor does an error: it ends that viewer's part of the run.

    Parameters
    ----------
    config : LiveConfig
        What holds for all. ``queries`` are those of sound, picture and clip markers; ``record`` is the
        name of the recordings, to which the code is added.
    viewers : sequence of Viewer
    say : callable
        Takes lines for people.
    status : callable
        Takes a status object once a second.

    Raises
    ------
    RtasmrError
        If the settings contradict each other, or the model, the streams or the recordings cannot be had.
    """
    _check(config)
    marker_map = MarkerMap.load(Path(config.marker_map)) if config.marker_map else None
    end = RunEnd()
    # What was mistyped is told before the model is loaded, which takes seconds.
    shared_sources = Sources(config.queries or {}, say, network=config.network)
    places = [_place(viewer, config, say) for viewer in viewers]
    config = replace(config, queries=shared_sources.queries)
    required = tuple(role for role in config.require if role in STIMULUS_ROLES)
    leader = Acquisition(
        shared_sources.queries,
        required,
        config.wait_s,
        roles=STIMULUS_ROLES,
        until_lost=config.until_lost,
    )
    with ExitStack() as stack:
        end_on_signals(end, stack)
        # Nobody's features are ready before the picture's: no other work waits for a core meanwhile.
        model = prepare(config, say, encoder_threads=min(MAX_ENCODER_THREADS, os.cpu_count() or 1))
        every_source = (shared_sources, *(place.sources for place in places))
        for sources in every_source:
            stack.enter_context(sources)
        for sources in every_source:
            stack.callback(sources.ask_to_end)
        stack.callback(leader.close)
        joined = leader.open(end.stop)
        stimulus = StimulusStreams(leader)
        if not end.stop.is_set():
            _find_pulses(stimulus, places, config, end.stop, stack)
        make = _EngineMaker(config, model, marker_map, stimulus)
        members = [_member(place, make, joined, stack) for place in places]
        if config.record:
            shown = [(one.role, one.spec) for one in joined]
            own = [(role, inlet.spec) for place in places for role, inlet in place.own.inlets.items()]
            tell_room(config, own + len(places) * shown, model, say, len(places))
        say(f"no window; open that of a viewer with: rtasmr window {viewers[0].code}")
        group = Group(stimulus, members, stack.enter_context(_batched(model, len(viewers))), end.stop)
        report_every_second(lambda: _status(group, members), status, stack)
        settle_garbage(stack)
        try:
            group.run()
        finally:
            for place in places:
                place.close()
        accounts = {
            place.viewer.code: place.account(member, model, config)
            for place, member in zip(places, members, strict=True)
        }
        return group_account(accounts, group, model, sources=shared_sources.account(leader.inlets))


@dataclass
class _Place:
    """What belongs to one viewer of a run, beside the engine."""

    viewer: Viewer
    sources: Sources
    own: Acquisition
    store: SnapshotStore = field(default_factory=SnapshotStore)
    recorder: Recorder | None = None
    error: str = ""

    def close(self) -> None:
        """Close the recording; one that failed is noted, and the others are closed all the same."""
        if self.recorder is not None:
            self.error = self.recorder.finish()

    def config(self, shared: LiveConfig) -> LiveConfig:
        """Return the settings as they hold for the viewer; they stand in the header of the recording."""
        record = shared.record
        if record:
            record = str(Path(record).with_stem(f"{Path(record).stem}-{self.viewer.code}"))
        return replace(
            shared,
            queries={**(shared.queries or {}), **self.sources.queries},
            participant=self.viewer.code,
            consent=self.viewer.consent,
            record=record,
        )

    def account(self, member: Member, model: ServedModel, shared: LiveConfig) -> dict[str, Any]:
        """Return what the run adds up to for the viewer."""
        return account(
            member.engine,
            model,
            self.store,
            self.recorder,
            self.config(shared),
            sources=self.sources.account(self.own.inlets),
            error="; ".join(error for error in (member.error, self.error) if error),
        )


def _place(viewer: Viewer, config: LiveConfig, say: Callable[[str], None]) -> _Place:
    queries = {Role.PPG: viewer.ppg} | ({Role.RATING: viewer.ratings} if viewer.ratings else {})
    sources = Sources(queries, say, network=config.network)
    # Who names no ratings has none: any other stream of that kind is somebody else's.
    roles = [role for role in OWN_ROLES if role in sources.queries]
    own = Acquisition(
        sources.queries,
        config.require,
        0.0,
        roles=roles,
        whose=f"viewer {viewer.code}",
        until_lost=config.until_lost,
    )
    return _Place(viewer, sources, own)


class _EngineMaker:
    """Makes the engines of a run, which share model, stimulus and clock.

    Parameters
    ----------
    config : LiveConfig
    model : ServedModel
    marker_map : MarkerMap or None
    stimulus : StimulusStreams
    """

    def __init__(
        self,
        config: LiveConfig,
        model: ServedModel,
        marker_map: MarkerMap | None,
        stimulus: StimulusStreams,
    ) -> None:
        self.config = config
        self.model = model
        self._marker_map = marker_map
        self._stimulus = stimulus
        self._timer = TickTimer(pylsl.local_clock)
        self._features = model.stimulus_features(self._timer)

    def engine(self, place: _Place, outlet: Outlet) -> Engine:
        """Return the engine of one viewer."""
        speed = self._stimulus.acquisition.timebase.speed
        pipeline = self.model.live_pipeline(speed, self._timer, stimulus=self._features)
        return Engine(
            ViewerStreams(self._stimulus, place.own),
            pipeline,
            self.model.spec,
            self.model.state(),
            store=place.store,
            outlet=outlet,
            recorder=place.recorder,
            n_ticks=self.config.n_ticks,
            until_lost=self.config.until_lost,
            record_raw=self.config.record_raw,
            marker_map=self._marker_map,
            require=self.config.require,
        )


def _member(
    place: _Place,
    make: _EngineMaker,
    joined: Sequence[Joined],
    stack: ExitStack,
) -> Member:
    """Begin one viewer's part of the run: recording, output stream, link for a window, engine."""
    viewer = place.viewer
    if make.config.record:
        own_config = place.config(make.config)
        place.recorder = Recorder(Path(own_config.record), recording_header(own_config, make.model.card))
        stack.callback(place.close)
    server = stack.enter_context(SnapshotServer(place.store, name=viewer.code))
    engine = make.engine(place, stack.enter_context(Outlet(make.model.output_spec(viewer.code))))
    engine.begin(joined)
    return Member(viewer, place.own, engine, lambda: server.n_clients > 0)


def _check(config: LiveConfig) -> None:
    """Refuse settings that are a viewer's own."""
    for role, option in ((Role.PPG, "--ppg"), (Role.RATING, "--ratings")):
        if role in (config.queries or {}):
            raise ConfigError(f"expected no {option} beside viewers, who have their own. Leave it out.")
    if config.participant or config.consent:
        raise ConfigError(
            "expected no --participant and no --consent beside viewers, got one. Their codes say who they "
            "are, the file of --viewers who has consented."
        )


def _find_pulses(
    stimulus: StimulusStreams,
    places: Sequence[_Place],
    config: LiveConfig,
    stop: threading.Event,
    stack: ExitStack,
) -> None:
    """Wait until every viewer has a pulse, at most as long as for the stimulus."""
    for place in places:
        place.own.follow(stimulus.acquisition)
        stack.callback(place.own.close)
    deadline = time.monotonic() + config.wait_s
    while missing := [place.viewer.code for place in places if Role.PPG not in place.own.inlets]:
        if time.monotonic() >= deadline or stop.wait(_WAIT_POLL_S):
            break
        for acquisition in (stimulus.acquisition, *(place.own for place in places)):
            acquisition.let_pass()
    if missing and Role.PPG in config.require and not stop.is_set():
        raise StreamError(
            f"the required pulse of viewer {', '.join(missing)} did not appear in {config.wait_s:g} s. Start "
            "its source, correct its query, or raise --wait."
        )
    for code in missing:
        logger.warning("viewer %s: no pulse within %g s: absent, may join later", code, config.wait_s)


def _batched(model: ServedModel, n_viewers: int) -> BatchedModel:
    if model.tingle.provider != "cpu":
        return BatchedModel(model.tingle, 1, GPU_WINDOWS)
    n_threads = os.cpu_count() or 1
    return BatchedModel(model.tingle, n_threads, min(CPU_WINDOWS, math.ceil(n_viewers / n_threads)))


def _status(group: Group, members: Sequence[Member]) -> dict[str, Any]:
    return {
        "tick_ms": group.ticks.percentiles(600).as_dict(),
        "viewers": {m.viewer.code: live_status(m.engine) for m in members if m.runs},
    }
