"""Files from the web: resumed where they stopped, and verified.

Written on the standard library: the download libraries at hand verify but do not resume, and a data set
of gigabytes over a student's line must.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from offline.web import AGAIN, Client, MayPassError, reason_of
from rtasmr.errors import NO_ROOM, DataError

logger = logging.getLogger(__name__)

BLOCK_BYTES = 2**17
PROGRESS_BYTES = 2**20
"""Having got this much, a server counts as working again and failures are counted anew."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")

Report = Callable[[int], None]
"""Takes the number of bytes that are there."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the web and how to know it.

    Parameters
    ----------
    name : str
        How its publisher calls it.
    url : str
    checksum : str
        ``md5:…`` or ``sha256:…`` in hexadecimal digits; the first digits of one are enough.
    n_bytes : int or None
        None where the publisher does not say.
    """

    name: str
    url: str
    checksum: str
    n_bytes: int | None = None

    @property
    def algorithm(self) -> str:
        """Name of the hash function."""
        return self.checksum.partition(":")[0].lower()

    @property
    def digest(self) -> str:
        """Hexadecimal digits of the checksum."""
        return self.checksum.partition(":")[2].lower()


def fetch(client: Client, file: RemoteFile, path: Path, report: Report | None = None) -> None:
    """Bring a file to ``path``, whole and verified, going on from what stands there.

    ``path`` is the place of the unfinished file: the caller moves it where finished files stand. What
    was got stays there after a failure.

    Parameters
    ----------
    client : Client
    file : RemoteFile
    path : Path
    report : callable or None

    Raises
    ------
    DataError
        The file is not to be had, is not what its checksum says, or the disk is full.
    """
    tell = report or (lambda _n_bytes: None)
    while True:
        n_there = path.stat().st_size if path.exists() else 0
        resumed = n_there > 0
        if not resumed or n_there != file.n_bytes:
            client.persist(lambda: _continue(client, file, path, tell))
        found = file_digest(path, file.algorithm)
        if found.startswith(file.digest):
            return
        path.unlink()
        if not resumed:
            raise DataError(
                f"{file.url}: expected {file.checksum}, got {file.algorithm}:{found}; damaged on the "
                "way or changed by its publisher: run the command again"
            )
        logger.warning("%s: what an earlier run got does not fit; getting all of it again", file.name)


def _continue(client: Client, file: RemoteFile, path: Path, report: Report) -> None:
    """Get what is missing in ``path`` with one request."""
    offset = path.stat().st_size if path.exists() else 0
    if file.n_bytes is not None and offset > file.n_bytes:
        path.unlink()
        offset = 0
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    with client.open(file.url, headers) as response:
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            path.unlink()
            raise MayPassError(f"{file.url}: the server refuses to go on from byte {offset}")
        start, n_total = _extent(response, file)
        if start not in (0, offset):
            path.unlink()
            raise MayPassError(f"{file.url}: asked from byte {offset}, got {start}")
        n_bytes = _copy(response, file, path, start, report)
    if n_total is not None and n_bytes < n_total:
        raise MayPassError(
            f"{file.url}: the connection ended at {n_bytes} of {n_total} bytes",
            progressed=n_bytes - start >= PROGRESS_BYTES,
        )


def _copy(
    response: http.client.HTTPResponse, file: RemoteFile, path: Path, start: int, report: Report
) -> int:
    """Append to ``path`` what the response brings, from byte ``start``; return where it ended."""
    n_bytes = start
    with _open_part(path, start) as out:
        try:
            while block := response.read1(BLOCK_BYTES):
                _write(out, block, path)
                n_bytes += len(block)
                if file.n_bytes is not None and n_bytes > file.n_bytes:
                    raise DataError(f"{file.url}: expected {file.n_bytes} bytes, got more; run again")
                report(n_bytes)
        except (OSError, http.client.HTTPException) as error:
            raise MayPassError(
                f"{file.url}: the connection broke at byte {n_bytes} ({reason_of(error)})",
                progressed=n_bytes - start >= PROGRESS_BYTES,
            ) from error
        os.fsync(out.fileno())
    return n_bytes


def file_digest(path: Path, algorithm: str) -> str:
    """Return the hash of a file in hexadecimal digits; ``md5`` or ``sha256``."""
    if algorithm not in ("md5", "sha256"):
        raise DataError(f"{path.name}: expected a checksum of kind md5 or sha256, got {algorithm!r}")
    with path.open("rb") as file:
        # A publisher's MD5 guards against damage, not against people; machines in FIPS mode ask.
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _extent(response: http.client.HTTPResponse, file: RemoteFile) -> tuple[int, int | None]:
    """Return where the answer starts in the file and how long the whole file is, where known."""
    start, n_total = 0, file.n_bytes
    length = response.headers.get("Content-Length", "")
    announced = int(length) if length.isdecimal() else None
    if response.status == http.client.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None:
            raise MayPassError(f"{file.url}: a part without its place (Content-Range)")
        start = int(match[1])
        announced = None if match[3] == "*" else int(match[3])
    if n_total is not None and announced is not None and announced != n_total:
        raise DataError(
            f"{file.url}: expected {n_total} bytes, the server has {announced}; a log-in page of the "
            "network, or the file was replaced: open the address in a browser"
        )
    return start, announced if n_total is None else n_total


def _open_part(path: Path, start: int) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab" if start else "wb")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another folder") from error


def _write(out: IO[bytes], block: bytes, path: Path) -> None:
    try:
        out.write(block)
        out.flush()  # a full disk shows here, not when the file is closed
    except OSError as error:
        todo = f"make room, then {AGAIN}" if error.errno in NO_ROOM else "name another folder"
        raise DataError(f"{path.parent}: cannot be written ({error.strerror}); {todo}") from error
