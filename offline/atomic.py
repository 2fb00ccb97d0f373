"""Write a file completely or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtasmr.errors import NO_ROOM, DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and put it in place once the block ends well.

    The name given keeps the suffix, which many writers look at. After an error ``path`` is as before
    and nothing stays behind; an error of the system names ``path``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{path.parent}: expected a folder to write to, got '{error.strerror}'; name another"
        ) from error
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        with named_in_errors(path):
            yield part
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """Give an error of the system that is met inside the block the name ``path``, if it has none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:  # a full disk is met in writing, which knows no name
            error.filename = str(path)
        raise


def not_written(place: Path, error: OSError, other: str) -> str:
    """Return in one line that a place can not be written, why, and what helps: room only where it lacks.

    Parameters
    ----------
    place : Path
    error : OSError
    other : str
        What to name instead, such as ``another --out``; the line ends with it.
    """
    todo = "make room or name" if error.errno in NO_ROOM else "name"
    return f"{place}: can not be written ({error.strerror}); {todo} {other}"


@contextmanager
def told_when_full(todo: str) -> Iterator[None]:
    """Turn a full disk, met inside the block, into one line that ends with ``make room, then`` and ``todo``.

    Raises
    ------
    DataError
        There is no room on the disk, or none that this user may take.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        where = f"{error.filename}: " if error.filename else ""
        raise DataError(f"{where}can not be written ({error.strerror}); make room, then {todo}") from error
