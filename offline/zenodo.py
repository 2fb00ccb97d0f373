"""What a record of Zenodo, or of any InvenioRDM repository, holds: names, sizes, checksums, addresses.

References
----------
InvenioRDM REST API, "Records" and "Record files": https://inveniordm.docs.cern.ch/reference/rest_api_index/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from offline.fetch import RemoteFile
from offline.web import Client
from rtasmr.errors import DataError

_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One published record: title, DOI and version as it gives them, and its files."""

    url: str
    title: str
    doi: str
    version: str
    files: tuple[RemoteFile, ...]


def read_record(client: Client, url: str) -> Record:
    """Read a record through the API.

    Zenodo lists files with their download address under ``links.self``; InvenioRDM keeps them under
    ``files.entries``, by name or in a list, with ``links.content``, or behind ``links.files``. All are read.

    Parameters
    ----------
    client : Client
    url : str
        Of the record in the API, such as ``https://zenodo.org/api/records/18881334``.

    Raises
    ------
    DataError
        The record is not to be had, holds no public files, or is of another shape.
    """
    document = _mapping(client.get_json(url), url)
    entries = _entries(document.get("files"), url)
    if not entries:
        listing = _links(document).get("files")
        if isinstance(listing, str):
            answer = _mapping(client.get_json(urljoin(url, listing)), url)
            entries = _entries(answer, url)
    if not entries:
        raise DataError(f"{url}: expected a record with public files, found none; open it in a browser")
    metadata = document.get("metadata")
    said = metadata if isinstance(metadata, Mapping) else {}
    return Record(
        url=url,
        title=str(said.get("title", "")),
        doi=_doi(document, said),
        version=str(said.get("version", "")),
        files=tuple(_file(entry, url) for entry in entries),
    )


def _entries(files: object, url: str) -> list[Mapping[str, object]]:
    """Return the file entries of any of the shapes; none where there are none."""
    if isinstance(files, Mapping):
        files = files.get("entries")
        if isinstance(files, Mapping):
            files = [{"key": key, **_mapping(entry, url)} for key, entry in files.items()]
    return [_mapping(entry, url) for entry in files] if isinstance(files, list) else []


def _file(entry: Mapping[str, object], url: str) -> RemoteFile:
    name, n_bytes, checksum = entry.get("key"), entry.get("size"), entry.get("checksum")
    if not isinstance(name, str) or not isinstance(n_bytes, int) or not isinstance(checksum, str):
        raise DataError(
            f"{url}: expected key, size and checksum of every file, got {sorted(entry)}; "
            "the record's form has changed, download it in a browser"
        )
    # A bare checksum is MD5: so Zenodo wrote it before it named the kind.
    checksum = checksum if ":" in checksum else f"md5:{checksum}"
    if not _CHECKSUM.fullmatch(checksum):
        raise DataError(
            f"{url}: expected md5:… or sha256:… for {name}, got {checksum!r}; download it by hand"
        )
    links = _links(entry)
    link = links.get("content") or links.get("self")
    if not isinstance(link, str):
        link = f"{url.rstrip('/')}/files/{quote(name)}/content"
    return RemoteFile(name, urljoin(url, link), checksum, n_bytes)


def _doi(document: Mapping[str, object], metadata: Mapping[str, object]) -> str:
    identifiers = document.get("pids")
    entry = identifiers.get("doi") if isinstance(identifiers, Mapping) else None
    identifier = entry.get("identifier") if isinstance(entry, Mapping) else None
    return str(document.get("doi") or metadata.get("doi") or identifier or "")


def _links(entry: Mapping[str, object]) -> Mapping[str, object]:
    links = entry.get("links")
    return links if isinstance(links, Mapping) else {}


def _mapping(value: object, url: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise DataError(f"{url}: expected the record as JSON, got {type(value).__name__}; check the address")
    return value
