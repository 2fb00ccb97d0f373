"""Sources as child processes: started again, ended, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from rtasmr.errors import ConfigError, StreamLostError
from rtasmr.sources import supervisor
from rtasmr.sources.launch import parse_launch
from rtasmr.sources.supervisor import Sources, SourceState, SupervisedSource
from rtasmr.streams import Inlet, Query, TimeBase, resolve
from rtasmr.types import Role


def until(what: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Ended, but not collected yet by whatever is process 1 here.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


# What is asked for


@pytest.mark.parametrize("text", ["type=PPG", "name=serial:1", "source_id=file", "channel=0", ""])
def test_stream_queries_keep_their_meaning(text):
    assert parse_launch(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("simulated", ["simulated"]),
        ("simulated,bpm=80,sfreq=250", ["simulated", "--bpm", "80", "--sfreq", "250"]),
        ("file:pulse.txt@1000", ["ppg", "--file", "pulse.txt", "--sfreq", "1000"]),
        (
            "file:a b@c.txt@64, loop, column=ir",
            ["ppg", "--file", "a b@c.txt", "--sfreq", "64", "--loop", "--column", "ir"],
        ),
        (
            "serial:/dev/ttyUSB0,baud=9600,sfreq=500",
            ["ppg", "--serial", "/dev/ttyUSB0", "--keep-trying", "--baud", "9600", "--sfreq", "500"],
        ),
        ("serial:socket://host:7", ["ppg", "--serial", "socket://host:7", "--keep-trying"]),
    ],
)
def test_sources_become_commands(text, words):
    launch = parse_launch(text)
    assert launch is not None
    assert list(launch.words[:-2]) == words
    assert launch.words[-2] == "--source-id"
    assert Query.parse(launch.query) == Query(stype="PPG", source_id=launch.words[-1])


def test_the_identity_of_a_device_stays_and_tells_no_address():
    one, again, other = map(parse_launch, ("serial:/dev/A1", "serial:/dev/A1,baud=9600", "serial:/dev/B"))
    assert one is not None
    assert again is not None
    assert other is not None
    assert one.query == again.query != other.query
    assert "A1" not in one.query


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("serial", "expected serial:PORT"),
        ("serial:", "expected serial:PORT"),
        ("file", "expected file:PATH@HZ"),
        ("serial:x,speed=9", "settings like baud=..., .*got 'speed=9'"),
        ("simulated,loop", "got 'loop'"),
        ("file:x@1,loop=yes", "got 'loop=yes'"),
        ("serial:x,baud", "got 'baud'"),
    ],
)
def test_sources_that_cannot_be_meant(text, match):
    with pytest.raises(ConfigError, match=match):
        parse_launch(text)


def test_the_other_queries_are_left_alone():
    said: list[str] = []
    sources = Sources({Role.PPG: "simulated", Role.SOUND: "name=x"}, said.append, network=False)
    assert sources.queries[Role.SOUND] == "name=x"
    assert sources.queries[Role.PPG].startswith("type=PPG,source_id=rtasmr-simulated-")
    assert Sources({Role.PPG: "type=PPG"}, said.append, network=False).by_role == {}


# Processes


@pytest.mark.lsl
def test_a_killed_source_comes_back_with_fresh_samples():
    said: list[str] = []
    with ExitStack() as stack:
        sources = stack.enter_context(Sources({Role.PPG: "simulated,sfreq=250"}, said.append, network=False))
        source = sources.by_role[Role.PPG]
        query = Query.parse(sources.queries[Role.PPG])
        for restarts in (0, 1):
            found = None
            while found is None:
                found = resolve(Role.PPG, query, wait_s=20)
            with Inlet(found, Role.PPG, TimeBase()) as inlet:
                until(inlet.pull)
                assert source.n_restarts == restarts
                assert sources.account((Role.PPG,)) == {"ppg": {"state": "running", "restarts": restarts}}
                if restarts == 0:
                    pid = source.pid
                    assert pid is not None
                    os.kill(pid, signal.SIGKILL)
                    with pytest.raises(StreamLostError):
                        until(lambda taken=inlet: taken.pull() and False)
        last = source.pid
    assert source.state is SourceState.ENDED
    assert last is not None
    assert not is_alive(last)
    assert not is_alive(pid)
    assert any("ended with code -9; starting it again" in line for line in said)
    assert any(line.startswith("sent rtasmr-ppg") for line in said)  # it ended in order


def test_a_source_that_refuses_is_not_started_for_ever(monkeypatch):
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0,))
    said: list[str] = []
    with SupervisedSource(["ppg", "--file", "none.txt", "--sfreq", "100"], said.append) as source:
        until(lambda: source.state is SourceState.FAILED)
    assert source.n_restarts == supervisor.MAX_REFUSALS - 1
    assert sum("No such file" in line for line in said) == 1
    assert said[-1] == "source ppg --file none.txt failed; it is not started again"


def test_wrong_usage_is_not_tried_again():
    said: list[str] = []
    with SupervisedSource(["ppg", "--nonsense"], said.append) as source:
        until(lambda: source.state is SourceState.FAILED)
    assert source.n_restarts == 0


def test_a_source_whose_device_is_away_is_not_said_to_run(tmp_path):
    """Its process runs and looks for the device; what tells is that its stream is not there."""
    said: list[str] = []
    with Sources({Role.PPG: f"serial:{tmp_path}/ttyUSB0"}, said.append, network=False) as sources:
        until(lambda: any("Trying again" in line for line in said))
        assert sources.account(())["ppg"] == {"state": SourceState.NO_STREAM.value, "restarts": 0}
        assert sources.account((Role.PPG,))["ppg"]["state"] == "running"
        assert sources.account((Role.SOUND,))["ppg"]["state"] != "running"
    assert sources.account(())["ppg"]["state"] == "ended"


def test_sources_that_are_asked_to_end_do_so_beside_each_other():
    asked = {Role.PPG: "simulated", Role.PICTURE: "screen"}
    with Sources(asked, lambda _line: None, network=False) as sources:
        until(lambda: all(source.pid is not None for source in sources.by_role.values()))
        sources.ask_to_end()
        until(lambda: all(source.state is SourceState.ENDED for source in sources.by_role.values()))


@pytest.mark.lsl
def test_a_source_that_has_ended_stays_so(tmp_path):
    (tmp_path / "pulse.txt").write_text("1\n2\n3\n")
    said: list[str] = []
    words = ["ppg", "--file", str(tmp_path / "pulse.txt"), "--sfreq", "100"]
    with SupervisedSource(words, said.append) as source:
        until(lambda: source.state is SourceState.ENDED)
        assert source.pid is None
    assert source.n_restarts == 0
    assert any("sent rtasmr-ppg 3" in line for line in said)


def test_a_source_that_hangs_is_killed(monkeypatch):
    """Stopped, it cannot end in order."""
    monkeypatch.setattr(supervisor, "END_S", 0.1)
    monkeypatch.setattr(supervisor, "KILL_S", 0.1)
    with SupervisedSource(["simulated"], lambda _line: None) as source:
        until(lambda: source.pid is not None)
        pid = source.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    assert not is_alive(pid)


@pytest.mark.lsl
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_parent_leaves_no_orphan():
    code = """
import time
from rtasmr.sources.supervisor import SupervisedSource
with SupervisedSource(["simulated"], lambda line: print(source.pid, flush=True)) as source:
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())  # the source has said its first line: it runs
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    until(lambda: not is_alive(child))


def test_a_source_starts_without_the_heavy_libraries():
    """Its first samples wait for its imports."""
    heavy = ("scipy", "librosa", "av", "polars", "onnxruntime", "matplotlib", "PyQt5")
    code = "import sys, rtasmr.cli, rtasmr.sources.serial_pulse\n"
    code += f"print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
