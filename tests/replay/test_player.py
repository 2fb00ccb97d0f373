"""The replay as a consumer sees it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from replay.player import ReplayConfig, replay
from replay.recorded import ReplaySession, ReplayStream
from replay.schedule import Chunking, Faults
from rtasmr.errors import ConfigError
from rtasmr.sources.pacing import PlayReport
from rtasmr.sources.packets import regular_packets, single_packets
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec
from rtasmr.streams import Inlet, Query, TimeBase, resolve_all
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
    return ReplaySession(
        "test",
        START_S,
        START_S + 2.0,
        (
            ReplayStream(
                ppg_spec(1000.0, source_id=f"{key}-ppg", channels=("raw",)),
                lambda durations_s: regular_packets([PULSE], START_S, 1000.0, durations_s),
            ),
            ReplayStream(
                picture_spec(source_id=f"{key}-picture"), lambda _: single_packets(pictures), is_decoded=True
            ),
            ReplayStream(clip_spec(source_id=f"{key}-clip"), lambda _: single_packets(MARKS)),
        ),
    )


@contextmanager
def replaying(
    session: ReplaySession, config: ReplayConfig
) -> Iterator[tuple[dict[Role, Inlet], Future[PlayReport]]]:
    """Replay on a thread, with an inlet on every stream."""
    stop = threading.Event()
    roles = (Role.PPG, Role.PICTURE, Role.CLIP)
    queries = {
        role: Query(source_id=s.spec.source_id) for role, s in zip(roles, session.streams, strict=True)
    }
    with ThreadPoolExecutor(1) as executor, ExitStack() as stack:
        stack.callback(stop.set)
        future = executor.submit(replay, session, config, stop)
        found = resolve_all(queries, 10.0)
        base = TimeBase.from_streams(stream.spec for stream in found.values())
        inlets = {role: stack.enter_context(Inlet(found[role], role, base)) for role in roles}
        yield inlets, future


def collect(inlets: dict[Role, Inlet], counts: dict[Role, int]) -> dict[Role, Chunk]:
    """Pull until every stream has brought its samples."""
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
