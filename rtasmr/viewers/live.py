"""`rtasmr live` for several viewers: one stimulus, one model, and for each of them all that is their own."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pylsl

from rtasmr import lslconfig
from rtasmr.acquisition import Acquisition, Joined
from rtasmr.card import ModelCard
from rtasmr.config import LiveConfig
from rtasmr.ending import RunEnd
from rtasmr.engine import Engine
from rtasmr.errors import ConfigError, StreamError
from rtasmr.link import SnapshotServer, SnapshotStore
from rtasmr.live import (
    account,
    attach_line,
    end_on_signals,
    recording_account,
    recording_header,
    settle_garbage,
)
from rtasmr.live_status import live_status, report_every_second
from rtasmr.marker_map import MarkerMap
from rtasmr.modelstore import find_model
from rtasmr.recorder import Recorder
from rtasmr.served import MARGIN_S, MAX_BACKLOG_S, REPLAY_BACKLOG_S, ServedModel, StimulusFeatures
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.supervisor import Sources
from rtasmr.stream_specs import TINGLE_NAME, tingle_spec
from rtasmr.timing import TickTimer
from rtasmr.types import Role, StreamSpec
from rtasmr.viewers.batch import CPU_WINDOWS, GPU_WINDOWS, BatchedModel
from rtasmr.viewers.config import Viewer
from rtasmr.viewers.group import Group, Member
from rtasmr.viewers.streams import OWN_ROLES, STIMULUS_ROLES, StimulusStreams, ViewerStreams
from rtasmr.xdf import RecordingFailedError

logger = logging.getLogger(__name__)

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
    sources = {v.code: Sources(_own_queries(v), say, network=config.network) for v in viewers}
    config = replace(config, queries=shared_sources.queries)
    required = tuple(role for role in config.require if role in STIMULUS_ROLES)
    leader = Acquisition(shared_sources.queries, required, config.wait_s, roles=STIMULUS_ROLES)
    owned = {v.code: _own_acquisition(v, sources[v.code].queries) for v in viewers}
    lslconfig.configure(network=config.network)
    say(lslconfig.scope_line(config.network))
    model = ServedModel(find_model(config.model or None), config.provider)
    for warning in model.card.warnings:
        say(f"model {model.card.id}: {warning}")
    with ExitStack() as stack:
        end_on_signals(end, stack)
        for started in (shared_sources, *sources.values()):
            stack.enter_context(started)
        stack.callback(leader.close)
        joined = leader.open(end.stop)
        stimulus = StimulusStreams(leader)
        for own in owned.values():
            own.follow(leader)
            stack.callback(own.close)
        _await_pulses(stimulus, owned, config, end.stop)
        timer = TickTimer(pylsl.local_clock)
        features = model.stimulus_features(timer)
        batched = stack.enter_context(_batched(model, len(viewers)))
        stores, recorders, members = {}, {}, []
        for viewer in viewers:
            own = owned[viewer.code]
            own_config = _own_config(config, viewer, sources[viewer.code].queries)
            stores[viewer.code] = SnapshotStore()
            server = stack.enter_context(SnapshotServer(stores[viewer.code]))
            if config.record and not end.stop.is_set():
                recorders[viewer.code] = Recorder(
                    Path(own_config.record), recording_header(own_config, model.card)
                )
            engine = Engine(
                ViewerStreams(stimulus, own),
                _pipeline(model, timer, features, leader.timebase.speed),
                model.spec,
                model.state(),
                store=stores[viewer.code],
                outlet=stack.enter_context(Outlet(_tingle_spec(model.card, viewer))),
                recorder=recorders.get(viewer.code),
                n_ticks=config.n_ticks,
                until_lost=config.until_lost,
                record_raw=config.record_raw,
                marker_map=marker_map,
                require=config.require,
            )
            engine.begin([*joined, *(Joined(role, inlet.spec) for role, inlet in own.inlets.items())])
            members.append(Member(viewer, own, engine))
            say(f"viewer {viewer.code}: window: {attach_line(server)}")
        group = Group(stimulus, members, batched, end.stop)
        report_every_second(lambda: _status(group, members), status, stack)
        settle_garbage(stack)
        try:
            group.run()
        finally:
            files, errors = _close(recorders)
        accounts = {
            m.viewer.code: {
                **account(m.engine, model, files.get(m.viewer.code, []), stores[m.viewer.code]),
                "recording": _recording(recorders.get(m.viewer.code)),
                "sources": sources[m.viewer.code].account(),
                "error": m.error or errors.get(m.viewer.code, ""),
            }
            for m in members
        }
        return _group_account(accounts, group, model, shared_sources)


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


def _own_queries(viewer: Viewer) -> dict[Role, str]:
    return {Role.PPG: viewer.ppg} | ({Role.RATING: viewer.ratings} if viewer.ratings else {})


def _own_acquisition(viewer: Viewer, queries: Mapping[Role, str]) -> Acquisition:
    # Who names no ratings has none: any other stream of that kind is somebody else's.
    roles = [role for role in OWN_ROLES if role in queries]
    return Acquisition(queries, (), 0.0, roles=roles, whose=f"viewer {viewer.code}")


def _own_config(config: LiveConfig, viewer: Viewer, queries: Mapping[Role, str]) -> LiveConfig:
    """Return the settings as they hold for one viewer; they stand in the header of the recording."""
    record = config.record
    if record:
        record = str(Path(record).with_stem(f"{Path(record).stem}-{viewer.code}"))
    return replace(
        config,
        queries={**(config.queries or {}), **queries},
        participant=viewer.code,
        consent=viewer.consent,
        record=record,
    )


def _await_pulses(
    stimulus: StimulusStreams, owned: Mapping[str, Acquisition], config: LiveConfig, stop: threading.Event
) -> None:
    """Wait until every viewer has a pulse, at most as long as for the stimulus."""
    deadline = time.monotonic() + config.wait_s
    while missing := [code for code, own in owned.items() if Role.PPG not in own.inlets]:
        if time.monotonic() >= deadline or stop.wait(_WAIT_POLL_S):
            break
        stimulus.let_pass()
        for own in owned.values():
            own.pull()
    if missing and Role.PPG in config.require and not stop.is_set():
        raise StreamError(
            f"the required pulse of viewer {', '.join(missing)} did not appear in {config.wait_s:g} s. Start "
            "its source, correct its query, or raise --wait."
        )
    for code in missing:
        logger.warning("viewer %s: no pulse within %g s: absent, may join later", code, config.wait_s)


def _pipeline(model: ServedModel, timer: TickTimer, features: StimulusFeatures, speed: float) -> Any:
    return model.pipeline(
        MARGIN_S * speed,
        timer,
        max_backlog_s=REPLAY_BACKLOG_S if speed > 1 else MAX_BACKLOG_S,
        stimulus=features,
    )


def _batched(model: ServedModel, n_viewers: int) -> BatchedModel:
    if model.tingle.provider != "cpu":
        return BatchedModel(model.tingle, 1, GPU_WINDOWS)
    n_threads = os.cpu_count() or 1
    return BatchedModel(model.tingle, n_threads, min(CPU_WINDOWS, math.ceil(n_viewers / n_threads)))


def _tingle_spec(card: ModelCard, viewer: Viewer) -> StreamSpec:
    spec = tingle_spec(
        card.id, card.demo, card.lookahead_frames, card.window_frames, card.threshold, card.warnings
    )
    return replace(
        spec, source_id=f"{TINGLE_NAME}-{viewer.code}", desc={**spec.desc, "participant": viewer.code}
    )


def _close(recorders: Mapping[str, Recorder]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Close the recordings; return their names, and why some have none, by viewer."""
    files: dict[str, list[str]] = {code: [] for code in recorders}
    errors: dict[str, str] = {}
    for code, recorder in recorders.items():
        try:
            files[code].append(str(recorder.close()))
        except RecordingFailedError as failure:
            errors[code] = str(failure)
    return files, errors


def _recording(recorder: Recorder | None) -> dict[str, Any] | None:
    return None if recorder is None else recording_account(recorder.snapshot())


def _status(group: Group, members: Sequence[Member]) -> dict[str, Any]:
    return {
        "tick_ms": group.ticks.percentiles(600).as_dict(),
        "viewers": {m.viewer.code: live_status(m.engine) for m in members if m.runs},
    }


def _group_account(
    accounts: Mapping[str, dict[str, Any]], group: Group, model: ServedModel, shared_sources: Sources
) -> dict[str, Any]:
    failed = {code: told["error"] for code, told in accounts.items() if told["error"]}
    return {
        **{key: sum(told[key] for told in accounts.values()) for key in ("ticks", "missing", "duplicates")},
        "tick_ms": group.ticks.percentiles().as_dict(),
        "provider": model.tingle.provider,
        "model": model.card.id,
        "demo": model.card.demo,
        "warnings": list(model.card.warnings),
        "files": [name for told in accounts.values() for name in told["files"]],
        "sources": shared_sources.account(),
        "error": "; ".join(f"viewer {code}: {text}" for code, text in failed.items()),
        "viewers": dict(accounts),
    }
