"""What names a machine or its user, taken out of text before it is stored."""

from __future__ import annotations

import getpass
import re
import socket
from contextlib import suppress
from functools import cache

REMOVED = "removed"

_MAC = re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])")
_PATH = re.compile(
    r"(?<![\w.~:/])(?:~|/(?!/))[^\s\"'<>|:;,]*/[^\s\"'<>|:;,]+"  # two levels at least: "and/or" stays
    r"|(?<!\w)[A-Za-z]:\\[^\s\"'<>|:;,]+"
    r"|\\\\[\w.-]+\\[^\s\"'<>|:;,]+"
)
_MIN_NAME = 3
"""Shorter names of hosts and users are words of every text."""

_COMMON_NAMES = frozenset({"localhost", "root", "user", "admin", "python", "test", "lab"})


def without_places(text: str) -> str:
    """Return text without device addresses, absolute paths, and the names of this host and its user.

    Of a path its last part stays: which file it was, not where. Names count where they stand as whole
    words of three letters or more.
    """
    text = _MAC.sub(REMOVED, text)
    text = _PATH.sub(lambda found: re.split(r"[/\\]+", found[0].rstrip("/\\"))[-1], text)
    names = _own_names()
    return names.sub(REMOVED, text) if names is not None else text


@cache
def _own_names() -> re.Pattern[str] | None:
    host = socket.gethostname()
    names = {host, host.partition(".")[0]}
    with suppress(OSError, KeyError, ImportError):  # in some containers the user has no name
        names.add(getpass.getuser())
    names = {name for name in names if len(name) >= _MIN_NAME and name.casefold() not in _COMMON_NAMES}
    if not names:
        return None
    longest_first = sorted(map(re.escape, names), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(longest_first)})(?![\w-])")
