"""Bad input ends a command in one clear line and exit code 1, or is skipped with a warning that names it."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

import pytest
from commands import Command, Ended

from rtasmr import console


@pytest.fixture
def command(
    tiny_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Command:
    """Run a command line in this process."""
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))

    def run(name: str, *words: object) -> Ended:
        caplog.clear()
        app = importlib.import_module(f"{name}.cli").app
        code = console.run(app, [str(word) for word in words])
        out, err = capsys.readouterr()
        warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        return Ended(code, out, err, tuple(warnings))

    return run
