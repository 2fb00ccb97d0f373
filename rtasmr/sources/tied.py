"""A source that ends with the process that started it, however that ends."""

from __future__ import annotations

import os
import signal
import threading
import time

from rtasmr.console import EXIT_ERROR

GRACE_S = 2.0
"""Seconds to end in order before the process is given up."""

_STDIN = 0


def end_with_parent() -> None:
    """End in order when standard input closes: the system closes it even if the parent was killed."""
    threading.Thread(target=_watch, name="parent-watch", daemon=True).start()


def _watch() -> None:
    # Not sys.stdin: a lock of its buffer held here would abort the interpreter's end.
    while os.read(_STDIN, 64):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(EXIT_ERROR)  # a driver that hangs must not outlive the run
