"""Fixtures for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest


@pytest.fixture
def disk_of() -> Callable[[int], AbstractContextManager[None]]:
    """Return a context in which no file of this process grows beyond so many bytes, as on a full disk."""
    resource = pytest.importorskip("resource", reason="POSIX only")

    @contextmanager
    def limited(n_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
