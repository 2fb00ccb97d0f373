"""The runtime's end of the link."""

from __future__ import annotations

import contextlib
import hmac
import logging
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from rtasmr.closing import Closing
from rtasmr.errors import DataError
from rtasmr.link.request import Request
from rtasmr.link.running import remove_stale_links
from rtasmr.link.store import SnapshotStore
from rtasmr.link.wire import (
    FOLDER_PREFIX,
    LINK_NAME,
    MAX_REQUEST_BYTES,
    STALL_S,
    UNCHANGED,
    LinkError,
    answer_to,
    limit_stalls,
    send,
    shut,
    write_link_file,
)
from rtasmr.snapshot import Command, decode_object, encode

logger = logging.getLogger(__name__)

MAX_CLIENTS = 4
MAX_DRAWN_S = 60.0
"""A window that claims to be further behind was stopped, or lies."""


@dataclass(eq=False)
class _Peer:
    """One attached window: its connection and the newest revision it was sent."""

    connection: Connection[Any, Any]
    thread: threading.Thread | None = None
    attached: bool = False
    revision: int = -1


class SnapshotServer(Closing):
    """Answer windows from a store until closed; a context manager.

    Parameters
    ----------
    store : SnapshotStore
    max_clients : int
        Windows beyond this are refused with a message.
    on_command : callable or None
        Takes what a window asks the runtime to do and the number of the item that it is about (0: none),
        on a thread of the server; must not wait. Without, commands are ignored.
    name : str
        What `rtasmr window` finds it by where one process has several; empty takes the process number.
    about : str
        What runs, by which people tell several runtimes apart.

    Attributes
    ----------
    label : str
        The name, or the process number.
    link_file : Path
        To be given to ``python -m rtasmr.view --attach``.

    Raises
    ------
    LinkError
        If the socket cannot be opened.
    """

    def __init__(
        self,
        store: SnapshotStore,
        *,
        max_clients: int = MAX_CLIENTS,
        on_command: Callable[[Command, int], object] | None = None,
        name: str = "",
        about: str = "",
    ) -> None:
        self.label = name or str(os.getpid())
        self._store = store
        self._max_clients = max_clients
        self._on_command = on_command
        self._key = secrets.token_bytes(32)
        self._closing = False
        self._peers: list[_Peer] = []
        self._changed = threading.Condition()
        remove_stale_links()
        self._folder = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX)  # mode 0700
        folder = Path(self._folder.name)
        self.link_file = folder / LINK_NAME
        try:
            self._listener = _listen(folder)
            write_link_file(self.link_file, str(self._listener.address), self._key, name, about)
        except OSError as error:
            self._folder.cleanup()
            raise LinkError(
                f"expected to open a socket in {folder}, got '{error}': set TMPDIR to a short, writable path"
            ) from error
        self._acceptor = threading.Thread(target=self._accept, name="snapshot-link", daemon=True)
        self._acceptor.start()

    @property
    def n_clients(self) -> int:
        """Number of attached windows."""
        with self._changed:
            return sum(peer.attached for peer in self._peers)

    def close(self, drain_s: float = 0.5) -> None:
        """Wait up to ``drain_s`` until every window has the newest state, then leave nothing behind."""
        if self._closing:
            return
        with self._changed:
            self._changed.wait_for(self._all_told, timeout=drain_s)
            self._closing = True
        self._store.wake()
        # accept() does not wake when its socket is closed, but it does for a connection.
        with contextlib.suppress(OSError):
            Client(self._listener.address).close()
        self._acceptor.join(STALL_S)
        # A cleaner of the temporary folder may have taken the socket's name away.
        with contextlib.suppress(FileNotFoundError):
            self._listener.close()
        with self._changed:
            peers = list(self._peers)
        for peer in peers:
            shut(peer.connection)
        for peer in peers:
            if peer.thread is not None:
                peer.thread.join(STALL_S)
        self._folder.cleanup()

    def _all_told(self) -> bool:
        revision = self._store.revision
        return all(peer.revision >= revision for peer in self._peers if peer.attached)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError as error:
                if self._closing:
                    return
                # Most likely out of file handles: the windows there are go on, new ones must wait.
                logger.warning("window could not attach: %s", error)
                with self._changed:
                    self._changed.wait(timeout=0.5)
                continue
            if self._closing:
                connection.close()
                return
            with self._changed:
                full = len(self._peers) >= self._max_clients
                peer = _Peer(connection)
                if not full:
                    self._peers.append(peer)
            if full:
                self._refuse(connection)
                continue
            peer.thread = threading.Thread(
                target=self._serve, args=(peer,), name="snapshot-peer", daemon=True
            )
            peer.thread.start()

    def _refuse(self, connection: Connection[Any, Any]) -> None:
        with contextlib.suppress(OSError):
            send(connection, error=f"expected at most {self._max_clients} windows: close one first")
        connection.close()

    def _serve(self, peer: _Peer) -> None:
        try:
            limit_stalls(peer.connection)
            if self._authenticate(peer.connection):
                with self._changed:
                    peer.attached = True
                while True:
                    self._answer(peer)
        except (OSError, EOFError) as error:
            logger.debug("window detached: %s", error)
        except DataError as error:
            logger.warning("window refused: %s", error)
        finally:
            peer.connection.close()
            with self._changed:
                self._peers.remove(peer)
                self._changed.notify_all()

    def _authenticate(self, connection: Connection[Any, Any]) -> bool:
        challenge = secrets.token_bytes(32)
        send(connection, challenge=challenge.hex())
        if not connection.poll(STALL_S):
            logger.warning("window refused: no answer to the challenge")
            return False
        answer = decode_object(connection.recv_bytes(MAX_REQUEST_BYTES)).get("answer")
        if isinstance(answer, str) and hmac.compare_digest(
            answer.encode(), answer_to(challenge, self._key).encode()
        ):
            send(connection, attached=True)
            return True
        logger.warning("window refused: wrong key")
        send(connection, error="expected the key in the runtime's link file, got another: attach again")
        return False

    def _answer(self, peer: _Peer) -> None:
        peer.connection.poll(None)
        request = Request.decode(peer.connection.recv_bytes(MAX_REQUEST_BYTES))
        if request.drawn_s is not None and 0.0 <= request.drawn_s <= MAX_DRAWN_S:
            self._store.note_drawn(request.drawn_s)
        if request.command is not None and self._on_command is not None:
            logger.debug("a window asks: %s", request.command)
            self._on_command(request.command, request.step)
        if request.hold_s > 0.0:
            self._store.wait(
                request.since_seq, request.revision, request.session, request.hold_s, lambda: self._closing
            )
        snapshot = self._store.read(
            request.since_seq, request.session, wave_s=request.wave_s, trend_s=request.trend_s
        )
        known = (request.revision, request.session) == (snapshot.revision, snapshot.session)
        if known and not snapshot.records:
            peer.connection.send_bytes(UNCHANGED)
        else:
            peer.connection.send_bytes(encode(snapshot))
        with self._changed:
            peer.revision = snapshot.revision if snapshot.n_behind == 0 else -1
            self._changed.notify_all()


def _listen(folder: Path) -> Listener:
    if sys.platform == "win32":
        return Listener(backlog=8)
    return Listener(str(folder / "socket"), family="AF_UNIX", backlog=8)
