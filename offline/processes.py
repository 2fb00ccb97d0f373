"""Worker processes that end with whoever started them, whatever ends it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import ParamSpec, TypeVar

from rtasmr.errors import DataError

_NO_TRACKER_WARNING = "ignore:resource_tracker:UserWarning"

P = ParamSpec("P")
T = TypeVar("T")


def open_pool(
    n_processes: int, scheduler: str | None = None, *, fresh: bool = False
) -> AbstractContextManager[Executor]:
    """Return processes of this machine, or the cluster behind the Dask scheduler at an address.

    ``fresh`` is for processes of this machine, see `worker_pool`.

    Raises
    ------
    RtasmrError
        As `worker_pool` and `cluster.cluster_pool`.
    """
    if scheduler is None:
        return worker_pool(n_processes, fresh=fresh)
    from offline.cluster import cluster_pool  # here: nobody else needs Dask

    return cluster_pool(scheduler)


def run_apart(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a process of its own, so that what it loads and takes of memory goes with it.

    A process that has loaded torch keeps half a gigabyte; beside workers that train, that is too much.

    Raises
    ------
    DataError
        The process was ended from outside.
    """
    with worker_pool(1) as pool:
        return pool.submit(function, *args, **kwargs).result()


@contextmanager
def worker_pool(n_processes: int, *, fresh: bool = False) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of fresh interpreters; when the block fails, what they compute is dropped at once.

    With ``fresh`` every call has an interpreter of its own: what libraries keep of memory does not add up.

    Raises
    ------
    DataError
        A process was ended from outside.
    """
    _start_tracker()
    ignores_interrupt = _keep_ignoring_interrupt()
    # Fresh interpreters: a fork would copy the locks of libraries that run threads.
    context = multiprocessing.get_context("spawn")
    ended, still_wanted = context.Pipe(duplex=False)
    arguments = (ended, ignores_interrupt)
    pool = ProcessPoolExecutor(
        n_processes, context, _start_worker, arguments, max_tasks_per_child=1 if fresh else None
    )
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


def _start_tracker() -> None:
    """Start the process that removes the semaphores of a killed run, without its warning about them.

    After SIGKILL or SIGTERM nobody else can remove them. It does, so nothing leaks; its warning reads as if
    something did, below a command that was ended on purpose.
    """
    if os.name != "posix":
        return
    name = "PYTHONWARNINGS"
    before = os.environ.get(name)
    os.environ[name] = _NO_TRACKER_WARNING if before is None else f"{before},{_NO_TRACKER_WARNING}"
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _keep_ignoring_interrupt() -> bool:
    """Return whether this process ignores SIGINT, as one in the background of a script does.

    If so, processes that it starts do as well: Polars, once imported, has set a handler below Python's, and
    a process inherits that a signal is ignored, but no handler.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        return False
    if threading.current_thread() is threading.main_thread():  # no other may
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return True


def _start_worker(ended: Connection, ignores_interrupt: bool) -> None:
    # Ctrl-C reaches all processes of a terminal: end without a word, the parent has one. A run in the
    # background of a script was started to ignore it, and so do its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignores_interrupt else signal.SIG_DFL)
    threading.Thread(target=_leave_when_unwanted, args=(ended,), daemon=True).start()


def _leave_when_unwanted(ended: Connection) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    wait([parent.sentinel, ended])
    os._exit(1)
