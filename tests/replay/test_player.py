"""The replay as a consumer sees it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replay.controls import Command, Controls
from replay.faults import Faults
from replay.player import EVENTS_NAME, ReplayConfig, replay
from replay.recorded import ReplaySession, ReplayStream
from replay.schedule import Chunking
from rtasmr.errors import ConfigError, StreamLostError
from rtasmr.sources.pacing import PlayReport
from rtasmr.sources.packets import Packet, regular_packets, single_packets
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec
from rtasmr.streams import Inlet, Query, Resolver, TimeBase, describe, resolve_all
from rtasmr.types import Chunk, Role

START_S = 100.0
N_PULSE = 2000
PULSE = np.arange(N_PULSE, dtype=np.float32)[:, np.newaxis]
PICTURE_TIMES = START_S + np.arange(20) / 10
MARKS = ((START_S + 0.5, "clip_start vid3"), (START_S + 1.5, "clip_end vid3"))


def recorded_session() -> ReplaySession:
    """Two seconds: a pulse that counts, pictures that count, two markers."""
    key = uuid.uuid4().hex
    pictures = [(float(t), np.full((224, 224, 3), k, np.uint8)) for k, t in enumerate(PICTURE_TIMES)]

    def pulse(durations_s: Iterator[float], from_s: float) -> Iterator[Packet]:
        first = round((from_s - START_S) * 1000)
        return regular_packets([PULSE[first:]], START_S, 1000.0, durations_s, first)

    return ReplaySession(
        "test",
        START_S,
        START_S + 2.0,
        (
            ReplayStream(ppg_spec(1000.0, source_id=f"{key}-ppg", channels=("raw",)), pulse),
            ReplayStream(
                picture_spec(source_id=f"{key}-picture"),
                lambda _, from_s: single_packets(p for p in pictures if p[0] >= from_s),
                is_decoded=True,
            ),
            ReplayStream(
                clip_spec(source_id=f"{key}-clip"),
                lambda _, from_s: single_packets(mark for mark in MARKS if mark[0] >= from_s),
            ),
        ),
        zero_s=START_S,
    )


@contextmanager
def replaying(
    session: ReplaySession, config: ReplayConfig, controls: Controls | None = None
) -> Iterator[tuple[dict[Role, Inlet], Future[PlayReport]]]:
    """Replay on a thread, with an inlet on every stream; what a replay says of itself comes as ratings."""
    stop = threading.Event()
    roles = (Role.PPG, Role.PICTURE, Role.CLIP)
    queries = {
        role: Query(source_id=s.spec.source_id) for role, s in zip(roles, session.streams, strict=True)
    }
    if controls is not None or config.n_passes != 1:
        queries[Role.RATING] = Query(name=EVENTS_NAME, source_id=f"{queries[Role.PPG].source_id}-events")
    with ThreadPoolExecutor(1) as executor, ExitStack() as stack:
        stack.callback(stop.set)
        future = executor.submit(replay, session, config, stop, lambda _: None, controls)
        found = resolve_all(queries, 10.0)
        base = TimeBase.from_streams(stream.spec for stream in found.values())
        # The pulse last: a replay that waits for a consumer waits for this one.
        inlets = {role: stack.enter_context(Inlet(found[role], role, base)) for role in reversed(queries)}
        yield inlets, future


def collect(inlets: dict[Role, Inlet], counts: dict[Role, int]) -> dict[Role, Chunk]:
    """Pull until every stream has brought its samples."""
    inlets = {role: inlets[role] for role in counts}
    chunks: dict[Role, list[Chunk]] = {role: [] for role in inlets}
    deadline = time.monotonic() + 30
    while any(inlets[role].n_samples < counts[role] for role in inlets):
        assert time.monotonic() < deadline, {role: inlet.n_samples for role, inlet in inlets.items()}
        for role, inlet in inlets.items():
            if inlet.n_samples < counts[role] and (chunk := inlet.pull()) is not None:
                chunks[role].append(chunk)
        time.sleep(0.005)
    return {
        role: Chunk(role, np.concatenate([c.times for c in got]), np.concatenate([c.data for c in got]))
        for role, got in chunks.items()
    }


COUNTS = {Role.PPG: N_PULSE, Role.PICTURE: 20, Role.CLIP: 2}


@pytest.mark.lsl
@pytest.mark.parametrize("speed", [1.0, 3.0])
def test_every_sample_arrives_once_at_its_session_time(speed: float) -> None:
    session = recorded_session()
    config = ReplayConfig(speed, chunking=Chunking(None), faults=Faults(jitter_s=0.01))
    with replaying(session, config) as (inlets, future):
        got = collect(inlets, COUNTS)
        assert inlets[Role.PPG].spec.sfreq == 1000.0
        assert inlets[Role.PPG].found.spec.desc["clock_speed"] == repr(speed)
        assert inlets[Role.PPG].found.spec.desc["burst_s"] == "0.1"
        assert future.result(timeout=10).n_samples == (N_PULSE, 20, 2)
    np.testing.assert_array_equal(got[Role.PPG].data, PULSE)
    np.testing.assert_allclose(got[Role.PPG].times, START_S + np.arange(N_PULSE) / 1000, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(got[Role.PICTURE].data[:, 0], np.arange(20))
    np.testing.assert_allclose(got[Role.PICTURE].times, PICTURE_TIMES, rtol=0, atol=1e-8)
    assert got[Role.CLIP].data.tolist() == [text for _, text in MARKS]
    np.testing.assert_allclose(got[Role.CLIP].times, [t for t, _ in MARKS], rtol=0, atol=1e-8)


@pytest.mark.lsl
def test_nothing_leaves_before_a_consumer_has_come() -> None:
    session = recorded_session()
    config = ReplayConfig(speed=2.0, lead_s=0.0, wait_for_consumer=True)
    with replaying(session, config) as (inlets, _):
        got = collect(inlets, COUNTS)
    shift_s = got[Role.PPG].times[0] - START_S
    assert shift_s > 0
    assert shift_s == pytest.approx(round(shift_s), abs=1e-8)  # whole seconds keep the grid
    np.testing.assert_array_equal(got[Role.PPG].data, PULSE)
    np.testing.assert_allclose(got[Role.CLIP].times, [t + shift_s for t, _ in MARKS], rtol=0, atol=1e-8)


@pytest.mark.lsl
def test_session_time_runs_on_from_pass_to_pass() -> None:
    with replaying(recorded_session(), ReplayConfig(speed=4.0, n_passes=2)) as (inlets, _):
        got = collect(inlets, {role: 2 * n for role, n in COUNTS.items()})
    np.testing.assert_allclose(
        got[Role.PPG].times, START_S + np.arange(2 * N_PULSE) / 1000, rtol=0, atol=1e-8
    )
    np.testing.assert_array_equal(got[Role.PPG].data, np.tile(PULSE, (2, 1)))


class Pulled:
    """What has come of some streams: call it to take what there is."""

    def __init__(self, inlets: dict[Role, Inlet]) -> None:
        self.inlets = inlets
        self.times: dict[Role, list[float]] = {role: [] for role in inlets}
        self.data: dict[Role, list[Any]] = {role: [] for role in inlets}

    def __call__(self) -> None:
        for role, inlet in self.inlets.items():
            if (chunk := inlet.pull()) is not None:
                self.times[role] += chunk.times.tolist()
                self.data[role] += chunk.data.ravel().tolist() if role is not Role.PICTURE else [None]
        time.sleep(0.005)

    def until(self, is_enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not is_enough():
            assert time.monotonic() < deadline
            self()


@pytest.mark.lsl
def test_pause_and_seek_move_session_time_on() -> None:
    """Paused in the clip, then back to before it: nothing is lost, and the clip that was open ends."""
    session, controls = recorded_session(), Controls()
    with replaying(session, ReplayConfig(wait_for_consumer=True), controls) as (inlets, future):
        pulled = Pulled(inlets)
        pulse, events = pulled.data[Role.PPG], pulled.data[Role.RATING]
        pulled.until(lambda: len(pulse) >= 700)
        controls.put(Command("pause"))
        pulled.until(lambda: events[-1:] == ["pause"])
        time.sleep(0.5)
        pulled()
        n_held = len(pulse)
        time.sleep(0.3)
        pulled()
        assert len(pulse) == n_held
        controls.put(Command("toggle"))
        pulled.until(lambda: len(pulse) >= 1000)
        controls.put(Command("seek", 0.25))
        pulled.until(lambda: pulse[-1] == N_PULSE - 1)
        report = future.result(timeout=10)
    counter, times = np.array(pulse), np.array(pulled.times[Role.PPG])
    (back,) = np.flatnonzero(np.diff(counter) != 1)
    assert counter[0] == 0
    assert counter[back + 1] == 250
    assert report.n_samples[0] == len(counter)
    assert (np.diff(times) > 0).all()
    moved = np.unique((times - START_S - counter / 1000).round(6))
    assert len(moved) == 3  # waited for us, paused, went back
    assert moved[1] - moved[0] >= 0.8
    np.testing.assert_allclose(moved, moved.round(1), rtol=0, atol=1e-6)  # the 10 Hz grid stays
    assert pulled.data[Role.CLIP] == ["clip_start vid3", "clip_end vid3"] * 2
    assert events == ["loop 1", "pause", "resume", "seek 0.25"]


@pytest.mark.lsl
def test_a_source_that_restarts_is_another_life_of_the_same_source() -> None:
    """Three passes of 2 s at twice the speed; the pulse goes away after 2 s of session time, and again."""
    session = recorded_session()
    faults = Faults(restart_every_s=2.0, only=("PPG",))
    lives: list[list[float]] = []
    with replaying(session, ReplayConfig(2.0, 3, True, faults=faults)) as (inlets, future):
        others = Pulled({role: inlet for role, inlet in inlets.items() if role is not Role.PPG})
        pulse = inlets[Role.PPG]
        while len(lives) < 3:
            life = Pulled({Role.PPG: pulse})
            with suppress(StreamLostError):
                while True:
                    life()
                    if not future.done():
                        others()
            lives.append(life.data[Role.PPG])
            if len(lives) < 3:
                pulse = next_life(pulse)
        report = future.result(timeout=10)
    assert lives[0] == list(range(len(lives[0])))
    assert len(lives[0]) > N_PULSE - 200  # the last packets go down with the source
    for counter in lives[1:]:
        assert set(counter) <= set(range(1000, N_PULSE))  # a second is lost each time
        assert counter[-1] > N_PULSE - 200
    assert report.n_samples == (2 * N_PULSE, 60, 6)
    assert others.data[Role.RATING] == ["loop 1", "loop 2", "loop 3"]


def next_life(inlet: Inlet) -> Inlet:
    """Wait for the source of a lost inlet to come back."""
    with Resolver() as resolver:
        resolver.forget(inlet.found.uid)
        found = None
        while found is None:
            time.sleep(0.01)
            found = resolver.find(Role.PPG, Query(source_id=inlet.spec.source_id))
    found = describe(found)
    return Inlet(found, Role.PPG, TimeBase.from_streams([found.spec]))


@pytest.mark.lsl
def test_stop_ends_a_replay_that_waits() -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(replay, recorded_session(), ReplayConfig(wait_for_consumer=True), stop)
        stop.set()
        assert future.result(timeout=10).n_samples == (0, 0, 0)


@pytest.mark.parametrize(
    "values", [{"speed": 0.0}, {"speed": 1e9}, {"speed": float("nan")}, {"n_passes": -1}]
)
def test_impossible_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Correct it"):
        ReplayConfig(**values)


def run_replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "replay", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{folder}"], 1, "expected --participant"),
        (["{folder}/none.xdf"], 1, "none.xdf"),
        (["{folder}/none.xdf", "--clip", "vid3"], 1, "need the folder of a data set"),
        (["{folder}", "--participant", "1"], 1, "log"),
        (["{folder}", "--chunk", "fast"], 1, "--chunk"),
        (["--speed"], 2, "--speed"),
    ],
)
def test_wrong_use_is_told_in_one_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = run_replay(*(argument.format(folder=tmp_path) for argument in arguments))
    assert done.returncode == code
    assert said in done.stderr
    assert code == 2 or done.stderr.count("\n") == 1


@pytest.mark.lsl
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_command_in_order(simulated_set: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "replay", str(simulated_set), "--participant", "1", "--lead", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(3)
        process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
    assert "rtasmr-ppg" in first
    assert "LSL:" in first
    assert process.returncode == 0, errors
    assert "worst lateness" in rest
    assert next(itertools.chain(errors.splitlines(), [""])) == ""
