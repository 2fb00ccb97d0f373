"""The streams of a live run: found at the start, watched, and found again after a loss."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from rtasmr.clockwatch import ClockJump
from rtasmr.config import ROLE_OPTIONS
from rtasmr.discovery import (
    DEFAULT_QUERIES,
    FoundStream,
    Query,
    Resolver,
    describe,
    printable,
    resolve_all,
)
from rtasmr.errors import ConfigError, RtasmrError, StreamError, StreamLostError
from rtasmr.rate import RateState, RateVerdict
from rtasmr.stream_events import ClockSet, Event, Joined, Lost, Refused, Resumed, Silent
from rtasmr.streams import Inlet, check_fit
from rtasmr.timebase import TimeBase
from rtasmr.types import Chunk, Role, StreamSpec

logger = logging.getLogger(__name__)

DATA_ROLES = (Role.PPG, Role.SOUND, Role.PICTURE)
_OPENING_ORDER = (Role.CLIP, Role.RATING, Role.PICTURE, Role.SOUND, Role.PPG)
SEARCH_EVERY_S = 0.25
HURRY_EVERY_S = 0.05
HURRY_S = 60.0
"""For a minute after a loss the search is quicker: a source that died is most often started again at once."""

FOLLOW_AFTER_S = 1.0
"""A search that begins with everything missing waits so long, to see whether a choice is ambiguous."""

STOP_S = 1.5


class Streams(Protocol):
    """What an engine takes its input from."""

    @property
    def timebase(self) -> TimeBase:
        """Map between the LSL clock and the session clock."""
        ...

    @property
    def inlets(self) -> Mapping[Role, Inlet]:
        """The inlets that are open."""
        ...

    @property
    def any_data(self) -> bool:
        """Whether any of pulse, sound and picture is connected."""
        ...

    @property
    def n_bad_stamps(self) -> Mapping[Role, int]:
        """Samples left out since their stamp is NaN or infinite, of each stream that sent some."""
        ...

    def pull(self) -> tuple[list[Chunk], list[Event]]:
        """Take what has arrived and what has changed, without waiting."""
        ...


class Acquisition:
    """Inlets of all roles.

    A stream that is lost is looked for by its ``source_id`` on a thread of its own, so that nothing
    here ever waits: describing and opening a stream can take seconds.

    Parameters
    ----------
    queries : mapping of Role to str
        What the user said; roles left out take the contract's default.
    require : tuple of Role
        Streams without which `open` fails.
    wait_s : float
        Seconds to wait for streams in `open`.
    roles : sequence of Role
        What to look for; the streams of a viewer among many are those that are the viewer's own.
    whose : str
        What messages call the person whose streams these are; empty where there is only one.
    """

    def __init__(
        self,
        queries: Mapping[Role, str],
        require: tuple[Role, ...],
        wait_s: float,
        *,
        roles: Sequence[Role] = tuple(Role),
        whose: str = "",
    ) -> None:
        self._queries = {role: Query.parse(queries[role]) if role in queries else None for role in roles}
        for role, query in self._queries.items():
            if query is not None and query.polarity and role is not Role.PPG:
                raise ConfigError(
                    f"expected polarity= for the pulse only, got it for the {role} stream. Leave it out."
                )
        self._require = require
        self._wait_s = wait_s
        self._whose = f"{whose}: " if whose else ""
        self._inlets: dict[Role, Inlet] = {}
        self._refused: set[Role] = set()
        self._silent: dict[Role, float] = {}
        """Seconds for which a stream has sent nothing, of each whose silence was told."""
        self._disproved: dict[Role, float] = {}
        """Header's rate of what was refused for it: under the same header it has to prove itself."""
        self._on_trial: set[Role] = set()
        self._told_rate: dict[Role, RateVerdict] = {}
        self._n_bad_stamps: Counter[Role] = Counter()  # of streams that are gone
        self._arrivals: queue.SimpleQueue[Inlet | Refused] = queue.SimpleQueue()
        self._searcher: _Searcher | None = None
        self._search: _Search | None = None
        self._kept: tuple[list[Chunk], list[Event]] = [], []
        self.timebase = TimeBase()

    def open(self, stop: threading.Event | None = None) -> list[Joined]:
        """Find and open the streams that are there; ``stop`` ends the search at once, with none.

        Raises
        ------
        StreamError
            If a required stream or all of pulse, sound and picture are missing, a choice is
            ambiguous, or streams do not fit together.
        """
        asked_for = {role for role, query in self._queries.items() if query is not None}
        found = resolve_all(
            self._queries, self._wait_s, stop, needed=asked_for | set(self._require), check=self._check
        )
        if stop is not None and stop.is_set():
            return []
        missing = [role for role in self._require if role not in found]
        if missing:
            named = " and ".join(ROLE_OPTIONS[role] for role in missing)
            plural = "s" if len(missing) > 1 else ""
            raise StreamError(
                f"the required {named} stream{plural} did not appear in {self._wait_s:g} s. "
                "Start the source, name its stream with a query, or raise --wait."
            )
        if not any(role in found for role in DATA_ROLES):
            raise StreamError(
                f"no PPG, Audio or VideoRaw stream appeared in {self._wait_s:g} s. Start one "
                "('rtasmr source ppg ...', 'replay ...'), or raise --wait."
            )
        self.timebase = TimeBase.from_streams(stream.spec for stream in found.values())
        # Markers first and the pulse last: a source that waits for somebody to take its pulse then
        # begins when everything else is taken already.
        for role, stream in sorted(found.items(), key=lambda item: _OPENING_ORDER.index(item[0])):
            try:
                self._inlets[role] = _inlet(stream, role, self.timebase, self._queries[role])
            except StreamLostError as error:  # as if it had died a moment later
                logger.warning("%s Looking for it.", error)
        for role in DATA_ROLES:
            if role in self._queries and role not in found:
                logger.warning(
                    "no %s stream (%s) within %g s: absent, may join later",
                    role,
                    self._queries[role] or DEFAULT_QUERIES[role],
                    self._wait_s,
                )
        self._searcher = _Searcher()
        self._search = self._new_search(self._searcher, set(self._queries) - set(found))
        for role in found.keys() - self._inlets.keys():
            self._search.look_for(role, found[role])
        self._searcher.start()
        return [Joined(role, inlet.spec) for role, inlet in self._inlets.items()]

    def _check(self, role: Role, found: FoundStream) -> None:
        query = self._queries[role]
        check_fit(found, role, "" if query is None else query.channel)

    def follow(self, leader: Acquisition) -> None:
        """Use the clock and the searching thread of another one, instead of `open`.

        Every stream is missing at first and joins when it is found, as one that was lost does.

        Parameters
        ----------
        leader : Acquisition
            Open, and closed last.
        """
        if leader._searcher is None:
            raise StreamError("the streams to follow are not open; open them first.")
        self.timebase = leader.timebase
        self._search = self._new_search(leader._searcher, set(self._queries), FOLLOW_AFTER_S)

    def _new_search(self, searcher: _Searcher, missing: set[Role], after_s: float = 0.0) -> _Search:
        search = _Search(self._queries, self.timebase, self._arrivals, self._whose, after_s)
        search.missing = frozenset(missing)
        searcher.add(search)
        return search

    @property
    def inlets(self) -> Mapping[Role, Inlet]:
        """The inlets that are open."""
        return self._inlets

    @property
    def any_data(self) -> bool:
        """Whether any of pulse, sound and picture is connected."""
        return any(role in self._inlets for role in DATA_ROLES)

    @property
    def n_bad_stamps(self) -> Mapping[Role, int]:
        """Samples left out since their stamp is NaN or infinite, of each stream that sent some."""
        open_now = list(self._inlets.items())  # another thread may ask
        return self._n_bad_stamps + Counter({role: inlet.n_bad_stamps for role, inlet in open_now})

    def pull(self) -> tuple[list[Chunk], list[Event]]:
        """Take what has arrived and what has changed, without waiting."""
        (chunks, events), self._kept = self._kept, ([], [])
        events += self._take_arrivals()
        # Markers first: a clip's start must be known before the ticks that belong to it.
        for role in sorted(self._inlets, key=lambda r: r in DATA_ROLES):
            inlet = self._inlets[role]
            try:
                chunk = inlet.pull()
            except StreamLostError:
                logger.warning(
                    "%s%s stream %r is gone; looking for it", self._whose, role, printable(inlet.spec.name)
                )
                if role not in self._on_trial:
                    events.append(Lost(role))
                self._drop(role)
                continue
            events += [self._clock_set(role, jump) for jump in inlet.take_clock_jumps()]
            events += self._notice_silence(role, inlet)
            if role not in self._refused and self._refuses(role, inlet.rate):
                self._refused.add(role)
                self._on_trial.discard(role)
                self._disproved[role] = inlet.spec.sfreq
                events.append(Refused(role, inlet.rate.message))
            if role in self._on_trial and inlet.rate.verdict is not RateVerdict.UNKNOWN:
                self._on_trial.discard(role)
                del self._disproved[role]
                logger.warning("%s%s stream: its rate is right now; it is used", self._whose, role)
                events.append(Joined(role, inlet.spec))
            if chunk is not None and role not in self._refused | self._on_trial:
                chunks.append(chunk)
        return chunks, events

    def let_pass(self) -> None:
        """Let the data pass while nobody is served yet; markers and changes are kept for the next `pull`."""
        chunks, events = self.pull()
        self._kept = [chunk for chunk in chunks if chunk.role.modality is None], events

    def _clock_set(self, role: Role, jump: ClockJump) -> ClockSet:
        logger.warning(
            "%s%s stream %r: its clock leapt by %+.3f s against this machine's; its stamps are moved back. "
            "Stamp with the LSL clock to be exact.",
            self._whose,
            role,
            printable(self._inlets[role].spec.name),
            jump.shift_s,
        )
        return ClockSet(role, jump)

    def _notice_silence(self, role: Role, inlet: Inlet) -> list[Event]:
        """Say once that a source has stopped sending without an end, and once that it goes on."""
        before_s = self._silent.get(role)
        if inlet.is_silent:
            self._silent[role] = inlet.silent_s
            if before_s is None:
                logger.warning(
                    "%s%s stream %r has sent nothing for %.1f s, though it is open; check its source",
                    self._whose,
                    role,
                    printable(inlet.spec.name),
                    inlet.silent_s,
                )
                return [Silent(role, inlet.silent_s)]
        elif before_s is not None:
            del self._silent[role]
            logger.warning("%s%s stream: it sends again, after %.1f s", self._whose, role, before_s)
            return [Resumed(role, before_s)]
        return []

    def close(self) -> None:
        """Disconnect from everything."""
        if self._search is not None:
            self._search.end()
        if self._searcher is not None:
            self._searcher.stop()
        for inlet in self._inlets.values():
            inlet.close()
        self._inlets.clear()

    def _refuses(self, role: Role, rate: RateState) -> bool:
        if rate.message and rate.verdict is not self._told_rate.get(role):
            self._told_rate[role] = rate.verdict
            logger.warning("%s%s stream: %s", self._whose, role, rate.message)
        return rate.verdict is RateVerdict.REFUSE

    def _take_arrivals(self) -> list[Event]:
        events: list[Event] = []
        while not self._arrivals.empty():
            inlet = self._arrivals.get()
            if isinstance(inlet, Refused):
                events.append(inlet)
                continue
            self._inlets[inlet.role] = inlet
            if self._disproved.get(inlet.role) == inlet.spec.sfreq:
                # It takes seconds to tell a wrong rate: without a trial each restart had them predicted on.
                self._on_trial.add(inlet.role)
                logger.warning(
                    "%s%s stream is back with the header whose rate was wrong: not used until it is right",
                    self._whose,
                    inlet.role,
                )
                continue
            self._disproved.pop(inlet.role, None)
            logger.info("%s%s stream %s joined", self._whose, inlet.role, inlet.found)
            events.append(Joined(inlet.role, inlet.spec))
        return events

    def _drop(self, role: Role) -> None:
        inlet = self._inlets.pop(role)
        self._n_bad_stamps[role] += inlet.n_bad_stamps
        inlet.close()
        self._refused.discard(role)
        self._silent.pop(role, None)
        self._on_trial.discard(role)
        self._told_rate.pop(role, None)
        if self._search is not None:
            self._search.look_for(role, inlet.found)


