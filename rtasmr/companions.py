"""Streams that a run records beside its input, all of them and as they come, and makes no use of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.discovery import FoundStream, Resolver, printable
from rtasmr.errors import StreamError, StreamLostError
from rtasmr.tap import Tap
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

WAIT_S = 5.0
_POLL_S = 0.05


class Companions:
    """The open streams; use it as a context manager.

    Parameters
    ----------
    source_ids : sequence of str
        Their identities.
    stop : threading.Event
        Ends the search at once.

    Raises
    ------
    StreamError
        If one does not appear within 5 s or does not open.
    """

    def __init__(self, source_ids: Sequence[str], stop: threading.Event) -> None:
        self._taps = {found.spec.source_id: Tap(found) for found in _find(source_ids, stop)}

    def __enter__(self) -> Companions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tap in self._taps.values():
            tap.close()
        self._taps = {}

    def pull(self, timebase: TimeBase) -> list[tuple[StreamSpec, NDArray[np.float64], NDArray[Any]]]:
        """Return what has arrived of each stream: its description, session times in seconds, samples.

        One that is gone is named once and left out from then on.
        """
        taken = []
        for source_id, tap in list(self._taps.items()):
            try:
                arrived = tap.pull()
            except StreamLostError:
                logger.warning("stream %r is gone; its recording ends here", printable(tap.spec.name))
                del self._taps[source_id]
                continue
            if arrived is not None:
                times, data = arrived
                taken.append((tap.spec, timebase.to_session(times), data))
        return taken


def _find(source_ids: Sequence[str], stop: threading.Event) -> list[FoundStream]:
    if not source_ids:
        return []
    deadline = time.monotonic() + WAIT_S
    with Resolver() as resolver:
        while not stop.is_set():
            there = {found.spec.source_id: found for found in resolver.streams()}
            if all(source_id in there for source_id in source_ids):
                return [there[source_id] for source_id in source_ids]
            if time.monotonic() > deadline:
                missing = next(source_id for source_id in source_ids if source_id not in there)
                raise StreamError(
                    f"expected the stream {missing!r} within {WAIT_S:g} s, it did not appear; start it again"
                )
            stop.wait(_POLL_S)
    return []
