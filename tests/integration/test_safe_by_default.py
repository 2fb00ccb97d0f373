"""What a run shows to other hosts, other users and the network: nothing unless it is told to."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import uuid
import wave
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import second_host

APART = ("unshare", "--user", "--map-root-user", "--net", "--uts")
UNPRIVILEGED = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
HOST, USER = "aurora-seven", "adalovelace"

# A host of another name with the loopback device alone: no route leads anywhere.
ALONE = f"""
import os, socket, subprocess, sys
socket.sethostname({HOST!r})
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Runs a command of ours and says which sockets Python opened meanwhile, and which descriptors are some.
WATCHED = """
import json, os, sys
opened = []
sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)
from rtasmr import console
from rtasmr.cli import app
code = console.run(app)
entries = (f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd"))
links = [os.readlink(entry) for entry in entries if os.path.lexists(entry)]
left = [link for link in links if link.startswith("socket:")]
print(json.dumps({"code": code, "opened": opened, "left": left}))
"""


@cache
def why_not_apart() -> str:
    """Why this machine lets no process have a network of its own; empty if it does."""
    missing = [tool for tool in ("unshare", "setpriv", "ip") if shutil.which(tool) is None]
    if missing:
        return f"no {missing[0]} here"
    tried = subprocess.run(
        [*APART, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip()


@pytest.fixture
def apart() -> None:
    if why := why_not_apart():
        pytest.skip(f"no network namespaces: {why}")


@pytest.fixture
def environment(tiny_home: Path) -> dict[str, str]:
    session = f"test-{uuid.uuid4().hex[:12]}"
    return {**os.environ, "RTASMR_HOME": str(tiny_home), "RTASMR_LSL_SESSION": session, "LOGNAME": USER}


@pytest.fixture
def sound_file(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes((8000 * np.sin(np.arange(6 * 44_100) / 20)).astype("<i2").tobytes())
    return path


def look(environment: dict[str, str], *words: str) -> dict[str, object]:
    """Let a second host look at our streams, opened without the privilege to use raw sockets."""
    done = subprocess.run(
        [*APART, *UNPRIVILEGED, sys.executable, second_host.__file__, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    assert facts.pop("reached")
    assert facts.pop("is_complete"), "local samples were lost"
    return facts


@pytest.mark.lsl
@pytest.mark.timeout(180)
def test_another_host_finds_no_port_and_no_stream(apart, environment):
    assert look(environment) == {"tcp": [], "udp": [], "streams": []}


@pytest.mark.lsl
@pytest.mark.timeout(180)
def test_an_opened_network_shows_every_stream(apart, environment):
    facts = look(environment, "--network")
    assert facts["streams"] == [
        f"rtasmr-{name}" for name in ("clip", "picture", "ppg", "rating", "sound", "tingle")
    ]
    assert len(facts["tcp"]) >= 6
    assert 16571 in facts["udp"]


@pytest.mark.lsl
@pytest.mark.timeout(180)
def test_a_run_needs_no_network_and_names_neither_host_nor_user(apart, environment, tmp_path):
    recording, report = tmp_path / "out" / "a.xdf", tmp_path / "report"
    recording.parent.mkdir()

    def command(*words: object) -> str:
        alone = [*APART, sys.executable, "-c", ALONE, sys.executable, "-P", "-m", "rtasmr"]
        done = subprocess.run(
            [*alone, *map(str, words)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = command(
        "live", "--headless", "--json", "--ppg", "simulated", "--duration", 7, "--record", recording
    )
    account = json.loads(said.splitlines()[-1])
    assert account["streams"] == {"ppg": "rtasmr-ppg"}
    assert (account["ticks"], account["missing"], account["duplicates"]) == (70, 0, 0)
    command("report", recording, "--out", report)
    files = [recording, *(path for path in report.rglob("*") if path.is_file())]
    assert {"a.xdf", "predictions.csv", "summary.json", "tinglegram.svg"} <= {path.name for path in files}
    assert stat.S_IMODE(report.stat().st_mode) == 0o700
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        content = path.read_bytes()
        for private in (HOST, USER, str(tmp_path), environment["RTASMR_HOME"]):
            assert private.encode() not in content, (path.name, private)


def test_a_file_is_judged_with_no_socket(environment, sound_file, tmp_path):
    log, out = tmp_path / "calls", tmp_path / "out"
    watch = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", str(log)] if shutil.which("strace") else []
    done = subprocess.run(
        [*watch, sys.executable, "-P", "-c", WATCHED, "run", str(sound_file), "--out", str(out), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    account, facts = map(json.loads, done.stdout.splitlines()[-2:])
    assert account["ticks"] == 60
    assert facts == {"code": 0, "opened": [], "left": []}
    if watch:
        assert log.read_text() == ""
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
