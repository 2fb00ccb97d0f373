"""The engines of several viewers side by side, one thread for all, the model asked once for all of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pylsl

from rtasmr.acquisition import Acquisition
from rtasmr.engine import Engine
from rtasmr.errors import RtasmrError, StreamError
from rtasmr.latency import Durations
from rtasmr.types import Chunk, Role
from rtasmr.viewers.batch import BatchedModel, answer_together
from rtasmr.viewers.config import Viewer
from rtasmr.viewers.streams import StimulusStreams

logger = logging.getLogger(__name__)

POLL_S = 0.008
"""Between two turns, which cost more than those of one viewer; a tick waits half as long for its turn."""

ATTEND_S = 0.005
"""What a turn spends on pulse readings and windows, which no tick waits for: viewers take turns."""

UNWATCHED_S = 1.0
"""How often the state for a window is renewed while no window is open: it costs more than a tick's share."""


class Member:
    """One viewer of a group: what belongs to the viewer, and whether it still runs.

    Parameters
    ----------
    viewer : Viewer
    own : Acquisition
        Pulse and ratings.
    engine : Engine
    is_watched : callable
        Whether a window shows this viewer at the moment.

    Attributes
    ----------
    error : str
        Why the viewer's run broke off; empty where it did not.
    """

    def __init__(
        self, viewer: Viewer, own: Acquisition, engine: Engine, is_watched: Callable[[], bool]
    ) -> None:
        self.viewer = viewer
        self.own = own
        self.engine = engine
        self._is_watched = is_watched
        self._next_show = 0.0
        self.error = ""
        self._ended = False
        self._unread: list[Chunk] = []

    @property
    def runs(self) -> bool:
        """Whether there are ticks to come."""
        return not self._ended

    @property
    def pulse_uid(self) -> str:
        """Which stream the pulse comes from at the moment; empty while it comes from none."""
        inlet = self.own.inlets.get(Role.PPG)
        return "" if inlet is None else inlet.found.uid

    def gather(self) -> list[Chunk]:
        """Take what has arrived; the pulse is read later, by `attend`."""
        chunks = self.engine.gather()
        self._unread += [chunk for chunk in chunks if chunk.role is Role.PPG]
        return chunks

    def attend(self) -> None:
        """Do what no tick has to wait for: read the pulse, renew the state for a window."""
        unread, self._unread = self._unread, []
        self.engine.read_pulse(unread)
        clock = time.monotonic()
        if self._is_watched() or clock >= self._next_show:
            self._next_show = clock + UNWATCHED_S
            self.engine.show_when_due()

    def end(self) -> None:
        """Deliver the last ticks."""
        if self.runs:
            self._ended = True
            self.attend()
            self.engine.end()

    @contextmanager
    def failing_alone(self) -> Iterator[None]:
        """Let an error of ours end this viewer only."""
        try:
            yield
        except RtasmrError as error:
            self.fail(error)

    def fail(self, error: RtasmrError) -> None:
        """Break off this viewer's run; the others go on."""
        self._ended = True
        self.error = str(error)
        logger.error("viewer %s broke off: %s", self.viewer.code, error)
        self.engine.fail(error)


class Group:
    """Drive the engines of several viewers.

    Parameters
    ----------
    stimulus : StimulusStreams
        What they share.
    members : sequence of Member
        Begun.
    model : BatchedModel
    stopping : threading.Event
        Ends the run once it is set.

    Attributes
    ----------
    ticks : Durations
        What the ticks took, from the first feature to the last viewer's publication.
    """

    def __init__(
        self,
        stimulus: StimulusStreams,
        members: Sequence[Member],
        model: BatchedModel,
        stopping: threading.Event,
    ) -> None:
        self._stimulus = stimulus
        self._members = tuple(members)
        self._turns = deque(members)
        self._model = model
        self._stopping = stopping
        self.ticks = Durations()

    def run(self) -> None:
        """Run until all viewers are through or the run is stopped.

        What is no error of a viewer's own leaves every window with state ``failed`` and is raised.
        """
        try:
            self._serve()
        except BaseException as error:
            for member in self._members:
                if member.runs:
                    member.engine.fail(error)
            raise

    def _serve(self) -> None:
        while not self._stopping.is_set() and any(member.runs for member in self._members):
            served = self._turn()
            self._attend()
            if not served:
                time.sleep(POLL_S)
        for member in self._members:
            with member.failing_alone():
                member.end()

    def _turn(self) -> bool:
        """Take what has come, serve at most one tick of every viewer; return whether there was one."""
        self._stimulus.pull()
        gathered: list[tuple[Member, list[Chunk]]] = []
        for member in self._members:
            if member.runs:
                with member.failing_alone():
                    if member.engine.is_done:
                        member.end()
                        continue
                    gathered.append((member, member.gather()))
        _check_pulses([member for member, _ in gathered])
        now = self._stimulus.acquisition.timebase.to_session(pylsl.local_clock())
        begin = time.perf_counter()
        askings = [member.engine.asking(chunks, now) for member, chunks in gathered]
        n_frames = 0
        for (member, _), steps in zip(gathered, answer_together(askings, self._model), strict=True):
            if isinstance(steps, RtasmrError):
                member.fail(steps)
            elif member.runs:
                with member.failing_alone():
                    n_frames += member.engine.deliver(steps, time.perf_counter() - begin)
        if n_frames:
            self.ticks.add(time.perf_counter() - begin)
        return n_frames > 0

    def _attend(self) -> None:
        """Attend to as many viewers as there is time for, at least to one, each in turn."""
        end = time.perf_counter() + ATTEND_S
        for _ in range(len(self._turns)):
            member = self._turns[0]
            self._turns.rotate(-1)
            if member.runs:
                with member.failing_alone():
                    member.attend()
            if time.perf_counter() >= end:
                return


def _check_pulses(members: Sequence[Member]) -> None:
    """Break off a viewer whose pulse is that of another."""
    owners: dict[str, Member] = {}
    for member in members:
        uid = member.pulse_uid
        other = owners.setdefault(uid, member)
        if uid and other is not member:
            member.fail(
                StreamError(
                    f"expected a pulse of its own for viewer {member.viewer.code}, got that of viewer "
                    f"{other.viewer.code}. Name it by source_id."
                )
            )
