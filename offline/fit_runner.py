"""Runs training units in this process or side by side in others, and tells how far they are."""

from __future__ import annotations

import math
import os
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path

import torch

from offline.clip_study import ClipStudy
from offline.fits import Fit, FitResult, compute_fit, load_fit
from offline.processes import worker_pool
from rtasmr.errors import ConfigError, DataError
from rtasmr.progress import Report

POLL_S = 0.5
"""How often the progress of other processes is looked at."""

GPU_JOBS = 4
"""Processes that share a GPU by default: enough to fill it, few enough for the memory of a small one."""


class FitRunner:
    """Runs units of work that are not finished yet, and reports how far they are.

    Parameters
    ----------
    study : ClipStudy
    work : Path
        Folder of the units.
    device : torch.device
    jobs : int or None
    progress : callable or None
    """

    def __init__(
        self,
        study: ClipStudy,
        work: Path,
        device: torch.device,
        jobs: int | None,
        progress: Report | None,
    ) -> None:
        n_processors = os.cpu_count() or 1
        if jobs is None:
            jobs = min(n_processors, GPU_JOBS) if device.type == "cuda" else n_processors
        if jobs < 1:
            raise ConfigError(f"--jobs: expected 1 or more, got {jobs}")
        self._study = study
        self._work = work
        self._device = device
        self._jobs = jobs
        self._n_threads = max(1, n_processors // jobs)
        self._progress = progress
        self._n_before = 0

    def run(self, fits: Sequence[Fit], n_later: int = 0) -> list[FitResult]:
        """Return the result of every unit, in order.

        Parameters
        ----------
        fits : sequence of Fit
        n_later : int
            Units that another call will run; the progress leaves room for them.
        """
        folders = [self._work / fit.folder_name(self._study.digest(), self._device.type) for fit in fits]
        found = [self._load(fit, folder) for fit, folder in zip(fits, folders, strict=True)]
        missing = [i for i, result in enumerate(found) if result is None]
        n_total = self._n_before + len(fits) + n_later
        meter = _Meter(self._progress, self._n_before + len(fits) - len(missing), n_total)
        for i in self._compute([(fits[i], folders[i]) for i in missing], meter):
            number = missing[i]
            found[number] = self._load(fits[number], folders[number])
        self._n_before += len(fits)
        lost = [str(folder) for folder, result in zip(folders, found, strict=True) if result is None]
        if lost:
            raise DataError(f"{lost[0]}: expected the result just written, found none; check the disk")
        return [result for result in found if result is not None]

    def _load(self, fit: Fit, folder: Path) -> FitResult | None:
        return load_fit(fit, folder, self._study.trials)

    def _compute(self, units: Sequence[tuple[Fit, Path]], meter: _Meter) -> Iterator[int]:
        """Compute units and yield the position of each, as they finish."""
        n_processes = min(self._jobs, len(units))
        meter.show([0.0] * len(units))
        if n_processes <= 1:
            shares = [0.0] * len(units)
            for i, (fit, folder) in enumerate(units):

                def on_share(share: float, i: int = i) -> None:
                    shares[i] = share
                    meter.show(shares)

                compute_fit(fit, self._study, folder, self._device, self._n_threads, on_share)
                on_share(1.0)
                yield i
            return
        with tempfile.TemporaryDirectory() as scratch, worker_pool(n_processes) as pool:
            shares_file = _Shares.create(Path(scratch) / "shares", len(units))
            waiting: dict[Future[None], int] = {}
            for i, (fit, folder) in enumerate(units):
                arguments = (fit, self._study, folder, self._device, self._n_threads, shares_file, i)
                waiting[pool.submit(_compute_in_worker, *arguments)] = i
            while waiting:
                done, _ = wait(waiting, POLL_S, FIRST_COMPLETED)
                for future in done:
                    future.result()
                    i = waiting.pop(future)
                    shares_file.write(i, 1.0)
                    yield i
                meter.show(shares_file.read())


class _Meter:
    """Tells progress over all units: how many are finished, and how long the rest will take."""

    def __init__(self, report: Report | None, n_found: int, n_total: int) -> None:
        self._report = report
        self._n_found = n_found
        self._n_total = n_total
        self._started = time.monotonic()

    def show(self, shares: Sequence[float]) -> None:
        """Report, given the share done of each unit that was not found finished."""
        if self._report is None:
            return
        n_done = self._n_found + sum(share >= 1 for share in shares)
        text = f"{n_done} of {self._n_total} trainings"
        progressed, elapsed_s = sum(shares), time.monotonic() - self._started
        remaining = self._n_total - self._n_found - progressed
        if progressed > 0 and remaining > 0:
            left_s = elapsed_s * remaining / progressed
            text += f", {_in_words(left_s)} left"
        self._report(text, (self._n_found + progressed) / self._n_total)


def _in_words(duration_s: float) -> str:
    return "less than a minute" if duration_s < 60 else f"about {math.ceil(duration_s / 60)} min"


@dataclass(frozen=True)
class _Shares:
    """The share done of each unit, in a file that those who work and the one who watches have in common."""

    path: Path
    n_units: int

    @classmethod
    def create(cls, path: Path, n_units: int) -> _Shares:
        path.write_bytes(bytes(8 * n_units))
        return cls(path, n_units)

    def write(self, unit: int, share: float) -> None:
        with self.path.open("r+b") as file:
            file.seek(8 * unit)
            file.write(struct.pack("=d", share))

    def read(self) -> list[float]:
        return list(struct.unpack(f"={self.n_units}d", self.path.read_bytes()))


def _compute_in_worker(
    fit: Fit,
    study: ClipStudy,
    folder: Path,
    device: torch.device,
    n_threads: int,
    shares: _Shares,
    unit: int,
) -> None:
    compute_fit(fit, study, folder, device, n_threads, lambda share: shares.write(unit, share))
