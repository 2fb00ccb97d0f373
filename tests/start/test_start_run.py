"""The run that the page starts: a process of its own, followed through what it writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtasmr.start.run import Run, _tail


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path))
    return tmp_path


def test_a_run_that_is_refused_leaves_one_line(home):
    run = Run(["live", "--model", "nobody"])
    try:
        assert run.wait(60)
        progress = run.progress()
    finally:
        run.close()

    assert progress.code == 1
    assert progress.line.startswith("expected a model folder or the id of an installed model, got 'nobody'")
    assert progress.account == {}


def test_what_a_run_said_is_forgotten_when_it_is_closed(home):
    run = Run(["models"])
    assert run.wait(60)
    folder = Path(run._folder.name)
    assert folder.is_dir()

    run.close()

    assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="sessions of processes are POSIX")
def test_a_run_hears_no_signal_of_the_pages_terminal(home):
    run = Run(["models"])
    try:
        # Until it is waited for, also one that has ended has its session.
        assert os.getsid(run._process.pid) == run._process.pid != os.getsid(0)
    finally:
        run.stop()
        assert run.wait(60)
        run.close()


def test_only_whole_lines_of_the_end_are_read(tmp_path):
    path = tmp_path / "facts"
    path.write_bytes(b"x" * 600_000 + b"\nlast\nunfinish")

    assert _tail(path) == ["last"]
