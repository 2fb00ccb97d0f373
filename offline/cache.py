"""Computed features kept by content: the same input and parameters are never computed twice.

An entry's key is the SHA-256 of all that shapes its values: the bytes of the input file, the parameters,
the encoder's weights and the versions of the libraries. Nothing is ever changed in place, so any number
of runs may share one folder, and it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.home import HOME_VARIABLE

logger = logging.getLogger(__name__)

PART_PREFIX = ".part-"
LEFTOVER_AGE_S = 86_400.0
"""A part file of this age belongs to a run that was killed."""

SETTLED_AGE_S = 2.0
"""A file changed more recently may change again within one step of the file system's clock."""

_NOTES = "notes_json"


@dataclass(frozen=True, eq=False)
class Entry:
    """What one computation gave: arrays by name, and what it found unusual."""

    arrays: Mapping[str, NDArray[Any]]
    notes: tuple[str, ...] = ()


def default_cache_folder() -> Path:
    """Return the user's cache folder; it need not exist yet."""
    home = os.environ.get(HOME_VARIABLE)
    base = Path(home) / "cache" if home else platformdirs.user_cache_path("rtasmr", appauthor=False)
    return base / "features"


def content_key(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of the canonical JSON of ``content``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class FeatureCache:
    """A folder of entries.

    What cannot be written (a full disk, a read-only folder) is named once and not kept; what cannot be
    read back whole counts as absent.

    Parameters
    ----------
    folder : Path
        Need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._complained = False

    def get(self, key: str) -> Entry | None:
        """Return an entry, or None where there is no whole one."""
        path = self._entry_path(key)
        try:
            # The archive's checksums tell a damaged entry from a whole one.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            return Entry(arrays, tuple(json.loads(str(arrays.pop(_NOTES)))))
        except FileNotFoundError:
            return None
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            logger.warning("%s: a damaged entry (%s); computed again", path, type(error).__name__)
            return None

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry; another run's entry of the same key is the same."""
        arrays: dict[str, Any] = {**entry.arrays, _NOTES: np.array(json.dumps(entry.notes))}
        self._write(self._entry_path(key), lambda file: np.savez(file, **arrays))

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes.

        Raises
        ------
        DataError
            The file cannot be read.
        """
        known = self.known_digest(path)
        if known is not None:
            return known
        try:
            before = _state(path)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            after = _state(path)
        except OSError as error:
            raise DataError(f"{path}: can not be read ({error.strerror}); check the file") from error
        newest_s = max(after["mtime_ns"], after["ctime_ns"]) / 1e9
        if before == after and time.time() - newest_s > SETTLED_AGE_S:
            text = json.dumps({**after, "sha256": sha256})
            self._write(self._input_path(path), lambda file: file.write(text.encode()))
        return sha256

    def known_digest(self, path: Path) -> str | None:
        """Return the SHA-256 of a file that has not been touched since it was last read, else None."""
        try:
            remembered = json.loads(self._input_path(path).read_text(encoding="utf-8"))
            if all(remembered[name] == value for name, value in _state(path).items()):
                return str(remembered["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def size_bytes(self) -> int:
        """Return what the folder takes on disk, in bytes."""
        total = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                try:
                    total += (Path(folder) / name).stat().st_size
                except FileNotFoundError:  # another run has just put its part in place
                    continue
        return total

    def remove_leftovers(self) -> None:
        """Remove part files that killed runs left behind."""
        for path in self.folder.glob(f"*/{PART_PREFIX}*"):
            try:
                if time.time() - path.stat().st_mtime > LEFTOVER_AGE_S:
                    path.unlink()
            except OSError as error:
                logger.debug("%s stays: %s", path, error)

    def _entry_path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    def _input_path(self, path: Path) -> Path:
        return self.folder / "inputs" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()}.json"

    def _write(self, path: Path, write: Callable[[IO[bytes]], object]) -> None:
        """Write a file completely or not at all, under a name of its own until it is complete."""
        part: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(prefix=PART_PREFIX, dir=path.parent, delete=False) as file:
                part = Path(file.name)
                write(file)
            part.replace(path)
            part = None
        except OSError as error:
            if not self._complained:
                logger.warning(
                    "%s: can not be written (%s); results are not kept for the next run",
                    self.folder,
                    error.strerror,
                )
            self._complained = True
        finally:
            if part is not None:
                part.unlink(missing_ok=True)


def _state(path: Path) -> dict[str, int]:
    """Return what changes when a file does."""
    stat = path.stat()
    return {
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
        "inode": stat.st_ino,
        "device": stat.st_dev,
    }
