"""Work on other machines: a Dask cluster whose workers share the file system with this process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from typing import Any

from rtasmr.errors import ConfigError, DataError

CONNECT_S = 10.0
"""How long the scheduler may take to answer."""


@contextmanager
def cluster_pool(address: str) -> Iterator[Executor]:
    """Yield the workers behind a Dask scheduler; when the block fails, what waits there is dropped.

    Every worker needs this version of rtasmr and the folders of data, cache and results under the same
    paths. Workers are best started with one thread each: a training takes one, and one process trains one
    network at a time.

    Parameters
    ----------
    address : str
        Such as ``tcp://node1:8786``.

    Raises
    ------
    ConfigError
        Dask is not installed, nobody answers there, or no worker is connected.
    DataError
        The cluster lost a piece of work or ended.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise ConfigError(
            "--scheduler: expected Dask, found none; run 'pip install rtasmr[cluster]'"
        ) from error
    try:
        client: Any = Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--scheduler: expected a running Dask scheduler at {address!r}, found none; start 'dask "
            "scheduler', then 'dask worker ADDRESS --nthreads 1', and give the address it prints"
        ) from error
    with client:
        if not client.nthreads():
            raise ConfigError(
                f"--scheduler: expected workers at {address}, found none; start 'dask worker {address} "
                "--nthreads 1'"
            )
        pool = client.get_executor(pure=False)
        try:
            yield pool
        except BaseException as error:
            pool.shutdown(wait=False)
            if isinstance(error, (KilledWorker, CancelledError)):
                raise DataError(
                    f"the cluster at {address} lost work, perhaps for want of memory; finished work is kept: "
                    "look at its workers and run again"
                ) from error
            raise
        else:
            pool.shutdown()
