"""Units of feature work from the cache, or side by side in processes of their own or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from offline.cache import Entry, FeatureCache, content_key
from offline.processes import open_pool
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
    scheduler: str | None = None,
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
    scheduler : str or None
        Address of a Dask scheduler whose workers compute instead; they share the file system.

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
    if n_processes <= 1 and (scheduler is None or not missing):
        for number, unit in missing:
            yield number, _run(unit, cache, encoder_folder, provider)
        return
    folders = cache.folder.absolute(), encoder_folder.absolute()
    with open_pool(n_processes, scheduler) as pool:
        futures: dict[Future[Done], int] = {}
        for number, unit in missing:
            there = replace(unit, path=unit.path.absolute())
            futures[pool.submit(_run_in_worker, there, *folders, provider)] = number
        for future in as_completed(futures):
            yield futures[future], future.result()


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
