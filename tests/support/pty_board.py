"""A board on a pseudo terminal: it can be plugged in, write samples at its own rate, and be pulled out."""

from __future__ import annotations

import contextlib
import os
import pty
import threading
import tty
from collections.abc import Callable
from pathlib import Path

import pylsl


class Board:
    """A port at a path that stays the same; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = 0.0
        self._master = self._slave = -1
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Board:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)  # a board waits for nobody
        self.path.symlink_to(os.ttyname(self._slave))

    def unplug(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._master >= 0:
            self.path.unlink()
            os.close(self._slave)
            os.close(self._master)
        self._master = -1

    def write(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: lost, as on a wire
            os.write(self._master, data)

    def play(self, encode: Callable[[int, int], bytes], n_samples: int, sfreq: float) -> None:
        """Write ``encode(first, stop)`` of the samples that are due, every 10 ms, on a thread.

        Sample ``i`` exists at ``began + i / sfreq`` on the LSL clock.
        """
        self._ended.clear()
        self.began = pylsl.local_clock()

        def run() -> None:
            sent = 0
            while sent < n_samples and not self._ended.wait(0.01):
                due = min(n_samples, int((pylsl.local_clock() - self.began) * sfreq) + 1)
                if due > sent:
                    self.write(encode(sent, due))
                    sent = due

        self._thread = threading.Thread(target=run)
        self._thread.start()
