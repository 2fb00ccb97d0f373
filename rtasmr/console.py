"""How every command of the project starts, speaks and ends: exit codes and one-line errors."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

import typer

from rtasmr.errors import RtasmrError

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130

TRAINING_PACKAGES = ("torch", "torchvision", "onnx", "sklearn", "xgboost", "jinja2")
"""What the runtime does without; `pip install 'rtasmr[offline]'` brings them."""

PRIVATE = 0o077
"""Rights that the files and folders of a command do not give to others: they may tell of a person."""


class OutputError(RtasmrError):
    """What a command was asked for cannot be printed."""


class InterruptedWork(SystemExit):
    """Ctrl-C met work that can go on later; ``todo`` says how."""

    def __init__(self, todo: str) -> None:
        super().__init__(EXIT_INTERRUPTED)
        self.todo = todo


@contextmanager
def told_when_interrupted(todo: str) -> Iterator[None]:
    """End the command at Ctrl-C inside the block with one line: ``interrupted: `` and ``todo``."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise InterruptedWork(todo) from stop


class PlainFormatter(logging.Formatter):
    """Log lines without control characters: what a stream or file says must not steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text that only prints."""
        return plain(super().format(record))


def plain(text: str) -> str:
    """Return ``text`` with a mark in place of every control character but line feed and tab."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: str) -> None:
    """Print a line for people on stderr: stdout is for what a program may read.

    Where nobody can read it, as after the terminal was closed, the run does not break off for that.
    """
    try:
        typer.echo(text, err=True)
    except OSError:
        _discard(sys.stderr)


def status_lines(*, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """Return what takes the status of a run now and then: it prints lines of JSON, or nothing.

    Once they can no longer be written, that is said in one line, and the run goes on without them.
    """
    is_written = as_json

    def show(status: dict[str, Any]) -> None:
        nonlocal is_written
        if not is_written:
            return
        try:
            typer.echo(json.dumps(status))
        except OSError as error:
            is_written = False
            if isinstance(error, BrokenPipeError):  # nobody will read what comes later
                _discard(sys.stdout)
            say(f"no more status lines: {_unwritable(error)}; the run goes on")

    return show


@contextmanager
def final_account() -> Iterator[None]:
    """Print what a run adds up to inside the block; its reader may have gone before, which is no error.

    Raises
    ------
    OutputError
        If standard output cannot be written for another reason, such as a full disk.
    """
    try:
        yield
    except BrokenPipeError as error:
        _discard(sys.stdout)
        say(f"no final account: {_unwritable(error)}")
    except OSError as error:
        _discard(sys.stdout)
        raise OutputError(
            f"no final account: {_unwritable(error)}. Recordings are whole; "
            "send the output where there is room."
        ) from error


def _unwritable(error: OSError) -> str:
    return f"standard output cannot be written ({error.strerror or type(error).__name__})"


def _discard(stream: TextIO) -> None:
    """Let what was not written go nowhere: the interpreter would try it again as it ends, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


def main(app: typer.Typer) -> NoReturn:
    """Run a typer application and end the process with its exit code."""
    code = run(app)
    # The interpreter's last collections would walk all that was imported, for 0.4 s, to free nothing.
    gc.freeze()
    sys.exit(code)


def run(app: typer.Typer, argv: list[str] | None = None) -> int:
    """Run a typer application and return its exit code.

    0 on success, 1 for an error of ours, of the system's files or for want of a package (one line on
    stderr; ``--debug`` adds the traceback), 2 for wrong usage, 130 when interrupted. What the command
    writes, only its user can read.
    """
    previous = os.umask(PRIVATE)
    try:
        return _run(app, argv)
    finally:
        os.umask(previous)


def _run(app: typer.Typer, argv: list[str] | None) -> int:
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"]
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, handlers=[handler])
    if not debug:
        for noisy in ("matplotlib", "PIL", "numba", "libav"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        # typer brings a click of its own, whose exceptions have no public name: it prints wrong usage
        # itself and leaves with the code.
        app(args=args)
    except RtasmrError as error:
        if debug:
            traceback.print_exc()
        one_line = plain(" ".join(str(error).split()))
        say(f"error: {one_line}")
        return EXIT_ERROR
    except OSError as error:
        # A full disk, a right that is missing, a path through a file: any command may meet them.
        if debug:
            traceback.print_exc()
        where = plain(f"{error.filename}: ") if error.filename else ""
        reason = error.strerror or type(error).__name__
        sys.stderr.write(f"error: {where}{reason}; check the path, its permissions and the free space\n")
        return EXIT_ERROR
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if debug or package not in TRAINING_PACKAGES:
            raise
        sys.stderr.write(
            f"error: this command needs {package}, which is not installed; "
            "install it with: pip install 'rtasmr[offline]'\n"
        )
        return EXIT_ERROR
    except InterruptedWork as stop:
        sys.stderr.write(f"interrupted: {plain(stop.todo)}\n")
        return EXIT_INTERRUPTED
    except SystemExit as leave:
        if leave.code == EXIT_INTERRUPTED:
            sys.stderr.write("interrupted\n")
        elif isinstance(leave.__context__, BrokenPipeError):  # click leaves without a word
            _discard(sys.stdout)
            say(f"error: {_unwritable(leave.__context__)}; the command ended there")
        return leave.code if isinstance(leave.code, int) else EXIT_ERROR
    return 0
