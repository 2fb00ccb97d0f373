"""Fixtures for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

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


@pytest.fixture
def memory_of() -> Callable[[int], AbstractContextManager[None]]:
    """Return a context in which this process gets at most so many bytes more; beyond, a MemoryError."""
    resource = pytest.importorskip("resource", reason="POSIX only")
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("no /proc here to tell how much memory is in use")

    @contextmanager
    def limited(n_bytes: int) -> Iterator[None]:
        in_use = int(statm.read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (in_use + n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    return limited
