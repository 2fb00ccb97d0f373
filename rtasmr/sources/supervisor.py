"""A source in a process of its own, started again when it dies and never left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from types import TracebackType

from rtasmr.console import EXIT_ERROR
from rtasmr.sources.launch_av import PARSERS
from rtasmr.types import Role

BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Waits before a source is started again; the last one repeats."""

STEADY_S = 3.0
"""A source that ran for this long has recovered: the waits begin at the first again."""

MAX_REFUSALS = 3
"""Ends with an error in a row after which a source is not started again."""

EXIT_USAGE = 2

END_S = 1.5
KILL_S = 1.0
"""Seconds for a source to end in order when its input is closed, and then when it is told to."""

KEPT_LINES = 50


class SourceState(StrEnum):
    """What a supervised source is doing."""

    RUNNING = "running"
    NO_STREAM = "running without a stream: its device is away"
    WAITING = "waiting to be started again"
    ENDED = "ended"
    FAILED = "failed"


class SupervisedSource:
    """One source process; use it as a context manager.

    The child holds the read end of a pipe of which this process holds the other: the system closes it
    when this process ends, even by SIGKILL, and the child then ends (``--tied``).

    Parameters
    ----------
    words : sequence of str
        What follows ``rtasmr source``.
    say : callable
        Takes lines for people: what the source prints, and what becomes of it. Called from a thread.

    Attributes
    ----------
    state : SourceState
    n_restarts : int
    """

    def __init__(self, words: Sequence[str], say: Callable[[str], None]) -> None:
        self._command = [sys.executable, "-P", "-m", "rtasmr", "source", "--tied", *words]
        self._what = " ".join(words[:3])
        self._say = say
        self._told: deque[str] = deque(maxlen=KEPT_LINES)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, name="source-watch", daemon=True)
        self.state = SourceState.WAITING
        self.n_restarts = 0

    def __enter__(self) -> SupervisedSource:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the source; None while it does not run."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def ask_to_end(self) -> None:
        """Have the source end in order, without waiting for it."""
        self._closing.set()
        with self._lock:
            process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()

    def close(self) -> None:
        """End the source: in order, and by force if that takes too long."""
        self.ask_to_end()
        with self._lock:
            process = self._process
        if process is not None:
            _end(process)
        self._thread.join()

    def _watch(self) -> None:
        """Start the source, wait for its end, and decide what follows."""
        n_quick = n_refusals = 0
        while (process := self._start()) is not None:
            began = time.monotonic()
            code = self._await_end(process)
            if self._closing.is_set() or code == 0:
                break
            n_refusals = n_refusals + 1 if code == EXIT_ERROR else 0
            if code == EXIT_USAGE or n_refusals == MAX_REFUSALS:
                self.state = SourceState.FAILED
                self._say(f"source {self._what} failed; it is not started again")
                return
            n_quick = 0 if time.monotonic() - began > STEADY_S else n_quick + 1
            self.state = SourceState.WAITING
            self._tell(f"source {self._what} ended with code {code}; starting it again")
            if self._closing.wait(BACKOFF_S[min(n_quick, len(BACKOFF_S) - 1)]):
                break
            self.n_restarts += 1
        self.state = SourceState.ENDED

    def _start(self) -> subprocess.Popen[str] | None:
        """Start the process; None if this is being closed."""
        with self._lock:
            if self._closing.is_set():
                return None
            # A session of its own: Ctrl-C is for this process, which ends the source when it has ended.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=os.name == "posix",
            )
            self.state = SourceState.RUNNING
            return self._process

    def _await_end(self, process: subprocess.Popen[str]) -> int:
        """Pass on what the source prints until it ends; return its exit code."""
        with process:
            for line in process.stdout or ():
                self._tell(line.rstrip())
        with self._lock:
            self._process = None
        return process.returncode

    def _tell(self, line: str) -> None:
        # A source that is started again and again says the same each time.
        if line and line not in self._told:
            self._told.append(line)
            self._say(line)


class Sources:
    """The sources that a run starts by itself; use it as a context manager.

    Parameters
    ----------
    queries : mapping of Role to str
        What the user said: stream queries, or sources to start (`launch_av.PARSERS`).
    say : callable
        Takes lines for people.
    network : bool
        Open the streams to the local network.

    Attributes
    ----------
    queries : mapping of Role to str
        Stream queries only.
    by_role : mapping of Role to SupervisedSource

    Raises
    ------
    ConfigError
        If a source is named in a way that cannot be meant.
    """

    def __init__(self, queries: Mapping[Role, str], say: Callable[[str], None], *, network: bool) -> None:
        self.queries = dict(queries)
        self.by_role: dict[Role, SupervisedSource] = {}
        for role, parse in PARSERS.items():
            launch = parse(queries.get(role, ""))
            if launch is not None:
                self.queries[role] = launch.query
                words = (*launch.words, *(["--network"] if network else []))
                self.by_role[role] = SupervisedSource(words, say)
        self._stack = ExitStack()

    def __enter__(self) -> Sources:
        for source in self.by_role.values():
            self._stack.enter_context(source)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ask_to_end()
        self._stack.close()

    def ask_to_end(self) -> None:
        """Have all sources end in order, at once and not one after the other, without waiting for them."""
        for source in self.by_role.values():
            source.ask_to_end()

    def account(self, connected: Collection[Role]) -> dict[str, dict[str, str | int]]:
        """Return state and number of restarts per role, for the account of a run.

        Parameters
        ----------
        connected : collection of Role
            Whose stream is there: a source withdraws it while its device is away.
        """
        told: dict[str, dict[str, str | int]] = {}
        for role, source in self.by_role.items():
            is_idle = source.state is SourceState.RUNNING and role not in connected
            state = SourceState.NO_STREAM if is_idle else source.state
            told[role.value] = {"state": state.value, "restarts": source.n_restarts}
        return told


def _end(process: subprocess.Popen[str]) -> None:
    """Wait for a source that was asked to end; then tell it; then kill it."""
    for wait_s, then in ((END_S, process.terminate), (KILL_S, process.kill)):
        try:
            process.wait(wait_s)
            return
        except subprocess.TimeoutExpired:
            then()
