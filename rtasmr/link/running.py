"""Which runtimes of this user run on this machine, so that a window needs no path."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rtasmr.errors import DataError
from rtasmr.link.wire import FOLDER_PREFIX, LINK_NAME, LinkError, connect, read_link_file
from rtasmr.snapshot import decode_object

_MAX_ABOUT = 120
"""Letters of what a runtime says of itself."""


@dataclass(frozen=True, slots=True)
class RunningLink:
    """A runtime that answers: its link file, its process, and its name where one process serves several.

    ``about`` says what runs, ``since`` the time of day at which it began; either may be unknown.
    """

    link_file: Path
    pid: int
    name: str = ""
    about: str = ""
    since: str = ""

    @property
    def label(self) -> str:
        """What `find_link` knows it by."""
        return self.name or str(self.pid)

    @property
    def told(self) -> str:
        """The label with what is known of the run, for people."""
        known = ", ".join(part for part in (self.about, f"since {self.since}" * bool(self.since)) if part)
        return f"{self.label}: {known}" if known else self.label


def running_links() -> tuple[RunningLink, ...]:
    """Return the runtimes of this user that answer, by number of their process."""
    found = []
    for path in _own_link_files():
        try:
            content = decode_object(path.read_bytes())
            since = datetime.fromtimestamp(path.stat().st_mtime).strftime("%H:%M")
        except (OSError, DataError):
            continue  # gone, or being written
        pid, name = content.get("pid"), content.get("name")
        if type(pid) is int and isinstance(name, str) and not _is_stale(path):
            about = content.get("about")
            about = about[:_MAX_ABOUT] if isinstance(about, str) else ""
            found.append(RunningLink(path, pid, name, about, since))
    return tuple(sorted(found, key=lambda link: (link.pid, link.name)))


def find_link(label: str = "") -> Path:
    """Return the link file of the one runtime that runs, or of the one with this name or process number.

    Raises
    ------
    LinkError
        If there is none, or several to choose from.
    """
    links = running_links()
    if not links:
        raise LinkError(
            "expected a running runtime, got none: start one with 'rtasmr live' or 'rtasmr view VIDEO'"
        )
    told = "; ".join(link.told for link in links)
    if label:
        links = tuple(link for link in links if link.label == label)
        if len(links) != 1:
            raise LinkError(f"expected one of the runtimes that run ({told}), got {label}: name one")
    if len(links) > 1:
        raise LinkError(
            f"expected one running runtime, got {len(links)} ({told}): "
            f"name one, such as 'rtasmr window {links[-1].label}'"
        )
    return links[0].link_file


def remove_stale_links() -> None:
    """Remove the folders of this user's runtimes that were killed."""
    for path in _own_link_files():
        if _is_stale(path):
            shutil.rmtree(path.parent, ignore_errors=True)  # another runtime may be doing the same


def _own_link_files() -> Iterator[Path]:
    """Yield the link files in the temporary folder that belong to this user, link and folder."""
    for path in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/{LINK_NAME}"):
        # The temporary folder is everybody's: what another user left there is no runtime of ours.
        if all(_is_own(place) for place in (path.parent, path)):
            yield path


def _is_own(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return not path.is_symlink() and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


def _is_stale(path: Path) -> bool:
    """Return whether nobody listens where the link file points: its runtime was killed."""
    try:
        address, _ = read_link_file(path)
        connect(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except (LinkError, OSError):
        return False  # being written or removed, or too busy to answer: not ours to judge
    return False
