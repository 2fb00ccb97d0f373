"""One LSL stream of any kind, all of it: what `rtasmr record` writes down."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray
from pylsl.util import LostError
from pylsl.util import TimeoutError as LslTimeoutError

from rtasmr.discovery import FoundStream
from rtasmr.errors import StreamError, StreamLostError
from rtasmr.types import StreamSpec
from rtasmr.xdf_format import NUMPY_FORMATS
from rtasmr.xdf_xml import CorruptError, stream_info

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 3.0

_BUFFER_BYTES = 32 * 2**20
"""What a stalled recorder may leave waiting in liblsl, per stream."""

_MAX_BUFFER_S = 60
_MAX_PULL_BYTES = 4 * 2**20
_MAX_PULLS = 8
_CORRECTION_EVERY_S = 5.0
_SAMPLES_PER_BUFFER_UNIT = 100
"""liblsl counts the buffer of an irregular stream in hundreds of samples."""


class Tap:
    """An open stream; all channels, in the format of its source.

    liblsl's own recovery is off: it would hide a loss and what was lost with it.

    Parameters
    ----------
    found : FoundStream

    Raises
    ------
    StreamError
        If the stream does not describe itself or open in 3 s, or its format is not known.
    StreamLostError
        If it is gone.
    """

    def __init__(self, found: FoundStream) -> None:
        self.found = found
        n_channels = found.spec.n_channels
        self._dtype = NUMPY_FORMATS.get(found.spec.dtype)
        if self._dtype is None and found.spec.dtype != "string":
            raise StreamError(f"stream {found} is of a format that XDF does not know. Leave it out.")
        n_bytes = 8 * n_channels if self._dtype is None else self._dtype.itemsize * n_channels
        self._max_samples = int(np.clip(_MAX_PULL_BYTES // n_bytes, 1, 65_536))
        self._buffer: NDArray[Any] | None = None
        if self._dtype is not None:
            self._buffer = np.empty((self._max_samples, n_channels), dtype=self._dtype)
        self._correction_s = 0.0
        self._corrected_at = -math.inf
        self._inlet: pylsl.StreamInlet | None = pylsl.StreamInlet(
            found.info, max_buflen=_buffer_length(found.spec.sfreq, n_bytes), recover=False
        )
        try:
            described = self._inlet.info(OPEN_TIMEOUT_S).as_xml()
            if not found.is_own_host:
                self._correction_s = self._inlet.time_correction(OPEN_TIMEOUT_S)
                self._corrected_at = pylsl.local_clock()
            self._inlet.open_stream(OPEN_TIMEOUT_S)
        except LostError as error:
            raise StreamLostError(f"stream {found} is gone. Start its source again.") from error
        except LslTimeoutError as error:
            raise StreamError(
                f"stream {found} did not open within {OPEN_TIMEOUT_S:g} s. Restart its source."
            ) from error
        self.spec = _described(found, described)

    def close(self) -> None:
        """Disconnect."""
        self._inlet = None

    def pull(self) -> tuple[NDArray[np.float64], NDArray[Any]] | None:
        """Take what has arrived, without waiting; None if nothing has.

        Returns
        -------
        times : ndarray of shape (n_samples,), float64
            LSL seconds on this host's clock.
        data : ndarray of shape (n_samples, n_channels)
            Numbers, or str in an object array.

        Raises
        ------
        StreamLostError
            If the source is gone.
        """
        if self._inlet is None:
            raise StreamError(f"the tap of {self.found} is closed; open a new one.")
        parts: list[NDArray[Any]] = []
        stamps: list[NDArray[np.float64]] = []
        try:
            for _ in range(_MAX_PULLS):
                data, times = self._inlet.pull_chunk(
                    0.0, self._max_samples, dest_obj=self._buffer, as_numpy=True
                )
                if len(times):
                    parts.append(_texts(data) if self._buffer is None else data.copy())
                    stamps.append(times)
                if len(times) < self._max_samples:
                    break
            if stamps and not self.found.is_own_host:
                self._refresh_correction(self._inlet)
        except LostError as error:
            raise StreamLostError(f"stream {self.found} is gone. Start its source again.") from error
        if not stamps:
            return None
        return np.concatenate(stamps) + self._correction_s, np.concatenate(parts)

    def _refresh_correction(self, inlet: pylsl.StreamInlet) -> None:
        now = pylsl.local_clock()
        if now - self._corrected_at < _CORRECTION_EVERY_S:
            return
        self._corrected_at = now
        try:
            self._correction_s = inlet.time_correction(0.0)
        except LslTimeoutError:
            logger.warning("no new clock correction for %s; the last one stays in use", self.found)


def _buffer_length(sfreq: float, n_bytes: int) -> int:
    """Return liblsl's buffer length: seconds, or hundreds of samples of an irregular stream."""
    per_unit = n_bytes * (sfreq if sfreq > 0 else _SAMPLES_PER_BUFFER_UNIT)
    return int(np.clip(_BUFFER_BYTES / per_unit, 1, _MAX_BUFFER_S))


def _texts(data: NDArray[Any]) -> NDArray[Any]:
    texts = [raw.decode("utf-8", errors="replace") for raw in data.flat]
    return np.array(texts, dtype=object).reshape(data.shape)


def _described(found: FoundStream, xml: str) -> StreamSpec:
    """Return what a stream says of itself, nested metadata too; without them if they are no sound XML."""
    try:
        return replace(stream_info(xml.encode("utf-8", errors="replace")).spec, hostname=found.spec.hostname)
    except CorruptError as error:
        logger.warning("stream %s is recorded without its metadata: %s", found, error)
        return found.spec
