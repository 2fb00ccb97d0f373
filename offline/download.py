"""The published data set and predictions: downloaded, verified, unpacked; a second run only verifies.

In the folder: ``log/``, ``ppg/`` and ``stim/``, ``download.json`` (`offline.manifest`), and while a download
lasts ``.download/`` with what is not finished. A file appears under its own name only once it is whole.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from offline.fetch import RemoteFile, fetch, file_digest
from offline.manifest import Archive, Manifest
from offline.web import Client, is_loopback
from offline.zenodo import read_record
from rtasmr.dataset import FOLDERS, SIMULATION_MARKER
from rtasmr.dataset_zip import (
    ZIP_SUFFIX,
    Unpacked,
    members,
    move_into_place,
    path_parts,
    place,
    unpack,
)
from rtasmr.errors import DataError
from rtasmr.progress import Report

logger = logging.getLogger(__name__)

RECORD_URL = "https://zenodo.org/api/records/18881334"
"""REST-ASMR, DOI 10.5281/zenodo.18881334."""

PREDICTIONS = RemoteFile(
    name="paper_fusion_results_4_fold.pkl",
    url="https://raw.githubusercontent.com/Tushardas2663/REST-ASMR-Pipeline/"
    "21fefb78c6ddd4b5cb9cf2d8ab025ef8cc43964c/data/paper_fusion_results_4_fold.pkl",
    checksum="sha256:cd03eb33f3cae98f9cdef6bff389a9ef1ec25cedc9eaa74bca3b1c2342e2375a",
    n_bytes=909_147,
)
"""The authors' own test predictions of the fusion model."""

STAGING = ".download"
PROGRESS_STEP = 0.01

FreeBytes = Callable[[Path], int]
"""Returns how many bytes fit on the disk of a folder."""


