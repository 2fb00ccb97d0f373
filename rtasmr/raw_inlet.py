"""One open LSL stream, as sent: the one place where samples are pulled and their clock is corrected."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtasmr.discovery import FoundStream
from rtasmr.errors import StreamError, StreamLostError
from rtasmr.xdf_format import NUMPY_FORMATS, STRING

logger = logging.getLogger(__name__)

MAX_PULLS = 8
"""Blocks taken per call, so that a backlog keeps nobody waiting for long."""

CORRECTION_EVERY_S = 5.0


class RawInlet:
    """An open stream; all channels, in the format of its source.

    liblsl's own recovery is off: it would hide a loss and what was lost with it.

    Parameters
    ----------
    found : FoundStream
    label : str
        What messages call the stream, such as ``ppg stream``.
    decode : callable
        Makes a copy of a pulled block of shape (n_samples, n_channels), which is written over by the next
        pull: an array whose first axis is that of the samples. Blocks of text hold bytes.
    max_samples : int
        Samples of a block.
    max_buflen : int
        What liblsl keeps for a reader that is busy: seconds of a regular stream, else hundreds of samples.
    open_timeout_s : float
        How long each step of connecting may take, in seconds.

    Raises
    ------
    StreamError
        If the format is none of LSL's, or the stream does not open in time.
    StreamLostError
        If it is gone.
    """

    def __init__(
        self,
        found: FoundStream,
        label: str,
        decode: Callable[[NDArray[Any]], NDArray[Any]],
        *,
        max_samples: int,
        max_buflen: int,
        open_timeout_s: float,
    ) -> None:
        self._name = f"{label} {found}"
        self._is_own_host = found.is_own_host
        self._decode = decode
        self._max_samples = max_samples
        self._buffer = self._new_buffer(found)
        self._corrected_at = -math.inf
        self.correction_s = 0.0
        """Seconds added to the stamps of another host; exactly 0 for this one."""
        self.n_bad_stamps = 0
        """Samples left out since their stamp is NaN or infinite."""
        inlet = pylsl.StreamInlet(found.info, max_buflen=max_buflen, recover=False)
        with self._answering(open_timeout_s):
            if not found.is_own_host:
                self.correction_s = float(inlet.time_correction(open_timeout_s))
                self._corrected_at = pylsl.local_clock()
            inlet.open_stream(open_timeout_s)
        self._inlet: pylsl.StreamInlet | None = inlet
        self.has_begun = False
        """Whether anything came yet, with a good stamp or a bad one."""
        self.heard_s = float(pylsl.local_clock())
        """When something came last, before that when the stream was opened, on this host's LSL clock."""

    def close(self) -> None:
        """Disconnect."""
        self._inlet = None

    def description(self, timeout_s: float) -> str:
        """Return what the stream says of itself, as XML.

        Raises
        ------
        StreamError
            If it does not answer within ``timeout_s`` seconds.
        StreamLostError
            If the source is gone.
        """
        with self._answering(timeout_s):
            return str(self._open_inlet().info(timeout_s).as_xml())

    def pull(self) -> tuple[NDArray[np.float64], NDArray[Any]] | None:
        """Take what has arrived, without waiting; None if nothing has.

        A call takes at most `MAX_PULLS` blocks; a longer backlog comes with the next calls.

        Returns
        -------
        times : ndarray of shape (n_samples,), float64
            LSL seconds on this host's clock, finite.
        data : ndarray of shape (n_samples, ...)
            As decoded.

        Raises
        ------
        StreamLostError
            If the source is gone.
        """
        inlet = self._open_inlet()
        parts: list[NDArray[Any]] = []
        stamps: list[NDArray[np.float64]] = []
        try:
            for _ in range(MAX_PULLS):
                block, times = inlet.pull_chunk(0.0, self._max_samples, dest_obj=self._buffer, as_numpy=True)
                if len(times):
                    parts.append(self._decode(block))
                    stamps.append(times)
                if len(times) < self._max_samples:
                    break
            if stamps and not self._is_own_host:
                self._refresh_correction(inlet)
        except LostError as error:
            raise self._lost() from error
        if not stamps:
            return None
        self.has_begun, self.heard_s = True, float(pylsl.local_clock())
        times, data = np.concatenate(stamps), np.concatenate(parts)
        is_time = np.isfinite(times)
        if not is_time.all():
            times, data = times[is_time], data[is_time]
            self._count_bad_stamps(len(is_time) - len(times))
            if len(times) == 0:
                return None
        return times + self.correction_s, data

    def _count_bad_stamps(self, n_bad: int) -> None:
        if not self.n_bad_stamps:
            logger.warning(
                "%s: samples whose stamp is no number are left out and counted; use the LSL clock",
                self._name,
            )
        self.n_bad_stamps += n_bad

    def _new_buffer(self, found: FoundStream) -> NDArray[Any] | None:
        """Return what numbers are pulled into; None for text, for which pylsl brings its own."""
        spec = found.spec
        if spec.dtype == STRING:
            return None
        if spec.dtype not in NUMPY_FORMATS:
            raise StreamError(f"{self._name} is of a format that is not known here. Leave it out.")
        return np.empty((self._max_samples, spec.n_channels), dtype=NUMPY_FORMATS[spec.dtype])

    def _open_inlet(self) -> pylsl.StreamInlet:
        if self._inlet is None:
            raise StreamError(f"{self._name} is closed; open a new inlet.")
        return self._inlet

    @contextmanager
    def _answering(self, timeout_s: float) -> Iterator[None]:
        """Tell what a stream that does not answer means."""
        try:
            yield
        except LostError as error:
            raise self._lost() from error
        except LslTimeoutError as error:
            raise StreamError(
                f"{self._name} did not open within {timeout_s:g} s. Restart its source."
            ) from error

    def _lost(self) -> StreamLostError:
        return StreamLostError(f"{self._name} is gone. Start its source again.")

    def _refresh_correction(self, inlet: pylsl.StreamInlet) -> None:
        now = pylsl.local_clock()
        if now - self._corrected_at < CORRECTION_EVERY_S:
            return
        self._corrected_at = now
        try:
            self.correction_s = float(inlet.time_correction(0.0))
        except LslTimeoutError:
            logger.warning("no new clock correction for %s; the last one stays in use", self._name)


def texts(block: NDArray[Any]) -> NDArray[Any]:
    """Return a block of bytes as str, in an object array of the same shape."""
    decoded = np.empty(block.size, dtype=object)
    decoded[:] = [raw.decode("utf-8", errors="replace") for raw in block.flat]
    return decoded.reshape(block.shape)