class _Searcher(threading.Thread):
    """Runs the searches of one or several acquisitions; one resolver serves them all."""

    def __init__(self) -> None:
        super().__init__(name="stream-search", daemon=True)
        self._stopped = threading.Event()
        self._searches: tuple[_Search, ...] = ()

    def add(self, search: _Search) -> None:
        """Run one more search from now on, until it has ended."""
        self._searches = (*(s for s in self._searches if not s.has_ended), search)

    def stop(self) -> None:
        """End all searches; waits at most for one stream being opened."""
        self._stopped.set()
        self.join(STOP_S)

    def run(self) -> None:
        with Resolver() as resolver:
            while not self._stopped.wait(self._pause_s()):
                for search in self._searches:
                    search.step(resolver)

    def _pause_s(self) -> float:
        return HURRY_EVERY_S if any(search.is_hurried for search in self._searches) else SEARCH_EVERY_S


class _Search:
    """Looks for the missing streams of one acquisition and opens them."""

    def __init__(
        self,
        queries: Mapping[Role, Query | None],
        timebase: TimeBase,
        arrivals: queue.SimpleQueue[Inlet | Refused],
        whose: str,
        after_s: float,
    ) -> None:
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
            inlet = _inlet(found, role, self._timebase, query)
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
        if message in self._told:
            return
        self._told.add(message)
        logger.warning("%s%s", self._whose, message)
        if refuses is not None:
            self._arrivals.put(Refused(refuses, message))


def _inlet(found: FoundStream, role: Role, timebase: TimeBase, query: Query | None) -> Inlet:
    """Open a stream as the user asked for it."""
    query = query or Query()
    return Inlet(found, role, timebase, query.channel, polarity=query.polarity)


def _misfit(before: StreamSpec | None, now: StreamSpec) -> str:
    """Say how a stream that is back differs from what it was; empty if it fits."""
    if before is None:
        return ""
    kinds = [f"{s.n_channels} x {s.dtype} at {s.sfreq:g} Hz" for s in (now, before)]
    return "" if kinds[0] == kinds[1] else f"with {kinds[0]}, it was {kinds[1]} before"
