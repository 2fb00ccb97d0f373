"""A window's end of the link."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rtasmr.errors import RtasmrError
from rtasmr.link.wire import UNCHANGED, LinkError, answer_to, connect, read_link_file, receive, send
from rtasmr.snapshot import Snapshot, decode

MAX_REPLY_BYTES = 4_000_000


class SnapshotClient:
    """A window's end of the link; it reconnects by itself to a runtime that is there again.

    Parameters
    ----------
    link_file : Path
        As the server names it; kept under this name.
    """

    def __init__(self, link_file: Path) -> None:
        self.link_file = link_file
        self._connection: Connection[Any, Any] | None = None
        self._session = ""
        self._seq = 0
        self._revision = -1
        self._asked = False
        self._drawn_s: float | None = None

    @property
    def connected(self) -> bool:
        """Whether the runtime answered last time."""
        return self._connection is not None

    def poll(self, timeout_s: float = 0.02) -> Snapshot | None:
        """Return what is new since the last call, or None where nothing is.

        Waits up to ``timeout_s`` for an answer; a later one is taken by the next call. Records come in
        portions: call again while ``n_behind`` of the snapshot is not 0.

        Raises
        ------
        LinkError
            If the runtime is not there or refuses. The next call tries again and continues where the
            records broke off.
        DataError
            If the runtime speaks another version.
        """
        try:
            # A signal's handler may close the client in the middle of this: what was open stays named.
            connection = self._connection = self._connection or self._open()
            if not self._asked:
                send(
                    connection,
                    since_seq=self._seq,
                    revision=self._revision,
                    session=self._session,
                    drawn_s=self._drawn_s,
                )
                self._asked, self._drawn_s = True, None
            if not connection.poll(timeout_s):
                return None
            reply = connection.recv_bytes(MAX_REPLY_BYTES)
            self._asked = False
            if reply == UNCHANGED:
                return None
            snapshot = decode(reply)
        except (OSError, EOFError) as error:
            self.close()
            reason = str(error) or "closed"
            raise LinkError(
                f"expected a runtime at {self.link_file}, got '{reason}': is it running?"
            ) from error
        except RtasmrError:
            self.close()
            raise
        self._session, self._seq, self._revision = snapshot.session, snapshot.seq, snapshot.revision
        return snapshot

    def note_drawn(self, seconds: float) -> None:
        """Tell the runtime, with the next request, how long after its publication a record was drawn."""
        self._drawn_s = float(seconds)

    def close(self) -> None:
        """Detach; a later ``poll`` attaches again."""
        if self._connection is not None:
            self._connection.close()
        # The first answer after a break is a snapshot even if nothing changed: it tells that all is well.
        self._connection, self._asked, self._revision = None, False, -1

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
