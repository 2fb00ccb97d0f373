"""The streams of a live run: found at the start, watched, and found again after a loss."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from rtasmr.clockwatch import ClockJump
from rtasmr.config import ROLE_OPTIONS
from rtasmr.discovery import DEFAULT_QUERIES, FoundStream, Query, printable, resolve_all
from rtasmr.errors import ConfigError, StreamError, StreamLostError
from rtasmr.loss_log import LossLog
from rtasmr.rate import RateState, RateVerdict
from rtasmr.sparse_lines import SparseLines
from rtasmr.stream_events import ClockSet, Event, Joined, Lost, PassedOver, Refused, Resumed, Silent
from rtasmr.stream_search import Search, Searcher, open_inlet
from rtasmr.streams import Inlet, check_fit
from rtasmr.timebase import TimeBase
from rtasmr.types import Chunk, Role

logger = logging.getLogger(__name__)

DATA_ROLES = (Role.PPG, Role.SOUND, Role.PICTURE)
_OPENING_ORDER = (Role.CLIP, Role.RATING, Role.PICTURE, Role.SOUND, Role.PPG)

FOLLOW_AFTER_S = 1.0
"""A search that begins with everything missing waits so long, to see whether a choice is ambiguous."""


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
    until_lost : bool
        The run ends when pulse, sound and picture are gone; see `LossLog`.
    """

    def __init__(
        self,
        queries: Mapping[Role, str],
        require: tuple[Role, ...],
        wait_s: float,
        *,
        roles: Sequence[Role] = tuple(Role),
        whose: str = "",
        until_lost: bool = False,
    ) -> None:
        self._losses = LossLog(until_lost=until_lost)
        self._jump_lines = SparseLines()
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
        self._arrivals: queue.SimpleQueue[Inlet | Refused | PassedOver] = queue.SimpleQueue()
        self._searcher: Searcher | None = None
        self._search: Search | None = None
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
                self._inlets[role] = open_inlet(stream, role, self.timebase, self._queries[role])
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
        self._searcher = Searcher()
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

    def _new_search(self, searcher: Searcher, missing: set[Role], after_s: float = 0.0) -> Search:
        search = Search(self._queries, self.timebase, self._arrivals, self._whose, after_s)
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
        self._losses.turn()
        # Markers first: a clip's start must be known before the ticks that belong to it.
        for role in sorted(self._inlets, key=lambda r: r in DATA_ROLES):
            inlet = self._inlets[role]
            try:
                chunk = inlet.pull()
            except StreamLostError:
                is_alarm = role in self._require and role not in self._on_trial
                gone = "LOST, which this run requires" if is_alarm else "gone"
                line = f"{self._whose}{role} stream {printable(inlet.spec.name)!r} is {gone}; looking for it"
                self._losses.tell(line, is_alarm=is_alarm)
                if role not in self._on_trial:
                    events.append(Lost(role))
                self._drop(role)
                continue
            events += [self._clock_set(role, jump) for jump in inlet.take_clock_jumps()]
            events += self._notice_silence(role, inlet)
            if role not in self._refused and self._refuses(role, inlet.rate):
                events.append(Refused(role, inlet.rate.message, was_used=role not in self._on_trial))
                self._refused.add(role)
                self._on_trial.discard(role)
                self._disproved[role] = inlet.spec.sfreq
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
        n_before = self._jump_lines.due(role)
        if n_before is not None:
            logger.warning(
                "%s%s stream %r: its clock leapt by %+.3f s against this machine's%s; its stamps are moved "
                "back. Stamp with the LSL clock to be exact.",
                self._whose,
                role,
                printable(self._inlets[role].spec.name),
                jump.shift_s,
                f", after {n_before} leaps that were not told" if n_before else "",
            )
        return ClockSet(role, jump)

    def _notice_silence(self, role: Role, inlet: Inlet) -> list[Event]:
        """Say once that a source sends nothing though it has not ended, and once that it does again."""
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
            logger.warning("%s%s stream: it sends now, after %.1f s of nothing", self._whose, role, before_s)
            return [Resumed(role, before_s)]
        return []

    def close(self) -> None:
        """Disconnect from everything."""
        self._losses.settle(is_end=not self.any_data)
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
            if isinstance(inlet, Refused | PassedOver):
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
