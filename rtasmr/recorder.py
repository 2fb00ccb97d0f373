"""Recording while the rest of the program runs: a bounded queue and a thread that writes."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtasmr.errors import DataError
from rtasmr.types import StreamSpec
from rtasmr.xdf import RecordingFailedError, XdfWriter
from rtasmr.xdf_format import STRING, check_spec, checked_samples

logger = logging.getLogger(__name__)

WRITE_INTERVAL_S = 0.1
"""How often the thread writes: what a killed process loses at most, and one chunk per stream each time."""

MAX_QUEUE_BYTES = 64 * 2**20
"""Ten seconds of sound, pulse and uncompressed pictures."""

_TEXT_RESERVE_BYTES = 2**20
"""Room that only text may use: a full queue must not cost the participant's key presses."""

_BYTES_PER_TEXT = 64


@dataclass(frozen=True, slots=True)
class RecorderState:
    """How a recording stands.

    Parameters
    ----------
    path : Path
        The name the file has once closed; until then with ``.part`` behind it.
    seconds : float
        Time since the start; of a recording that failed, until the last moment that is all in the file.
    n_bytes : int
        Size of the file.
    overruns : int
        Chunks not recorded since the disk was too slow, failed, or the recording was closed.
    refused : int
        Chunks not recorded since their shape, type or stamps did not fit their stream.
    error : str or None
        Why the recording stopped, in one line.
    file : Path
        What is on disk at the moment: ``path``, or that with ``.part`` behind it.
    """

    path: Path
    seconds: float
    n_bytes: int
    overruns: int
    refused: int
    error: str | None
    file: Path

    @property
    def files(self) -> list[str]:
        """The file's name, or nothing if somebody took it away."""
        return [str(self.file)] if self.file.exists() else []


@dataclass(frozen=True, slots=True)
class _Samples:
    times: NDArray[np.float64]
    data: NDArray[Any]
    n_bytes: int


class Recorder:
    """Write streams to an XDF file from a thread of its own.

    Parameters
    ----------
    path : Path
        Wanted name; see `XdfWriter`.
    header : mapping of str to str
        Entries of the file header: ``participant`` (a pseudonymous code), ``consent``, ...
    max_queue_bytes : int
        What may wait for the disk.
    clock : callable
        Seconds, monotonic.

    Raises
    ------
    DataError
        The file can not be created.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, str],
        *,
        max_queue_bytes: int = MAX_QUEUE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = XdfWriter(path, header=header, clock=clock)
        self._clock = clock
        self._started = clock()
        self._written = self._started  # when what is in the file was taken
        self._stopped: float | None = None
        self._file = self._writer.part_path
        self._max_queue_bytes = max_queue_bytes
        self._specs: dict[str, StreamSpec] = {}
        self._numbers: dict[str, int] = {}  # of the streams in the file; the thread's own
        self._lock = threading.Lock()
        self._new_streams: list[str] = []
        self._queue: dict[str, list[_Samples]] = {}
        self._queued_bytes = 0
        self._overruns = 0
        self._refused = 0
        self._complained: set[str] = set()  # keys of the streams whose refusal was logged
        self.n_written: Counter[str] = Counter()
        """Samples in the file, by key of their stream."""
        self._error: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def add_stream(self, key: str, spec: StreamSpec) -> None:
        """Announce a stream under a key for `put`, at the start or later.

        Raises
        ------
        DataError
            The key is taken, or the stream can not be recorded.
        """
        if key in self._specs:
            raise DataError(f"recording: expected a new stream, {key!r} is recorded already; use another key")
        check_spec(spec)
        with self._lock:
            self._specs[key] = spec
            self._new_streams.append(key)

    def put(self, key: str, times: ArrayLike, data: ArrayLike) -> bool:
        """Hand over samples and return at once whether they were taken; what can not be taken is counted.

        Parameters
        ----------
        key : str
            As announced by `add_stream`; another one is a KeyError.
        times, data
            As in `XdfWriter.write`; not to be changed afterwards.
        """
        spec = self._specs[key]
        try:
            stamps, values = checked_samples(spec, np.asarray(times, dtype=np.float64), np.asarray(data))
        except DataError as error:
            with self._lock:
                self._refused += 1
                first = key not in self._complained
                self._complained.add(key)
            if first:
                logger.warning("not recorded: %s", error)
            return False
        is_text = spec.dtype == STRING
        n_bytes = stamps.nbytes + (_BYTES_PER_TEXT * values.size if is_text else values.nbytes)
        limit = self._max_queue_bytes + (_TEXT_RESERVE_BYTES if is_text else 0)
        with self._lock:
            if self._closing.is_set() or self._error is not None or self._queued_bytes + n_bytes > limit:
                self._overruns += 1
                return False
            self._queue.setdefault(key, []).append(_Samples(stamps, values, n_bytes))
            self._queued_bytes += n_bytes
        return True

    def snapshot(self) -> RecorderState:
        """Return how the recording stands."""
        now = self._clock() if self._stopped is None else self._stopped
        return RecorderState(
            path=self._writer.path,
            seconds=now - self._started,
            n_bytes=self._writer.n_bytes,
            overruns=self._overruns,
            refused=self._refused,
            error=self._error,
            file=self._file,
        )

    def close(self) -> Path:
        """Write what waits, close the file and return its name; again: the same.

        Raises
        ------
        RecordingFailedError
            The disk was full or failed, now or before; what is written can be read.
        """
        self._closing.set()
        self._thread.join()
        if self._stopped is None:
            self._stopped = self._clock()
        if self._error is not None:
            raise RecordingFailedError(self._error)
        return self._file

    def finish(self) -> str:
        """Close; return why the recording failed, in one line, or nothing if it did not."""
        try:
            self.close()
        except RecordingFailedError as failure:
            return str(failure)
        return ""

    def _run(self) -> None:
        try:
            while not self._closing.wait(WRITE_INTERVAL_S):
                self._write_pending()
            self._write_pending()
            self._file = self._writer.close()
        except RecordingFailedError as error:
            self._error = str(error)
            logger.error("%s", error)
        except BaseException as error:
            self._error = f"recording stopped by a defect of the program: {error!r}; please report it"
            raise
        finally:
            if self._error is not None:
                self._stopped = self._written
                with self._lock:
                    self._queue.clear()
                with suppress(RecordingFailedError):
                    self._file = self._writer.close()

    def _write_pending(self) -> None:
        with self._lock:
            taken = self._clock()
            new_streams, self._new_streams = self._new_streams, []
            queue, self._queue = self._queue, {}
        for key in new_streams:
            self._numbers[key] = self._writer.add_stream(self._specs[key])
        for key, samples in queue.items():
            times = np.concatenate([part.times for part in samples])
            data = np.concatenate([part.data for part in samples])
            self._writer.write(self._numbers[key], times, data)
            self.n_written[key] += len(times)
            with self._lock:
                self._queued_bytes -= sum(part.n_bytes for part in samples)
        self._written = taken
