"""How the process of a command ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import typer

from rtasmr import console

COMMAND = """
import atexit, gc
import typer
from rtasmr import console
from rtasmr.errors import ConfigError

app = typer.Typer()

@app.command()
def work(fails: bool = False) -> None:
    if fails:
        raise ConfigError("expected work, got none")

atexit.register(lambda: print("walked at the end:", gc.get_count()[0] + len(gc.get_objects()) > 20_000))
console.main(app)
"""


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--fails"], 1), (["--nonsense"], 2)])
def test_a_process_ends_with_its_code_and_collects_nothing_on_the_way(words: list[str], code: int) -> None:
    """What was imported, some 100 000 objects, would be walked a last time when nobody needs it."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", COMMAND, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stdout == "walked at the end: False\n"
    assert ("error: expected work, got none" in done.stderr) == (code == 1)


def test_interrupted_work_that_can_go_on_says_how_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def work() -> None:
        with console.told_when_interrupted("run it again: \x1b[2Jfinished work is kept"):
            signal.raise_signal(signal.SIGINT)

    assert console.run(app, []) == console.EXIT_INTERRUPTED == 130
    told = "interrupted: run it again: \N{REPLACEMENT CHARACTER}[2Jfinished work is kept\n"
    assert capsys.readouterr().err == told
