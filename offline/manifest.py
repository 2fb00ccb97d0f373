"""What a downloaded data set consists of: every file with its checksum, and whether all is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from offline.atomic import not_written, replacing
from offline.fetch import file_digest
from rtasmr.dataset import DOWNLOAD_MARKER
from rtasmr.dataset_zip import Unpacked
from rtasmr.errors import DataError


@dataclass
class Manifest:
    """Content of ``download.json``.

    Parameters
    ----------
    source : str
        Address of the record, or names of local archives.
    title, doi, version : str
        As the record gives them.
    complete : bool
        Whether everything is there.
    archives : dict
        By name of the published file: its checksum, and the files that came from it.
    """

    source: str
    title: str = ""
    doi: str = ""
    version: str = ""
    complete: bool = False
    archives: dict[str, Archive] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path) -> Manifest | None:
        """Read the manifest of a data set; None where there is none.

        Raises
        ------
        DataError
            It is no manifest of ours.
        """
        path = root / DOWNLOAD_MARKER
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            archives = {
                name: Archive(entry["checksum"], tuple(Unpacked(**file) for file in entry["files"]))
                for name, entry in content.pop("archives").items()
            }
            return cls(**content, archives=archives)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: expected a list of downloaded files, got something else ({error}); "
                "remove it and download again"
            ) from error

    def save(self, root: Path) -> None:
        """Write the manifest, completely or not at all.

        Raises
        ------
        DataError
            The folder can not be written.
        """
        try:
            with replacing(root / DOWNLOAD_MARKER) as part:
                part.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(not_written(root, error, "another folder")) from error

    def files(self) -> Iterator[Unpacked]:
        """Yield all files of the set."""
        for archive in self.archives.values():
            yield from archive.files


@dataclass(frozen=True)
class Archive:
    """A published file and what came from it; a file that is no archive came from itself."""

    checksum: str
    files: Sequence[Unpacked]

    def damaged(self, root: Path) -> list[str]:
        """Return the places of files that are missing or not as they were downloaded."""
        return [file.target for file in self.files if not _is_whole(root / file.target, file)]


def _is_whole(path: Path, file: Unpacked) -> bool:
    if not path.is_file() or path.stat().st_size != file.n_bytes:
        return False
    return file_digest(path, "sha256") == file.sha256
