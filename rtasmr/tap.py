"""One LSL stream of any kind, all of it: what `rtasmr record` writes down."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.discovery import FoundStream
from rtasmr.raw_inlet import RawInlet, texts
from rtasmr.types import StreamSpec
from rtasmr.xdf_format import NUMPY_FORMATS, STRING
from rtasmr.xdf_xml import CorruptError, stream_info

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 3.0

_BUFFER_BYTES = 32 * 2**20
"""What a stalled recorder may leave waiting in liblsl, per stream."""

_NOT_XML = re.compile("&#(?:0[0-8]|1[124-9]|2[0-9]|3[01]);|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that no XML may hold; liblsl passes them on as they came, or as a reference."""

_TEXT_BYTES = 8
_MAX_BUFFER_S = 60
_MAX_PULL_BYTES = 4 * 2**20
_SAMPLES_PER_BUFFER_UNIT = 100
"""liblsl counts the buffer of an irregular stream in hundreds of samples."""


class Tap:
    """An open stream; all channels, in the format of its source.

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
        sample_bytes = _sample_bytes(found.spec)
        self._raw = RawInlet(
            found,
            "stream",
            texts if found.spec.dtype == STRING else np.copy,
            max_samples=int(np.clip(_MAX_PULL_BYTES // sample_bytes, 1, 65_536)),
            max_buflen=_buffer_length(found.spec.sfreq, sample_bytes),
            open_timeout_s=OPEN_TIMEOUT_S,
        )
        self.spec = _described(found, self._raw.description(OPEN_TIMEOUT_S))

    def close(self) -> None:
        """Disconnect."""
        self._raw.close()

    @property
    def n_bad_stamps(self) -> int:
        """Samples left out since their stamp is NaN or infinite."""
        return self._raw.n_bad_stamps

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
        return self._raw.pull()


def _sample_bytes(spec: StreamSpec) -> int:
    itemsize = NUMPY_FORMATS[spec.dtype].itemsize if spec.dtype in NUMPY_FORMATS else _TEXT_BYTES
    return itemsize * spec.n_channels


def _buffer_length(sfreq: float, sample_bytes: int) -> int:
    """Return liblsl's buffer length: seconds, or hundreds of samples of an irregular stream."""
    per_unit = sample_bytes * (sfreq if sfreq > 0 else _SAMPLES_PER_BUFFER_UNIT)
    return int(np.clip(_BUFFER_BYTES / per_unit, 1, _MAX_BUFFER_S))


def _described(found: FoundStream, xml: str) -> StreamSpec:
    """Return what a stream says of itself, nested metadata too; without them if they are no sound XML.

    Characters that cannot be recorded are left out, as the writer does.
    """
    heard = found.spec
    text = _NOT_XML.sub("", xml)
    try:
        told = stream_info(text.encode("utf-8", errors="replace")).spec
        return replace(
            told, name=heard.name, stype=heard.stype, source_id=heard.source_id, hostname=heard.hostname
        )
    except CorruptError as error:
        logger.warning("stream %s is recorded without its metadata: %s", found, error)
        return found.spec
