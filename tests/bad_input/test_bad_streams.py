"""Commands in processes of their own, and streams that are missing, ambiguous or lie."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Ended


def test_a_real_process_leaves_one_line_and_code_1(tmp_path: Path) -> None:
    words = ("offline", "check", str(tmp_path / "missing"))
    ended = started(words, {}).wait()
    assert "no such folder" in ended.error_line()
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_a_training_command_on_a_runtime_without_torch_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; from offline.cli import main; main()"
    words = [sys.executable, "-c", code, "train", "x", "--out", "y"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    error = Ended(done.returncode, done.stdout, done.stderr).error_line()
    assert error == (
        "error: this command needs torch, which is not installed; "
        "install it with: pip install 'rtasmr[offline]'"
    )


@dataclass(frozen=True)
class Started:
    process: subprocess.Popen[str]

    def wait(self) -> Ended:
        out, err = self.process.communicate(timeout=120)
        return Ended(self.process.returncode, out, err)


def started(words: tuple[object, ...], environment: dict[str, str]) -> Started:
    name, *rest = (str(word) for word in words)
    program = [name] if name.endswith(".py") else ["-P", "-m", name]
    return Started(
        subprocess.Popen(
            [sys.executable, *program, *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
    )


LIAR = """
import sys, time
import numpy as np, pylsl
from rtasmr import lslconfig
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import ppg_spec
lslconfig.configure(network=False)
promised, delivered = float(sys.argv[1]), float(sys.argv[2])
with Outlet(ppg_spec(promised, source_id="liar", channels=("raw",))) as outlet:
    begin, n = pylsl.local_clock(), 0
    while True:
        due = int((pylsl.local_clock() - begin) * delivered)
        if due > n:
            wave = np.sin(2 * np.pi * 1.1 * np.arange(n, due) / delivered).astype(np.float32)
            outlet.push(wave, pylsl.local_clock())
            n = due
        time.sleep(0.02)
"""


@pytest.fixture
def lab(tiny_home: Path, tmp_path: Path) -> Callable[..., Ended]:
    """Run `rtasmr live` beside sources, in an LSL session that nobody else hears; the sources end with it."""
    session = f"test-{uuid.uuid4().hex[:12]}"
    environment = {"RTASMR_HOME": str(tiny_home), "RTASMR_LSL_SESSION": session}

    def run(sources: list[tuple[object, ...]], *words: object) -> Ended:
        running = [started(source, environment).process for source in sources]
        try:
            return started(("rtasmr", "live", "--headless", *words), environment).wait()
        finally:
            for process in running:
                process.kill()
                process.communicate()

    return run


def liar(tmp_path: Path, promised: float, delivered: float) -> tuple[object, ...]:
    """A source whose header promises another rate than it delivers, as words for `started`."""
    (tmp_path / "liar.py").write_text(LIAR)
    return (tmp_path / "liar.py", promised, delivered)


@pytest.mark.lsl
def test_a_stream_that_never_appears_is_named(lab: Callable[..., Ended]) -> None:
    assert "in 1 s" in lab([], "--wait", 1).error_line()


@pytest.mark.lsl
def test_a_required_stream_that_never_appears_is_named(lab: Callable[..., Ended]) -> None:
    ended = lab([], "--wait", 1, "--require", "markers")
    assert "required markers stream" in ended.error_line()


@pytest.mark.lsl
def test_of_two_streams_that_match_none_is_picked(lab: Callable[..., Ended]) -> None:
    sources = [("rtasmr", "source", "simulated", "--source-id", name) for name in ("left", "right")]
    error = lab(sources, "--wait", 8).error_line()
    assert "got 2" in error
    assert "source_id='left'" in error
    assert "source_id='right'" in error


@pytest.mark.lsl
def test_a_pulse_slower_than_20_hz_is_refused(lab: Callable[..., Ended]) -> None:
    ended = lab([("rtasmr", "source", "simulated", "--sfreq", 10)], "--wait", 4, "--duration", 1)
    assert (
        "a regular rate of 20 to 50000 Hz as ppg stream, got float32 with 1 channels at 10 Hz"
        in ended.error_line()
    )


@pytest.mark.lsl
def test_a_header_that_lies_by_a_factor_of_2_makes_bad_input(
    lab: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "session.xdf").write_text("an earlier session")
    ended = lab(
        [liar(tmp_path, 100, 200)],
        *("--wait", 4, "--duration", 15, "--json", "--record", tmp_path / "session.xdf"),
    )
    assert ended.code == 0, ended.err
    assert re.search(r"ppg stream: the header says 100 Hz, (199|200)[.\d]* Hz arrive: refused", ended.err)
    account = json.loads(ended.out.splitlines()[-1])
    assert account["ticks"] == 150
    assert account["status"]["bad_input"] > 0
    assert json.loads(ended.out.splitlines()[-2])["status"] == "bad_input"
    assert (tmp_path / "session.xdf").read_text() == "an earlier session"
    assert account["files"] == [str(tmp_path / "session_2.xdf")]