class What(StrEnum):
    """What to download."""

    DATASET = "dataset"
    PREDICTIONS = "predictions"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the published files are."""

    record_url: str = RECORD_URL
    predictions: RemoteFile = PREDICTIONS


PUBLISHED = Sources()


def free_bytes(folder: Path) -> int:
    """Return how many bytes fit on the disk of a folder, which need not exist yet."""
    there = folder.resolve()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def download(
    out: Path,
    what: What = What.ALL,
    *,
    sources: Sources = PUBLISHED,
    client: Client | None = None,
    free: FreeBytes = free_bytes,
    progress: Report | None = None,
) -> list[Path]:
    """Download into a folder and return the files that stand there, each verified.

    What is there already and whole is kept, without a request where nothing is missing; an interrupted
    download goes on where it stopped.

    Parameters
    ----------
    out : Path
        Becomes a data set as `rtasmr.dataset.DataSet` opens it; the predictions stand in it as well.
    what : What
    sources : Sources
        Another place of the same files, such as a mirror.
    client : Client or None
    free : callable
        Tells the room on a disk.
    progress : callable or None

    Raises
    ------
    DataError
        Something is not to be had, is damaged or does not fit on the disk. What was got stays for the
        next run.
    """
    _refuse_simulated(out)
    client = client or Client(allow_loopback=is_loopback(sources.record_url))
    paths: list[Path] = []
    errors: list[DataError] = []
    if what is not What.DATASET:
        try:
            paths.append(_download_predictions(out, sources.predictions, client, free, progress))
        except DataError as error:  # costs the data set nothing: another publisher keeps it
            errors.append(error)
    if what is not What.PREDICTIONS:
        try:
            paths += _download_dataset(out, sources.record_url, client, free, progress)
        except DataError as error:
            errors.append(error)
    if errors:
        raise DataError(" | ".join(map(str, errors))) from errors[0]
    return paths


def unpack_local(
    source: Path, out: Path, *, free: FreeBytes = free_bytes, progress: Report | None = None
) -> list[Path]:
    """Unpack archives that were downloaded by other means into a data set folder; return its files.

    The archives stay. A later `download` into ``out`` compares them with the record and gets what differs.

    Parameters
    ----------
    source : Path
        A zip archive, or a folder with zip archives.
    out, free, progress
        As in `download`.

    Raises
    ------
    DataError
        There is no archive, one can not be unpacked, or together they hold no whole data set.
    """
    archives = [source] if source.is_file() else sorted(source.glob("*.[zZ][iI][pP]"))
    if not archives:
        raise DataError(f"{source}: expected a zip archive or a folder with some, found none; name another")
    manifest = Manifest.load(out)
    if manifest is None:
        _refuse_simulated(out)
        manifest = Manifest(source=", ".join(archive.name for archive in archives))
    manifest.complete = False
    manifest.save(out)
    for number, archive in enumerate(archives):
        if progress is not None:
            progress(f"unpacking {archive.name}", number / len(archives))
        _take_in(out, manifest, archive.name, f"md5:{file_digest(archive, 'md5')}", archive, free)
    return _finish(out, manifest)


def _download_predictions(
    out: Path, file: RemoteFile, client: Client, free: FreeBytes, progress: Report | None
) -> Path:
    target = out / file.name
    if target.exists():
        if file_digest(target, file.algorithm) == file.digest:
            return target
        logger.warning("%s is not as published; getting it again", target)
    part = _part_of(out, file)
    _require_room(out, (file.n_bytes or 0) - _size(part), free)
    meter = _Meter(progress, file.n_bytes or 0)
    fetch(client, file, part, lambda n_bytes: meter.tell(file.name, n_bytes))
    move_into_place(part, target)
    _remove_staging(out)
    return target


def _download_dataset(
    out: Path, url: str, client: Client, free: FreeBytes, progress: Report | None
) -> list[Path]:
    manifest = Manifest.load(out)
    whole = _verify(out, manifest, progress) if manifest is not None else {}
    if manifest is not None and manifest.complete and whole.keys() == manifest.archives.keys():
        return _finish(out, manifest)
    record = read_record(client, url)
    manifest = manifest or Manifest(source=url)
    if manifest.doi not in ("", record.doi):
        raise DataError(
            f"{out}: expected an empty folder or files of {record.doi}, found those of {manifest.doi}; "
            "name another folder"
        )
    manifest.source, manifest.title, manifest.doi, manifest.version = (
        url,
        record.title,
        record.doi,
        record.version,
    )
    wanted = [file for file in record.files if whole.get(file.name) != file.checksum]
    _require_room(out, _needed_bytes(out, wanted), free)
    manifest.complete = False
    manifest.save(out)
    meter = _Meter(progress, sum(file.n_bytes or 0 for file in wanted))
    for file in wanted:
        archive = _fetch_archive(out, file, client, meter)
        _take_in(out, manifest, file.name, file.checksum, archive, free)
        archive.unlink(missing_ok=True)
    return _finish(out, manifest)


def _verify(out: Path, manifest: Manifest, progress: Report | None) -> dict[str, str]:
    """Return name and checksum of the published files of which everything is there and unchanged."""
    whole = {}
    for number, (name, archive) in enumerate(manifest.archives.items()):
        if progress is not None:
            progress(f"verifying {name}", number / len(manifest.archives))
        damaged = archive.damaged(out)
        for target in damaged:
            logger.warning("%s is missing or changed; getting %s again", out / target, name)
        if not damaged:
            whole[name] = archive.checksum
    return whole


def _fetch_archive(out: Path, file: RemoteFile, client: Client, meter: _Meter) -> Path:
    """Get a published file and return where it stands, whole, under its own name."""
    part = _part_of(out, file)
    archive = out / STAGING / path_parts(file.name)[-1]
    if archive.exists():  # an earlier run ended while it was unpacked
        archive.replace(part)
    fetch(client, file, part, lambda n_bytes: meter.tell(file.name, n_bytes))
    meter.add(file.n_bytes or 0)
    meter.tell(f"unpacking {file.name}", 0)
    part.replace(archive)
    return archive


def _take_in(out: Path, manifest: Manifest, name: str, checksum: str, archive: Path, free: FreeBytes) -> None:
    """Put what a published file holds into its places and enter it in the manifest."""
    known = manifest.archives.get(name)
    # A file that this very archive gave before, and that has changed since, is put right again.
    ours = known.files if known is not None and known.checksum == checksum else ()
    replaceable = {file.target for file in ours}
    if archive.suffix.lower() == ZIP_SUFFIX:
        absent = (member for member in members(archive) if not (out / member.target).exists())
        _require_room(out, sum(member.n_bytes for member in absent), free)
        files = unpack(archive, out, out / STAGING, replaceable)
    else:
        files = [_put(archive, out, place(name), replaceable)]
    manifest.archives[name] = Archive(checksum, tuple(files))
    manifest.save(out)


def _put(file: Path, out: Path, target: str, replaceable: Collection[str]) -> Unpacked:
    """Move a file that is no archive into its place."""
    digest, path = file_digest(file, "sha256"), out / target
    if path.exists() and target not in replaceable and file_digest(path, "sha256") != digest:
        raise DataError(f"{path}: expected the published file, found another; move it away first")
    move_into_place(file, path)
    return Unpacked(target, path.stat().st_size, digest)


def _finish(out: Path, manifest: Manifest) -> list[Path]:
    """Mark the data set complete if it is one, and return its files."""
    held = [file.target for file in manifest.files()]
    missing = [name for name in FOLDERS if not any(target.startswith(f"{name}/") for target in held)]
    if missing:
        raise DataError(
            f"{out}: expected files for log/, ppg/ and stim/, got none for {' and '.join(missing)} from "
            f"{', '.join(manifest.archives)}; see whether the archives have a new form"
        )
    if not manifest.complete:
        manifest.complete = True
        manifest.save(out)
    _remove_staging(out)
    return [out / target for target in held]


def _refuse_simulated(out: Path) -> None:
    if (out / SIMULATION_MARKER).exists():
        raise DataError(f"{out}: expected a folder for real data, found a simulated set; name another folder")


def _needed_bytes(out: Path, files: Iterable[RemoteFile]) -> int:
    """Return the least room that a download takes: what is missing, and the largest archive unpacked."""
    sizes = {file: file.n_bytes or 0 for file in files}
    missing = sum(size - _size(_part_of(out, file)) for file, size in sizes.items())
    archives = [size for file, size in sizes.items() if file.name.lower().endswith(ZIP_SUFFIX)]
    return missing + max(archives, default=0)


def _require_room(out: Path, n_bytes: int, free: FreeBytes) -> None:
    n_free = free(out)
    if n_bytes > n_free:
        raise DataError(
            f"{out}: at least {n_bytes / 1e9:.3f} GB are needed, {n_free / 1e9:.3f} GB are free; "
            "make room or name another folder"
        )


def _part_of(out: Path, file: RemoteFile) -> Path:
    """Return where a file grows: named by its checksum, so that parts of two versions never mix."""
    return out / STAGING / f"{file.digest}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _remove_staging(out: Path) -> None:
    """Remove the folder of unfinished files once nothing is unfinished."""
    staging = out / STAGING
    if staging.is_dir() and not any(staging.iterdir()):
        staging.rmdir()


class _Meter:
    """Turns bytes into a share of the whole, told in steps of a percent."""

    def __init__(self, progress: Report | None, n_total: int) -> None:
        self._progress = progress
        self._n_total = max(1, n_total)
        self._n_before = 0
        self._told = ("", -1.0)

    def add(self, n_bytes: int) -> None:
        """Count a finished file."""
        self._n_before += n_bytes

    def tell(self, what: str, n_bytes: int) -> None:
        """Tell what is being done and how much of the current file is there."""
        share = min(1.0, (self._n_before + n_bytes) / self._n_total)
        if self._progress is not None and (what != self._told[0] or share - self._told[1] >= PROGRESS_STEP):
            self._progress(
                f"{what} ({(self._n_before + n_bytes) / 1e6:.0f} of {self._n_total / 1e6:.0f} MB)", share
            )
            self._told = (what, share)
