"""Worker processes that end with whoever started them, whatever ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait

from rtasmr.errors import DataError


@contextmanager
def worker_pool(n_processes: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of fresh interpreters; when the block fails, what they compute is dropped at once.

    Raises
    ------
    DataError
        A process was ended from outside.
    """
    # Fresh interpreters: a fork would copy the locks of libraries that run threads.
    context = multiprocessing.get_context("spawn")
    ended, still_wanted = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(n_processes, context, _start_worker, (ended,))
    try:
        yield pool
    except BaseException as error:
        # Nobody waits for what is still being computed, after Ctrl-C least of all.
        still_wanted.close()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise DataError(
                f"one of {n_processes} processes was ended from outside, perhaps for want of memory; "
                "finished work is kept: run again with fewer --jobs"
            ) from error
        raise
    else:
        pool.shutdown()
    finally:
        still_wanted.close()
        ended.close()


def _start_worker(ended: Connection) -> None:
    # Ctrl-C reaches all processes of a terminal: end without a word, the parent has one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_leave_when_unwanted, args=(ended,), daemon=True).start()


def _leave_when_unwanted(ended: Connection) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    wait([parent.sentinel, ended])
    os._exit(1)
