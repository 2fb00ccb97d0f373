"""The search for missing streams, on a thread of its own: describing and opening one can take seconds."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from rtasmr.discovery import FoundStream, Query, Resolver, describe, printable
from rtasmr.errors import RtasmrError, StreamError, StreamLostError
from rtasmr.stream_events import PassedOver, Refused
from rtasmr.streams import Inlet
from rtasmr.timebase import TimeBase
from rtasmr.types import Role, StreamSpec

logger = logging.getLogger(__name__)

SEARCH_EVERY_S = 0.25
HURRY_EVERY_S = 0.05
STRANGERS_EVERY_S = 1.0
"""How often it is looked whether something else has come in the place of what is lost."""

HURRY_S = 60.0
"""For a minute after a loss the search is quicker: a source that died is most often started again at once."""

STOP_S = 1.5

MAX_STRANGERS = 3
"""Most other streams that are named at once."""


class Searcher(threading.Thread):
    """Runs the searches of one or several acquisitions; one resolver serves them all."""

    def __init__(self) -> None:
        super().__init__(name="stream-search", daemon=True)
        self._stopped = threading.Event()
        self._searches: tuple[Search, ...] = ()

    def add(self, search: Search) -> None:
        """Run one more search from now on, until it has ended."""
        self._searches = (*(s for s in self._searches if not s.has_ended), search)

    def stop(self) -> None:
        """End all searches; waits at most for one stream being opened."""
        self._stopped.set()
        self.join(STOP_S)

    def run(self) -> None:
        """Search until stopped."""
        with Resolver() as resolver:
            while not self._stopped.wait(self._pause_s()):
                for search in self._searches:
                    search.step(resolver)

    def _pause_s(self) -> float:
        return HURRY_EVERY_S if any(search.is_hurried for search in self._searches) else SEARCH_EVERY_S


class Search:
    """Looks for the missing streams of one acquisition and opens them.

    Parameters
    ----------
    queries : mapping of Role to Query or None
        What to look for; None takes the contract's default.
    timebase : TimeBase
        Map from the LSL clock to the session clock.
    arrivals : queue of Inlet, Refused or PassedOver
        Where the streams that were opened are left, and those that came back as another kind or under
        another identity.
    whose : str
        What messages begin with.
    after_s : float
        Seconds before the search begins.
    """

    def __init__(
        self,
        queries: Mapping[Role, Query | None],
        timebase: TimeBase,
        arrivals: queue.SimpleQueue[Inlet | Refused | PassedOver],
        whose: str,
        after_s: float,
    ) -> None:
        self._asked = dict(queries)
        self._queries = dict(queries)
        self._timebase = timebase
        self._arrivals = arrivals
        self._whose = whose
        self._not_before = time.monotonic() + after_s
        self._lock = threading.Lock()
        self._dead: list[str] = []
        self._known: dict[Role, StreamSpec] = {}
        self._told: set[str] = set()
        self._hurry_until = -math.inf
        self._strangers_due: dict[Role, float] = {}
        self.has_ended = False
        self.missing: frozenset[Role] = frozenset()

    @property
    def is_hurried(self) -> bool:
        """Whether a stream was lost a moment ago."""
        return time.monotonic() < self._hurry_until

    def look_for(self, role: Role, lost: FoundStream) -> None:
        """Look for a lost stream: the same source if it has an identity."""
        self._known.setdefault(role, lost.spec)
        source_id = lost.spec.source_id
        if source_id:
            known = self._queries[role] or Query()
            self._queries[role] = replace(
                known, name="", hostname="", stype=lost.spec.stype, source_id=source_id
            )
        with self._lock:
            self._dead.append(lost.uid)
            self.missing |= {role}
            self._hurry_until = time.monotonic() + HURRY_S

    def end(self) -> None:
        """Look for nothing any more."""
        self.has_ended = True

    def step(self, resolver: Resolver) -> None:
        """Look once for what is missing."""
        with self._lock:
            dead, self._dead = self._dead, []
        for uid in dead:
            resolver.forget(uid)
        if time.monotonic() < self._not_before:
            return
        for role in sorted(self.missing):
            if not self.has_ended:
                self._try(resolver, role)

    def _try(self, resolver: Resolver, role: Role) -> None:
        query = self._queries[role]
        found = None
        try:
            found = resolver.find(role, query)
            if found is None:
                self._look_for_strangers(resolver, role)
                return
            found = describe(found)
            self._check_clock(role, found)
            if misfit := _misfit(self._known.get(role), found.spec):
                self._tell(
                    f"the {role} stream came back {misfit}: refused. Start it as before, or restart "
                    "the runtime to use it as it is.",
                    refuses=role,
                )
                resolver.forget(found.uid)  # what a stream is, it stays for this life
                return
            inlet = open_inlet(found, role, self._timebase, query)
        except StreamLostError:
            # It died while it was being opened; its answer would be around for 2 s more.
            if found is not None:
                resolver.forget(found.uid)
            return
        except RtasmrError as error:
            # Not fatal in mid-session: said once, tried again.
            self._tell(str(error))
            return
        with self._lock:
            self.missing -= {role}
            # A refusal told before holds no longer: it may be told again.
            self._told.clear()
        self._arrivals.put(inlet)

    def _look_for_strangers(self, resolver: Resolver, role: Role) -> None:
        """Name what fits as the lost stream did and is another: it may be another person's."""
        lost = self._known.get(role)
        if lost is None or time.monotonic() < self._strangers_due.get(role, -math.inf):
            return
        self._strangers_due[role] = time.monotonic() + STRANGERS_EVERY_S
        for other in resolver.fitting(role, self._asked[role])[:MAX_STRANGERS]:
            reason = (
                f"the {role} stream that is gone was source_id={printable(lost.source_id)!r}; {other} fits "
                "too, and is not taken. Start the source as it was, or restart the runtime to use the other."
            )
            if self._tell_once(reason):
                self._arrivals.put(PassedOver(role, reason))

    def _check_clock(self, role: Role, found: FoundStream) -> None:
        theirs = TimeBase.from_streams([found.spec])
        if theirs not in (self._timebase, TimeBase()) or (
            theirs == TimeBase() and self._timebase.speed != 1.0
        ):
            raise StreamError(
                f"{role} stream {found} runs on another clock than this session. "
                "Restart the runtime to use it."
            )

    def _tell(self, message: str, refuses: Role | None = None) -> None:
        """Say something once; a refusal is an event too."""
        if self._tell_once(message) and refuses is not None:
            self._arrivals.put(Refused(refuses, message))

    def _tell_once(self, message: str) -> bool:
        """Return whether a message is new; it is told then."""
        if message in self._told:
            return False
        self._told.add(message)
        logger.warning("%s%s", self._whose, message)
        return True


def open_inlet(found: FoundStream, role: Role, timebase: TimeBase, query: Query | None) -> Inlet:
    """Open a stream as the user asked for it."""
    query = query or Query()
    return Inlet(found, role, timebase, query.channel, polarity=query.polarity)


def _misfit(before: StreamSpec | None, now: StreamSpec) -> str:
    """Say how a stream that is back differs from what it was; empty if it fits."""
    if before is None:
        return ""
    kinds = [f"{s.n_channels} x {s.dtype} at {s.sfreq:g} Hz" for s in (now, before)]
    return "" if kinds[0] == kinds[1] else f"with {kinds[0]}, it was {kinds[1]} before"
