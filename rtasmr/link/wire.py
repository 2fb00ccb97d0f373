"""What both ends of the link share: the link file, the proof of the key, sockets that cannot stall."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

from rtasmr.errors import DataError, RtasmrError
from rtasmr.snapshot import decode_object

MAX_REQUEST_BYTES = 1024
FOLDER_PREFIX, LINK_NAME = "rtasmr-", "link.json"
"""Folder of a runtime in the user's temporary folder, and the link file in it."""
UNCHANGED = b'{"unchanged":true}'
STALL_S = 2.0
"""A peer that stops in the middle of a message for this long is dropped."""
ATTACH_S = 0.5
"""How long a window, which waits for it, lets the runtime take to greet it."""


class LinkError(RtasmrError):
    """The runtime is not there, went away, or refused this window."""


class RuntimeGoneError(LinkError):
    """Nobody is there any more who could answer: the runtime has ended, or was killed."""


def read_link_file(path: Path) -> tuple[str, bytes]:
    """Return address and key of the runtime that wrote ``path``.

    Raises
    ------
    RuntimeGoneError
        If there is no such file.
    LinkError
        If it is not a link file.
    """
    try:
        content = decode_object(path.read_bytes())
        address, key = content["address"], bytes.fromhex(content["key"])
    except FileNotFoundError as error:
        raise RuntimeGoneError(f"expected the link file of a running runtime, got '{error}'") from error
    except OSError as error:
        raise LinkError(f"expected the link file of a running runtime, got '{error}'") from error
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise LinkError(f"expected a link file with address and key, got {path}: {error}") from error
    return str(address), key


def write_link_file(path: Path, address: str, key: bytes, name: str = "", about: str = "") -> None:
    """Write address, key, name, what runs and number of this process where only this user can read them."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        content = {"address": address, "key": key.hex(), "pid": os.getpid(), "name": name, "about": about}
        json.dump(content, file)


def answer_to(challenge: bytes, key: bytes) -> str:
    """Return the proof that one knows ``key``, in hexadecimal digits."""
    return hmac.new(key, challenge, hashlib.sha256).hexdigest()


def send(connection: Connection[Any, Any], **message: Any) -> None:
    """Send a small message."""
    connection.send_bytes(json.dumps(message).encode())


def receive(connection: Connection[Any, Any]) -> dict[str, Any]:
    """Return a small message of the runtime, which must come within ``ATTACH_S``."""
    if not connection.poll(ATTACH_S):
        raise LinkError(f"expected the runtime to answer within {ATTACH_S:g} s, got nothing: is it stopped?")
    return decode_object(connection.recv_bytes(MAX_REQUEST_BYTES))


if sys.platform == "win32":

    def connect(address: str) -> Connection[Any, Any]:
        """Return a connection to the runtime at ``address``."""
        return Client(address)

    def limit_stalls(connection: Connection[Any, Any]) -> None:
        """Pipes have no such limit; a stalled peer keeps its own thread only."""

    def shut(connection: Connection[Any, Any]) -> None:
        """Wake the thread that waits on the connection."""
        connection.close()

else:

    def connect(address: str) -> Connection[Any, Any]:
        """Return a connection to the runtime at ``address``."""
        # Not Client(): it would wait for ever for a stopped runtime whose queue is full.
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(ATTACH_S)
            opened.connect(address)
            opened.setblocking(True)
            connection: Connection[Any, Any] = Connection(opened.detach())
        limit_stalls(connection)
        return connection

    def limit_stalls(connection: Connection[Any, Any]) -> None:
        """Let a read or write that makes no progress fail after ``STALL_S``."""
        seconds = int(STALL_S)
        limit = struct.pack("ll", seconds, int((STALL_S - seconds) * 1e6))
        with socket.socket(fileno=os.dup(connection.fileno())) as shared:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def shut(connection: Connection[Any, Any]) -> None:
        """Wake the thread that waits on the connection; it closes it."""
        # OSError: the peer or the thread was faster.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)
