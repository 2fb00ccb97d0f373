"""A run whose standard output can no longer be written: said in one line, and the run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import threading
from contextlib import ExitStack
import typer
from rtasmr import console
from rtasmr.account import ended
from rtasmr.live_status import report_every_second

app = typer.Typer()

@app.command()
def work(error: str = "") -> None:
    shown, show = threading.Semaphore(0), console.status_lines(as_json=True)
    def status(told):
        show(told)
        shown.release()
    with ExitStack() as stack:
        report_every_second(lambda: {"tick": 1}, status, stack)
        for _ in range(2):
            assert shown.acquire(timeout=30)  # the thread lives on
    console.say("recorded")
    account = {"ticks": 2, "error": error}
    with ended(account), console.final_account():
        typer.echo(account)

console.main(app)
"""
NO_STATUS = "no more status lines: standard output cannot be written"
NO_ACCOUNT = "error: no final account: standard output cannot be written"


def outcome(stdout: int, *words: str) -> tuple[int, list[str]]:
    command = [sys.executable, "-P", "-c", COMMAND, *words]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    return done.returncode, done.stderr.splitlines()


def test_a_reader_that_left_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code, lines = outcome(writer)
    finally:
        os.close(writer)
    assert (code, lines) == (0, [f"{NO_STATUS} (Broken pipe); the run goes on", "recorded"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_costs_the_output_and_nothing_else() -> None:
    full = "(No space left on device)"
    with Path("/dev/full").open("wb") as device:
        code, lines = outcome(device.fileno())
        assert (code, lines[:2]) == (1, [f"{NO_STATUS} {full}; the run goes on", "recorded"])
        assert len(lines) == 3
        assert lines[2].startswith(f"{NO_ACCOUNT} {full}.")

        code, lines = outcome(device.fileno(), "--error", "the disk is full; make room.")
        assert (code, lines[2:]) == (1, ["error: the disk is full; make room."])


def test_a_command_with_nobody_to_speak_to_ends_with_its_code() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-P", "-c", COMMAND, "--error", "none is heard"]
    try:
        done = subprocess.run(command, stdout=writer, stderr=writer, timeout=120, check=False)
    finally:
        os.close(writer)
    assert done.returncode == 1


def test_a_command_whose_reader_left_says_so() -> None:
    command = "import typer\nfrom rtasmr import console\napp = typer.Typer()\n"
    command += "@app.command()\ndef work() -> None:\n    typer.echo('told')\nconsole.main(app)\n"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", command],
            stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    line = "error: standard output cannot be written (Broken pipe); the command ended there"
    assert (done.returncode, done.stderr.splitlines()) == (1, [line])
