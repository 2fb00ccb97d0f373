"""Zipped data sets: where each file of an archive belongs, and unpacking that writes nowhere else.

An archive may hold the whole set or one of its folders, with or without a folder around it:
``REST-ASMR/log/021-….log``, ``log/021-….log`` and ``021-….log`` in ``log.zip`` all go to ``log/``.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rtasmr.dataset import FOLDERS
from rtasmr.errors import NO_ROOM, DataError

ZIP_SUFFIX = ".zip"

MAX_FILES = 10_000
MAX_RATIO = 200
"""Text exports shrink to a fifth, never to a two-hundredth: such an archive is made to fill a disk."""
SMALL_BYTES = 64 * 2**20
"""What any archive may unpack to, whatever its ratio."""

_COPY_BYTES = 2**20
_FOLDER_NAMES = {"logs": "log", "stims": "stim", "stimuli": "stim"} | {name: name for name in FOLDERS}
_FOLDER_OF_FILE = (
    (re.compile(r".*\.log", re.IGNORECASE), "log"),
    (re.compile(r"[0-9]+_csv\.txt(\.xz)?", re.IGNORECASE), "ppg"),
    (re.compile(r".*\.avi", re.IGNORECASE), "stim"),
)
_DRIVE = re.compile(r"[A-Za-z]:")
_SYSTEM_NAMES = ("__MACOSX", "Thumbs.db", "desktop.ini")

Fill = Callable[[Path], AbstractContextManager[None]]
"""Makes sure that a file of the set has its content while the block runs."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive.

    Parameters
    ----------
    name : str
        As the archive spells it.
    target : str
        Place in the data set, such as ``log/021-1-20211022-d28c98dd.log``.
    n_bytes : int
        Unpacked.
    crc : int
        CRC-32 of the unpacked content.
    """

    name: str
    target: str
    n_bytes: int
    crc: int


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file that stands in the data set: place relative to its root, size and SHA-256."""

    target: str
    n_bytes: int
    sha256: str


def archives_of(root: Path) -> tuple[Path, ...]:
    """Return the zip files that hold the set ``root``; none where it is unpacked.

    ``root`` is an archive, or a folder that holds archives and none of ``log``, ``ppg`` and ``stim``.
    """
    if root.is_file():
        return (root,) if root.suffix.lower() == ZIP_SUFFIX else ()
    if any((root / name).is_dir() for name in FOLDERS) or not root.is_dir():
        return ()
    return tuple(sorted(path for path in root.iterdir() if path.suffix.lower() == ZIP_SUFFIX))


def place(path: str, archive_stem: str = "") -> str:
    """Return where a file belongs, relative to the data set's root.

    A folder ``log``, ``ppg`` or ``stim`` in the path decides, then the file's own name, then the name
    of the archive. Anything else (a README) keeps its path.

    Raises
    ------
    DataError
        The path leads out of the data set.
    """
    parts = path_parts(path)
    for part in reversed(parts[:-1]):
        if part.lower() in _FOLDER_NAMES:
            return f"{_FOLDER_NAMES[part.lower()]}/{parts[-1]}"
    for pattern, folder in _FOLDER_OF_FILE:
        if pattern.fullmatch(parts[-1]):
            return f"{folder}/{parts[-1]}"
    if archive_stem.lower() in _FOLDER_NAMES:
        return f"{_FOLDER_NAMES[archive_stem.lower()]}/{parts[-1]}"
    return "/".join(parts)


def path_parts(path: str) -> tuple[str, ...]:
    r"""Split a path that came from outside, with ``/`` or ``\``; one that leaves its folder is refused."""
    unified = path.replace("\\", "/")
    parts = tuple(part for part in unified.split("/") if part not in ("", "."))
    if not parts or unified.startswith("/") or _DRIVE.match(unified) or ".." in parts or "\0" in path:
        raise DataError(f"expected the name of a file inside the data set, got {path!r}; refused")
    return parts


def members(archive: Path) -> list[Member]:
    """Return the files of an archive with their places, in the archive's order.

    Folders, hidden files and what operating systems add are left out.

    Raises
    ------
    DataError
        The archive is damaged, encrypted, holds a link or a path that leads out of the set, two files
        for one place, or unpacks to far more than its size.
    """
    with _opened(archive) as file:
        entries = [entry for entry in file.infolist() if not entry.is_dir()]
    found: dict[str, Member] = {}
    top = _top_folder(archive, entries)
    for entry in entries:
        parts = _checked_parts(archive, entry)
        if any(part.startswith(".") or part in _SYSTEM_NAMES for part in parts):
            continue
        inner = parts[1:] if top is not None and parts[0] == top and len(parts) > 1 else parts
        target = place("/".join(inner), archive.stem)
        key = target.lower()  # one file on a disk that ignores case
        if key in found:
            raise DataError(
                f"{archive}: expected one file for {target}, got {found[key].name!r} and "
                f"{entry.filename!r}; unpack it by hand"
            )
        found[key] = Member(entry.filename, target, entry.file_size, entry.CRC)
    _refuse_bomb(archive, list(found.values()))
    return list(found.values())


