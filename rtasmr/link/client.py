"""A window's end of the link."""

from __future__ import annotations

from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rtasmr.errors import RtasmrError
from rtasmr.link.request import Request
from rtasmr.link.wire import (
    ATTACH_S,
    UNCHANGED,
    LinkError,
    RuntimeGoneError,
    answer_to,
    connect,
    read_link_file,
    receive,
    send,
)
from rtasmr.snapshot import Command, Snapshot, decode

MAX_REPLY_BYTES = 4_000_000
HOLD_S = 1.0
"""How long the runtime may keep an answer back until there is something new."""


class SnapshotClient:
    """A window's end of the link; it reconnects by itself to a runtime that is there again.

    A request stays open until the runtime has something new, so the answer comes as soon as there is.
    Whoever waits for it looks at `fileno`, or calls `poll` again and again.

    Parameters
    ----------
    link_file : Path
        As the server names it; kept under this name.
    """

    def __init__(self, link_file: Path) -> None:
        self.link_file = link_file
        self._connection: Connection[Any, Any] | None = None
        self._request = Request(hold_s=HOLD_S)
        self._asked = False

    @property
    def connected(self) -> bool:
        """Whether the runtime answered last time."""
        return self._connection is not None

    @property
    def fileno(self) -> int:
        """Handle that is readable when an answer is there; -1 where there is no connection."""
        return -1 if self._connection is None else self._connection.fileno()

    def ask(self) -> None:
        """Leave a request with the runtime, unless there is one.

        Raises
        ------
        LinkError
            If the runtime does not answer or refuses; `RuntimeGoneError` if there is none any more. The next
            call tries again and continues where the records broke off.
        """
        try:
            # A signal's handler may close the client in the middle of this: what was open stays named.
            connection = self._connection = self._connection or self._open()
            if not self._asked:
                connection.send_bytes(self._request.encode())
                self._asked = True
                self._request = replace(self._request, drawn_s=None)
        except (OSError, EOFError) as error:
            raise self._lost(error) from error
        except RtasmrError:
            self.close()
            raise

    def poll(self, timeout_s: float = 0.02) -> Snapshot | None:
        """Return what is new since the last call, or None where nothing is.

        Waits up to ``timeout_s`` for an answer; a later one is taken by the next call. Records come in
        portions: call again while ``n_behind`` of the snapshot is not 0.

        Raises
        ------
        LinkError
            As `ask`.
        DataError
            If the runtime speaks another version.
        """
        self.ask()
        assert self._connection is not None  # `ask` opened it
        try:
            if not self._connection.poll(timeout_s):
                return None
            reply = self._connection.recv_bytes(MAX_REPLY_BYTES)
            self._asked = False
            if reply == UNCHANGED:
                return None
            snapshot = decode(reply)
        except (OSError, EOFError) as error:
            raise self._lost(error) from error
        except RtasmrError:
            self.close()
            raise
        self._note(snapshot)
        return snapshot

    def _note(self, snapshot: Snapshot) -> None:
        """Ask from here on next time."""
        known = self._request
        if snapshot.session != known.session:
            known = replace(known, wave_s=None, trend_s=None)
        self._request = replace(
            known,
            session=snapshot.session,
            since_seq=snapshot.seq,
            revision=snapshot.revision,
            wave_s=snapshot.ppg_times[-1] if snapshot.ppg_times else known.wave_s,
            trend_s=snapshot.trend[-1].time_s if snapshot.trend else known.trend_s,
        )

    def note_drawn(self, seconds: float) -> None:
        """Tell the runtime, with the next request, how long after its publication a record was drawn."""
        self._request = replace(self._request, drawn_s=float(seconds))

    def command(self, command: Command, step: int = 0) -> None:
        """Ask the runtime to do something, and wait until it has heard it.

        Parameters
        ----------
        command : Command
        step : int
            Number of the programme's item that it is about; 0 for whatever is shown.

        Raises
        ------
        LinkError
            If the runtime is not there, refuses or does not answer.
        """
        # On a connection of its own: on this one the runtime may be holding an answer back.
        once = SnapshotClient(self.link_file)
        once._request = replace(self._request, hold_s=0.0, command=command, step=step)
        once.ask()
        heard = once._connection is not None and once._connection.poll(ATTACH_S)
        once.close()
        if not heard:
            raise LinkError(f"expected the runtime to answer within {ATTACH_S:g} s, got nothing: try again")

    def close(self) -> None:
        """Detach; a later ``poll`` attaches again."""
        if self._connection is not None:
            self._connection.close()
        # The first answer after a break is a snapshot even if nothing changed: it tells that all is well.
        self._connection, self._asked = None, False
        self._request = replace(self._request, revision=-1)

    def _lost(self, error: Exception) -> LinkError:
        self.close()
        # Of a socket and of a pipe that nobody listens at any more.
        is_gone = isinstance(error, ConnectionRefusedError | FileNotFoundError)
        return (RuntimeGoneError if is_gone else LinkError)(
            f"expected a runtime at {self.link_file}, got '{str(error) or 'closed'}': is it running?"
        )

    def _open(self) -> Connection[Any, Any]:
        address, key = read_link_file(self.link_file)
        connection = connect(address)
        try:
            greeting = receive(connection)
            challenge = greeting.get("challenge")
            if not isinstance(challenge, str):
                raise LinkError(str(greeting.get("error", "expected a challenge, got another message")))
            try:
                send(connection, answer=answer_to(bytes.fromhex(challenge), key))
            except ValueError as error:
                raise LinkError(f"expected a challenge in hexadecimal digits, got '{error}'") from error
            verdict = receive(connection)
            if verdict.get("attached") is not True:
                raise LinkError(str(verdict.get("error", "expected to be attached, got another message")))
        except BaseException:
            connection.close()
            raise
        return connection
