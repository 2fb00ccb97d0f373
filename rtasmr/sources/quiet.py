"""Keep what a C library writes to standard error from the user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Throw away what this process writes to file descriptor 2 inside.

    ALSA prints a page for every input that it tries in vain; what failed comes as an exception as well.
    """
    kept = os.dup(_STDERR)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (no path of the file system)
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
