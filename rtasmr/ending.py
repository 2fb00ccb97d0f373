"""How a run is told to end: at once, or by letting what it accompanies come to its own end first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

ORDERLY_END_S = 2.0
"""Longest wait for what was asked to end; the player takes 1 s for the last ticks of its clip."""


def end_signals() -> tuple[int, ...]:
    """Return what asks a program to end: Ctrl-C, SIGTERM and, where it is heard, the loss of its terminal.

    `nohup` has a program ignore the latter, and it stays ignored; Windows has none.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    if not hasattr(signal, "SIGHUP") or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return numbers
    return (*numbers, signal.SIGHUP)


def ignore_hangups() -> None:
    """Hear no more of a lost terminal: system and shell both tell, and the second is no impatient user."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


class RunEnd:
    """One for each run.

    Attributes
    ----------
    stop : threading.Event
        Set when the run is to end now.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._asked = threading.Event()
        self._ask: Callable[[], object] | None = None

    def request(self) -> None:
        """End the run, in order where that is possible; a second request ends it at once.

        Never waits: for signal handlers and any thread.
        """
        if self._ask is None or self._asked.is_set():
            self.stop.set()
        self._asked.set()

    def follow(self, wait: Callable[[], object], ask: Callable[[], object]) -> None:
        """From now on end with something else.

        Parameters
        ----------
        wait : callable
            Returns when that has ended; called on a thread of its own.
        ask : callable
            Asks it to end: what a request does from now on. The run ends 2 s later at the latest.
        """

        def watch() -> None:
            wait()
            self.stop.set()

        def pass_on() -> None:
            self._asked.wait()
            if not self.stop.is_set():
                ask()
                self.stop.wait(ORDERLY_END_S)
                self.stop.set()

        self._ask = ask
        for target in (watch, pass_on):
            threading.Thread(target=target, name=f"end-{target.__name__}", daemon=True).start()
