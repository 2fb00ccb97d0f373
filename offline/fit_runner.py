"""Runs training units in this process, side by side in others or on a cluster, and tells how far they are."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from pathlib import Path

from offline.clip_study import ClipStudy
from offline.device import Device
from offline.fits import Fit, FitResult, load_fit
from offline.processes import open_pool
from offline.time_left import TimeLeft
from rtasmr.errors import ConfigError, DataError
from rtasmr.progress import Report

POLL_S = 0.5
"""How often the progress of other processes is looked at."""

GPU_JOBS = 4
"""Processes that share a GPU by default: enough to fill it, few enough for the memory of a small one."""

SHARE_FILE = "share"
"""In the folder of a unit while it is computed: how much of it is done, 0 to 1."""

_SHARE = struct.Struct("=d")
_ONE_AT_A_TIME = threading.Lock()


class FitRunner:
    """Runs units of work that are not finished yet, and reports how far they are.

    Parameters
    ----------
    study : ClipStudy
    work : Path
        Folder of the units.
    device : {"cpu", "cuda"}
    jobs : int or None
    progress : callable or None
    scheduler : str or None
        Address of a Dask scheduler whose workers compute instead; they share the file system.
    """

    def __init__(
        self,
        study: ClipStudy,
        work: Path,
        device: Device,
        jobs: int | None,
        progress: Report | None,
        scheduler: str | None = None,
    ) -> None:
        n_processors = os.cpu_count() or 1
        if jobs is None:
            jobs = min(n_processors, GPU_JOBS) if device == "cuda" else n_processors
        if jobs < 1:
            raise ConfigError(f"--jobs: expected 1 or more, got {jobs}")
        self._study = study
        self._work = work
        self._device = device
        self._jobs = jobs
        self._scheduler = scheduler
        # Workers of a cluster are as good as jobs by default here, and then give the same bits.
        self._n_threads = 1 if scheduler else max(1, n_processors // jobs)
        self._progress = progress
        self._before: list[Fit] = []

    def run(self, fits: Sequence[Fit], later: Sequence[Fit] = ()) -> list[FitResult]:
        """Return the result of every unit, in order.

        Parameters
        ----------
        fits : sequence of Fit
        later : sequence of Fit
            Units that another call will run; the progress leaves room for them.
        """
        folders = [self._work / fit.folder_name(self._study.digest(), self._device) for fit in fits]
        found = [self._load(fit, folder) for fit, folder in zip(fits, folders, strict=True)]
        missing = [i for i, result in enumerate(found) if result is None]
        there = [fit for fit, result in zip(fits, found, strict=True) if result is not None]
        meter = _Meter(self._progress, [*self._before, *there], [fits[i] for i in missing], later)
        for i in self._compute([(fits[i], folders[i]) for i in missing], meter):
            number = missing[i]
            found[number] = self._load(fits[number], folders[number])
        self._before.extend(fits)
        lost = [str(folder) for folder, result in zip(folders, found, strict=True) if result is None]
        if lost:
            raise DataError(f"{lost[0]}: expected the result just written, found none; check the disk")
        return [result for result in found if result is not None]

    def _load(self, fit: Fit, folder: Path) -> FitResult | None:
        return load_fit(fit, folder, self._study.trials)

    def _compute(self, units: Sequence[tuple[Fit, Path]], meter: _Meter) -> Iterator[int]:
        """Compute units and yield the position of each, as they finish."""
        n_processes = min(self._jobs, len(units))
        shares = [0.0] * len(units)
        meter.show(shares)
        if not units:
            return
        if n_processes <= 1 and self._scheduler is None:
            # Not at the top: beside processes that train, this one does without what it takes.
            from offline.fitting import compute_fit

            for i, (fit, folder) in enumerate(units):

                def on_share(share: float, i: int = i) -> None:
                    shares[i] = share
                    meter.show(shares)

                compute_fit(fit, self._study, folder, self._device, self._n_threads, on_share)
                on_share(1.0)
                yield i
            return
        study, folders = self._study.absolute(), [folder.absolute() for _, folder in units]
        for folder in folders:
            (folder / SHARE_FILE).unlink(missing_ok=True)  # of a run that was killed
        with open_pool(n_processes, self._scheduler, fresh=self._device == "cpu") as pool:
            waiting: dict[Future[None], int] = {}
            for i, (fit, _) in enumerate(units):
                arguments = (fit, study, folders[i], self._device, self._n_threads)
                waiting[pool.submit(_compute_in_worker, *arguments)] = i
            while waiting:
                done, _ = wait(waiting, POLL_S, FIRST_COMPLETED)
                for future in done:
                    future.result()
                    i = waiting.pop(future)
                    shares[i] = 1.0
                    yield i
                for i in waiting.values():
                    shares[i] = _read_share(folders[i], shares[i])
                meter.show(shares)


class _Meter:
    """Tells progress over all units: how many are finished, and how long the rest will take.

    Parameters
    ----------
    report : callable or None
    there, missing, later : sequence of Fit
        Units that are finished, that are computed now, and that come after them.
    """

    def __init__(
        self, report: Report | None, there: Sequence[Fit], missing: Sequence[Fit], later: Sequence[Fit]
    ) -> None:
        self._report = report
        self._n_there = len(there)
        self._n_total = len(there) + len(missing) + len(later)
        self._costs = [fit.cost for fit in missing]
        self._cost_there = sum(fit.cost for fit in there)
        to_do = sum(self._costs) + sum(fit.cost for fit in later)
        self._cost_total = self._cost_there + to_do
        self._left = TimeLeft(to_do)

    def show(self, shares: Sequence[float]) -> None:
        """Report, given the share done of each unit that is computed now."""
        if self._report is None:
            return
        n_done = self._n_there + sum(share >= 1 for share in shares)
        done = sum(cost * share for cost, share in zip(self._costs, shares, strict=True))
        left = self._left.in_words(done)
        text = f"{n_done} of {self._n_total} trainings" + (f", {left}" if left else "")
        self._report(text, (self._cost_there + done) / self._cost_total)


def _read_share(folder: Path, before: float) -> float:
    """Return how far a unit in another process is, at least as far as ``before``."""
    try:
        (share,) = _SHARE.unpack((folder / SHARE_FILE).read_bytes())
    except (OSError, struct.error):
        return before  # not begun, finished by now, or just being written
    return max(before, float(share))


def _compute_in_worker(fit: Fit, study: ClipStudy, folder: Path, device: Device, n_threads: int) -> None:
    """Compute a unit, on whatever machine; how far it is stands in its folder, which all can read."""
    from offline.fitting import compute_fit

    # Torch's seed and threads belong to the process, and a worker of a cluster may run several units in one.
    with _ONE_AT_A_TIME:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        told = folder / SHARE_FILE
        compute_fit(fit, study, folder, device, n_threads, lambda share: _write_share(told, share))
        told.unlink(missing_ok=True)


def _write_share(path: Path, share: float) -> None:
    with suppress(OSError):  # whoever writes the result will say what is wrong
        path.write_bytes(_SHARE.pack(share))
