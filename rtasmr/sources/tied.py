"""A source that ends with the process that started it, however that ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from rtasmr.console import EXIT_ERROR

GRACE_S = 2.0
"""Seconds to end in order before the process is given up."""

_STDIN = 0


def end_with_parent(on_line: Callable[[str], object] | None = None) -> None:
    """End in order when standard input closes: the system closes it even if the parent was killed.

    ``on_line`` takes every line that the parent writes before, on a thread of its own.
    """
    threading.Thread(target=_watch, args=(on_line,), name="parent-watch", daemon=True).start()


def _watch(on_line: Callable[[str], object] | None) -> None:
    rest = b""
    # Not sys.stdin: a lock of its buffer held here would abort the interpreter's end.
    while part := os.read(_STDIN, 64):
        *lines, rest = (rest + part).split(b"\n")
        if on_line is not None:
            for line in lines:
                on_line(line.decode("utf-8", errors="replace"))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(EXIT_ERROR)  # a driver that hangs must not outlive the run
