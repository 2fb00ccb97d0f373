"""A file that is being recorded: chunk by chunk to the operating system, named when it is closed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from itertools import chain, count
from pathlib import Path

from rtasmr.errors import DataError


class RecordingFailedError(DataError):
    """The recording can not be written any further; what stands on disk can be read."""


class RecordingFile:
    """A new file that is called ``<path>.part`` until `close`.

    It is readable by its owner only and never replaces another: where ``session.xdf`` or its ``.part``
    exists, it becomes ``session_2.xdf``.

    Parameters
    ----------
    path : Path
        Wanted name, in a folder that exists.

    Raises
    ------
    DataError
        The folder does not exist or can not be written to.
    """

    def __init__(self, path: Path) -> None:
        check_target(path)
        self._wanted = path
        self._path, self._file = _open_part(path)
        self._part = part_of(self._path)
        self._n_bytes = 0
        self._failure: str | None = None

    @property
    def path(self) -> Path:
        """The name the file will have once closed."""
        return self._path

    @property
    def part_path(self) -> Path:
        """The name the file has until then."""
        return self._part

    @property
    def n_bytes(self) -> int:
        """Bytes written so far."""
        return self._n_bytes

    @property
    def closed(self) -> bool:
        """Whether `close` or `abandon` was called."""
        return self._file.closed

    def write(self, content: bytes) -> None:
        """Hand whole chunks to the operating system, or leave the file as it was before.

        Raises
        ------
        RecordingFailedError
            The disk is full or failed, now or before.
        """
        self.refuse_if_failed()
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):  # a reader copes with half a chunk at the end, too
                self._file.truncate(self._n_bytes)
            raise self._failed(error) from error
        self._n_bytes += len(content)

    def sync(self) -> None:
        """Have the disk hold what was written, against loss of power."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> Path:
        """Give the file its name and return that name; again: the same name.

        Raises
        ------
        RecordingFailedError
            The file could not be written to its end and keeps its ``.part`` name.
        """
        if self._file.closed:
            self.refuse_if_failed()
            return self._path
        try:
            self.refuse_if_failed()
            self.sync()
        finally:
            self._file.close()
        if self._path.exists():  # somebody else took the name meanwhile
            self._path = next(_free_names(self._wanted))
        try:
            self._part.rename(self._path)
        except OSError as error:
            raise self._failed(error) from error
        return self._path

    def abandon(self) -> None:
        """Close the file under its ``.part`` name."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and remove it: what was to be written into it can not be."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def refuse_if_failed(self) -> None:
        """Raise the `RecordingFailedError` of before, if there was one."""
        if self._failure is not None:
            raise RecordingFailedError(self._failure)

    def _failed(self, error: OSError) -> RecordingFailedError:
        self._failure = (
            f"recording {self._part.name} stopped after {self._n_bytes} bytes: {error.strerror}; "
            "free space or choose another folder for the next one; 'rtasmr report' reads what was written, "
            "'rtasmr repair' makes a whole file of it"
        )
        return RecordingFailedError(self._failure)


def check_target(path: Path) -> None:
    """Check that a file can be made there, before anybody waits for what is to go into it.

    Raises
    ------
    DataError
        The name is that of a folder, or its own folder does not exist or can not be written to.
    """
    if path.is_dir():
        raise DataError(f"cannot record to {path}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise _refused(path, os.strerror(errno.ENOENT))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _refused(path, os.strerror(errno.EACCES))


def _refused(path: Path, reason: str | None) -> DataError:
    return DataError(f"cannot record to {path}: {reason}; name a file in a folder that exists and is yours")


def part_of(path: Path) -> Path:
    """Return the name that a file has while it is recorded."""
    return path.with_name(path.name + ".part")


def _free_names(wanted: Path) -> Iterator[Path]:
    """Those of ``session.xdf``, ``session_2.xdf``, ``session_3.xdf``, ... that nobody has or records to."""
    numbered = (wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}") for number in count(2))
    for path in chain([wanted], numbered):
        if not path.exists() and not part_of(path).exists():
            yield path


def _open_part(wanted: Path) -> tuple[Path, FileIO]:
    """Return the first free name and its ``.part`` file, created and open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for path in _free_names(wanted):
        try:
            return path, FileIO(os.open(part_of(path), flags, 0o600), "wb")
        except FileExistsError:
            continue  # another writer was faster
        except OSError as error:
            raise _refused(path, error.strerror) from error
    raise AssertionError("free names never end")
