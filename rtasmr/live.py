"""`rtasmr live`, put together: model, streams, engine, recording and window."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pylsl

from rtasmr import lslconfig
from rtasmr.acquisition import Acquisition
from rtasmr.card import ModelCard, card_text
from rtasmr.companions import Companions
from rtasmr.config import LiveConfig
from rtasmr.discovery import printable
from rtasmr.ending import RunEnd, end_signals, ignore_hangups
from rtasmr.engine import Engine
from rtasmr.link import SnapshotServer, SnapshotStore
from rtasmr.live_account import account
from rtasmr.live_status import live_status, report_every_second
from rtasmr.marker_map import MarkerMap
from rtasmr.modelstore import find_model
from rtasmr.presentation import Presentation
from rtasmr.recorded_features import features_spec
from rtasmr.recorder import Recorder
from rtasmr.recording_room import bytes_per_hour, room_words
from rtasmr.served import ServedModel
from rtasmr.snapshot import Command
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.supervisor import Sources
from rtasmr.stream_specs import DISTANCE_SPEC, LATENCY_SPEC
from rtasmr.timing import TickTimer
from rtasmr.types import Role, StreamSpec
from rtasmr.xdf_file import check_target

WINDOW_CLOSE_S = 1.5
_BUTTONS = {
    Command.PAUSE: "Pause",
    Command.RESUME: "Go on",
    Command.SKIP: "Next",
    Command.STOP: "Stop",
}


def run_live(
    config: LiveConfig,
    *,
    window: bool,
    say: Callable[[str], None],
    status: Callable[[dict[str, Any]], None],
    presentation: Presentation | None = None,
) -> dict[str, Any]:
    """Run until the end and return the account that ``--json`` prints.

    Parameters
    ----------
    config : LiveConfig
    window : bool
        Open the Tinglegram window.
    say : callable
        Takes lines for people.
    status : callable
        Takes a status object once a second.
    presentation : Presentation, optional
        The session that the run accompanies and ends with; Ctrl-C and closing the window then end it first.

    Raises
    ------
    RtasmrError
        If the model, the streams or the recording cannot be had.
    """
    marker_map = MarkerMap.load(Path(config.marker_map)) if config.marker_map else None
    end = RunEnd()
    stop = end.stop
    # What was mistyped is told before the model is loaded, which takes seconds.
    sources = Sources(config.queries or {}, say, network=config.network)
    config = replace(config, queries=sources.queries)
    acquisition = Acquisition(
        _queries(config, marker_map),
        config.require,
        config.wait_s,
        roles=tuple(Role) if presentation is None else presentation.roles,
        until_lost=config.until_lost,
    )
    with ExitStack() as stack:
        end_on_signals(end, stack)
        model = prepare(config, say)
        stack.enter_context(sources)
        stack.callback(acquisition.close)
        joined = acquisition.open(stop)
        say(
            "streams: "
            + ", ".join(f"{j.role} ({printable(j.spec.name)}, {_rate(j.spec.sfreq)})" for j in joined)
        )
        streams = () if presentation is None else presentation.streams
        companions = stack.enter_context(Companions(streams, stop))
        recorder = None
        if config.record and not stop.is_set():
            header = {} if presentation is None else presentation.header
            recorder = Recorder(Path(config.record), {**header, **recording_header(config, model.card)})
            say(f"recording to {recorder.snapshot().path}")
            tell_room(config, [(j.role, j.spec) for j in joined], model, say)
        store = SnapshotStore()
        about = _about(presentation, recorder)
        server = stack.enter_context(
            SnapshotServer(store, on_command=commands(end, presentation, say), about=about)
        )
        outlet = stack.enter_context(Outlet(model.output_spec()))
        engine = Engine(
            acquisition,
            model.live_pipeline(acquisition.timebase.speed, TickTimer(pylsl.local_clock)),
            model.spec,
            model.state(),
            store=store,
            outlet=outlet,
            recorder=recorder,
            n_ticks=config.n_ticks,
            until_lost=config.until_lost,
            record_raw=config.record_raw,
            marker_map=marker_map,
            require=config.require,
            companions=companions,
            stopping=stop,
        )
        report_every_second(lambda: live_status(engine), status, stack)
        if presentation is not None:
            presentation.follow(store)
            end.follow(presentation.wait_end, presentation.ask_end)
        is_over = threading.Event()
        if window and not stop.is_set():
            _open_window(
                server,
                is_over,
                stack,
                say,
                beside_stimulus=presentation is not None,
                behind_stimulus=presentation is not None and presentation.fills_display,
            )
        error = ""
        settle_garbage(stack)
        try:
            engine.run(joined)
            for text in () if presentation is None else presentation.incidents():
                engine.record_incident(text)
        finally:
            is_over.set()
            if recorder is not None:
                error = recorder.finish()
        told = sources.account(acquisition.inlets)
        return account(engine, model, store, recorder, config, sources=told, error=error)


def prepare(config: LiveConfig, say: Callable[[str], None], encoder_threads: int = 1) -> ServedModel:
    """Check where to record to, set how far LSL reaches, load the model, and say both."""
    if config.record:
        check_target(Path(config.record))
    lslconfig.configure(network=config.network)
    say(lslconfig.scope_line(config.network))
    model = ServedModel(find_model(config.model or None), config.provider, encoder_threads)
    for warning in model.card.warnings:
        say(f"model {model.card.id}: {warning}")
    return model


def settle_garbage(stack: ExitStack) -> None:
    """Leave what there is so far out of every collection, until ``stack`` is unwound.

    A full collection would walk all that the imports made: 60 ms in the middle of a tick.
    """
    gc.collect()
    gc.freeze()
    stack.callback(gc.unfreeze)


def attach_line(server: SnapshotServer) -> str:
    """Return the command that opens a window on a running runtime."""
    return f"rtasmr window {server.label}"


def tell_room(
    config: LiveConfig,
    streams: Iterable[tuple[Role, StreamSpec]],
    model: ServedModel,
    say: Callable[[str], None],
    n_recordings: int = 1,
) -> None:
    """Say so where the disk will soon be full of what is recorded.

    Parameters
    ----------
    config : LiveConfig
    streams : iterable of (Role, StreamSpec)
        Those of all recordings together.
    model : ServedModel
    say : callable
    n_recordings : int
        Recordings that are written at a time.
    """
    inputs = [spec for role, spec in streams if config.record_raw or role not in (Role.SOUND, Role.PICTURE)]
    per_frame = (features_spec(model.spec), model.output_spec(), LATENCY_SPEC, DISTANCE_SPEC)
    hourly_bytes = bytes_per_hour(inputs, n_recordings * per_frame)
    if words := room_words(Path(config.record).parent, hourly_bytes):
        say(words)


def _about(presentation: Presentation | None, recorder: Recorder | None) -> str:
    """Return what a list of several runtimes says of this one."""
    parts = [] if presentation is None else [presentation.name]
    parts += [] if recorder is None else [f"recording {recorder.snapshot().path.name}"]
    return printable(", ".join(part for part in parts if part))


def _queries(config: LiveConfig, marker_map: MarkerMap | None) -> dict[Role, str]:
    """Return the stream selections; ratings come from the stream of clips where its map has some."""
    queries = dict(config.queries or {})
    if marker_map is not None and marker_map.rates and Role.CLIP in queries:
        queries.setdefault(Role.RATING, queries[Role.CLIP])
    return queries


def _rate(sfreq: float) -> str:
    return f"{sfreq:g} Hz" if sfreq else "irregular"


def recording_header(config: LiveConfig, card: ModelCard) -> dict[str, str]:
    """Return what the header of a recording says of the run."""
    return {
        "participant": config.participant,
        "consent": "yes" if config.consent else "not stated",
        "clock": "session",
        "model": card.id,
        "demo": "true" if card.demo else "false",
        "warnings": "; ".join(card.warnings),
        "fingerprint": card.fingerprint,
        "card": card_text(card),
        "config": config.to_json(),
    }


def end_on_signals(end: RunEnd, stack: ExitStack) -> None:
    """End the run in order on Ctrl-C, SIGTERM and SIGHUP, whether streams have come by then or not."""
    if threading.current_thread() is not threading.main_thread():
        return

    def ask(*_: object) -> None:
        ignore_hangups()
        end.request()

    for number in end_signals():
        previous = signal.signal(number, ask)
        stack.callback(signal.signal, number, previous)


def commands(
    end: RunEnd, presentation: Presentation | None, say: Callable[[str], None]
) -> Callable[[Command, int], object]:
    """Return what takes the commands of windows, and says them as they are called there."""

    def obey(command: Command, step: int) -> None:
        if command is Command.END:
            say("the Tinglegram was closed: the run ends")
            end.request()
        elif presentation is not None:
            say(f"pressed in the Tinglegram: {_BUTTONS[command]}")
            presentation.command(command, step)

    return obey


def _open_window(
    server: SnapshotServer,
    is_over: threading.Event,
    stack: ExitStack,
    say: Callable[[str], None],
    *,
    beside_stimulus: bool = False,
    behind_stimulus: bool = False,
) -> None:
    """Start the window's process; closing the window ends the run, a crash of it does not.

    After the run, when ``is_over`` is set, a window that does not close by itself is ended without a word.
    """
    command = [sys.executable, "-P", "-m", "rtasmr.view", "--attach", str(server.link_file)]
    command += ["--close-when-ended", "--ends-run", *["--beside-stimulus"] * beside_stimulus]
    command += ["--behind-stimulus"] * behind_stimulus
    process = subprocess.Popen(command)

    def watch() -> None:
        # A window that its user closed has told so itself, before its process was through.
        if process.wait() != 0 and not is_over.is_set():
            say(f"the window is gone; the run goes on. Open it again with: {attach_line(server)}")

    threading.Thread(target=watch, name="window-watch", daemon=True).start()

    def close() -> None:
        try:
            process.wait(WINDOW_CLOSE_S)
        except subprocess.TimeoutExpired:
            process.terminate()

    stack.callback(close)