def unpack(
    archive: Path,
    root: Path,
    staging: Path,
    replaceable: Collection[str] = (),
    report: Callable[[int], None] | None = None,
) -> list[Unpacked]:
    """Unpack an archive into the data set ``root``; a file appears there only once it is whole.

    Files that stand there already with the same content are kept.

    Parameters
    ----------
    archive, root : Path
    staging : Path
        Folder on the same disk for files being written.
    replaceable : collection of str
        Places whose file may be replaced if its content differs.
    report : callable or None
        Called with the number of bytes unpacked so far.

    Raises
    ------
    DataError
        As `members`; or the content fails its checksum, the disk is full, or a file of another content
        stands in the way.
    """
    done = 0
    results = []
    with _opened(archive) as file:
        for member in members(archive):
            target = root / member.target
            if _has_content(target, member):
                digest = _sha256(target)
            else:
                if target.exists() and member.target not in replaceable:
                    raise DataError(
                        f"{target}: expected the file of {archive.name}, found another; move it away first"
                    )
                part = staging / "member.part"
                digest = _extract(archive, file, member, part)
                move_into_place(part, target)
            results.append(Unpacked(member.target, member.n_bytes, digest))
            done += member.n_bytes
            if report is not None:
                report(done)
    return results


def move_into_place(part: Path, target: Path) -> None:
    """Give a file that is whole its own name, replacing what stands there.

    Raises
    ------
    DataError
        The name can not be taken.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written ({error.strerror}); move away what is there, or name another folder"
        ) from error


@contextmanager
def laid_out(root: Path) -> Iterator[tuple[Path, Fill]]:
    """Give a zipped set as a folder that `DataSet` opens, without unpacking it as a whole.

    In the folder the logs are unpacked; any other file is empty outside of ``with fill(path)``, so that
    no more than one needs room at a time. An unpacked set is given as it is.

    Yields
    ------
    folder : Path
    fill : callable
        Takes a path in the folder and returns a context manager.
    """
    archives = archives_of(root)
    if not archives:
        yield root, lambda _path: nullcontext()
        return
    with tempfile.TemporaryDirectory(prefix="rtasmr-check-") as name:
        folder = Path(name)
        sources: dict[Path, tuple[Path, Member]] = {}
        for archive in archives:
            for member in members(archive):
                path = folder / member.target
                if path in sources:
                    raise DataError(
                        f"{root}: {sources[path][0].name} and {archive.name} both hold {member.target}; "
                        "move one away"
                    )
                sources[path] = (archive, member)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()

        @contextmanager
        def fill(path: Path) -> Iterator[None]:
            archive, member = sources[path]
            with _opened(archive) as file:
                _extract(archive, file, member, path)
            try:
                yield
            finally:
                path.write_bytes(b"")

        for path, (archive, member) in sources.items():
            if not member.target.startswith(("ppg/", "stim/")):
                with _opened(archive) as file:
                    _extract(archive, file, member, path)
        yield folder, fill


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(
            f"{archive}: expected a whole zip archive, got a damaged one ({error}); get it again"
        ) from error
    except NotImplementedError as error:
        raise DataError(
            f"{archive}: packed in a way that Python cannot read ({error}); unpack it by hand"
        ) from error


def _checked_parts(archive: Path, entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the path of an entry, or refuse one that could write anything but a plain file inside."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DataError(f"{archive}: {entry.filename!r} is a link or device, not a file; nothing unpacked")
    if entry.flag_bits & 0x1:
        raise DataError(f"{archive}: {entry.filename!r} needs a password; unpack it by hand")
    try:
        return path_parts(entry.filename)
    except DataError as error:
        raise DataError(f"{archive}: {error}") from error


def _top_folder(archive: Path, entries: list[zipfile.ZipInfo]) -> str | None:
    """Return the folder around everything in an archive, where there is one that means nothing."""
    tops = {
        parts[0] if len(parts) > 1 else None
        for parts in (_checked_parts(archive, entry) for entry in entries)
        if parts[0] not in _SYSTEM_NAMES
    }
    top = tops.pop() if len(tops) == 1 else None
    return None if top is None or top.lower() in _FOLDER_NAMES else top


def _refuse_bomb(archive: Path, found: list[Member]) -> None:
    total = sum(member.n_bytes for member in found)
    limit = max(SMALL_BYTES, MAX_RATIO * archive.stat().st_size)
    if len(found) > MAX_FILES or total > limit:
        raise DataError(
            f"{archive}: expected at most {MAX_FILES} files and {limit} bytes unpacked, got {len(found)} and "
            f"{total}; refused, as it would fill the disk"
        )


def _extract(archive: Path, file: zipfile.ZipFile, member: Member, path: Path) -> str:
    """Write one member to ``path`` and return its SHA-256; the archive's own CRC is checked on the way."""
    digest = hashlib.sha256()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file.open(member.name) as source, path.open("wb") as out:
            while block := source.read(_COPY_BYTES):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        todo = "make room or name" if error.errno in NO_ROOM else "name"
        raise DataError(
            f"{archive}: {member.target} could not be written to {path.parent} ({error.strerror}); {todo} "
            "another folder, and run again"
        ) from error
    return digest.hexdigest()


def _has_content(path: Path, member: Member) -> bool:
    if not path.is_file() or path.stat().st_size != member.n_bytes:
        return False
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_COPY_BYTES):
            crc = zlib.crc32(block, crc)
    return crc == member.crc


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
