"""Decode ahead on a thread, a bounded number of packets, so that decoding makes nothing late."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from rtasmr.closing import Closing

_CHECK_S = 0.02

Item = TypeVar("Item")


class Prefetch(Closing, Iterator[Item], Generic[Item]):
    """Packets, or whatever an iterator gives, made on a thread of their own.

    Use it as a context manager.

    An error of the iterator is raised where its packet would have come.

    Parameters
    ----------
    packets : iterator
    n_ahead : int
        How many packets may wait; bounds the memory.
    """

    def __init__(self, packets: Iterator[Item], n_ahead: int) -> None:
        self._packets = packets
        self._queue: queue.Queue[Item] = queue.Queue(n_ahead)
        self._closed = threading.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._work = self._executor.submit(self._run)

    @property
    def is_ready(self) -> bool:
        """Whether the next packet, the end or an error comes without waiting."""
        return self._work.done() or not self._queue.empty()

    def __next__(self) -> Item:
        while True:
            done = self._work.done()
            try:
                return self._queue.get(block=not done, timeout=_CHECK_S)
            except queue.Empty:
                if done:
                    self._work.result()
                    raise StopIteration from None

    def prime(self, timeout_s: float) -> None:
        """Wait until all that may wait is ready, ``timeout_s`` seconds at most; raise an error met so far."""
        deadline = time.monotonic() + timeout_s
        while not (self._queue.full() or self._work.done()) and time.monotonic() < deadline:
            time.sleep(_CHECK_S)
        if self._work.done():
            self._work.result()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._executor.shutdown()

    def _run(self) -> None:
        for packet in self._packets:
            while not self._closed.is_set():
                try:
                    self._queue.put(packet, timeout=_CHECK_S)
                except queue.Full:
                    continue
                break
            else:
                return
