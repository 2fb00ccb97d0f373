"""Units of feature work from the cache, or side by side in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from offline.cache import Entry, FeatureCache, content_key
from offline.units import Unit
from rtasmr.config import Provider
from rtasmr.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Done:
    """A unit that is finished: its entry, or the reason why there is none.

    Parameters
    ----------
    unit : Unit
    key : str
        Names input and parameters; empty after an error.
    entry : Entry or None
    computed : bool
        Whether it was computed now, not found in the cache.
    error : str
        Why the file could not be used.
    """

    unit: Unit
    key: str = ""
    entry: Entry | None = None
    computed: bool = False
    error: str = ""


def run_units(
    units: Sequence[Unit],
    cache: FeatureCache,
    encoder_folder: Path,
    provider: Provider = "auto",
    jobs: int | None = None,
) -> Iterator[tuple[int, Done]]:
    """Yield (position among ``units``, result) of every unit, as they finish.

    Each process holds one unit's data at a time, so memory grows with ``jobs`` and not with the data
    set. A finished unit is in the cache before it is yielded: a killed run loses what was in flight.

    Parameters
    ----------
    units : sequence of Unit
        Long ones first keep the processes busy to the end.
    cache : FeatureCache
    encoder_folder : Path
    provider : {"auto", "cuda", "cpu"}
    jobs : int or None
        Processes; as many as processors by default. 1 computes in this process.

    Raises
    ------
    RtasmrError
        If something other than a unit's file is at fault: the encoder, memory, ``jobs``.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs: expected 1 or more, got {jobs}")
    missing: list[tuple[int, Unit]] = []
    for number, unit in enumerate(units):
        found = _from_cache(unit, cache)
        if found is None:
            missing.append((number, unit))
        else:
            yield number, found
    n_processes = min(jobs or os.cpu_count() or 1, len(missing))
    if n_processes <= 1:
        for number, unit in missing:
            yield number, _run(unit, cache, encoder_folder, provider)
        return
    # Fresh interpreters: a fork would copy the locks of libraries that run threads.
    pool = ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn"), _start_worker)
    futures: dict[Future[Done], int] = {}
    try:
        for number, unit in missing:
            futures[pool.submit(_run_in_worker, unit, cache.folder, encoder_folder, provider)] = number
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise DataError(
            f"one of {n_processes} processes was ended from outside, perhaps for want of memory; finished "
            "work is kept: run again with fewer --jobs"
        ) from error
    finally:
        # After an error or Ctrl-C nobody waits for what is still being computed.
        pool.shutdown(wait=all(future.done() for future in futures), cancel_futures=True)


def _from_cache(unit: Unit, cache: FeatureCache) -> Done | None:
    """Return a unit whose file has not been touched since it was computed."""
    file_sha256 = cache.known_digest(unit.path)
    if file_sha256 is None:
        return None
    key = content_key(unit.content(file_sha256))
    entry = cache.get(key)
    return None if entry is None else Done(unit, key, entry)


def _run(unit: Unit, cache: FeatureCache, encoder_folder: Path, provider: Provider) -> Done:
    """Look once more, by the bytes of the file, then compute."""
    # Not at the top: decoders, ONNX Runtime and librosa take longer to load than a cached run does.
    from offline.compute import compute

    try:
        key = content_key(unit.content(cache.digest(unit.path)))
        entry = cache.get(key)
        if entry is not None:
            return Done(unit, key, entry)
        entry = compute(unit, encoder_folder, provider)
    except DataError as error:
        return Done(unit, error=str(error))
    cache.put(key, entry)
    return Done(unit, key, entry, computed=True)


def _run_in_worker(unit: Unit, cache_folder: Path, encoder_folder: Path, provider: Provider) -> Done:
    return _run(unit, FeatureCache(cache_folder), encoder_folder, provider)


def _start_worker() -> None:
    """End with the parent, whatever ends it."""
    # Ctrl-C reaches all processes of a terminal: end without a word, the parent has one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    parent.join()
    os._exit(1)
