"""LSL outlets."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr import lslconfig
from rtasmr.closing import Closing
from rtasmr.errors import ConfigError, StreamError
from rtasmr.types import StreamSpec

_NUMPY_NAMES = {"double64": "float64"}
_BUFFER_S = 60
_BUFFER_PICTURES = 90
_PORT = re.compile(r"<v4(?:data|service)_port>(\d+)<")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")


class Outlet(Closing):
    """One published stream; use it as a context manager.

    Parameters
    ----------
    spec : StreamSpec
        What to publish. Picture streams carry no label per byte on the wire; a metadata key
        ``outer.inner`` becomes an element inside another.

    Raises
    ------
    ConfigError
        If a text of ``spec`` cannot stand in LSL metadata, or name or ``source_id`` is empty.

    Attributes
    ----------
    n_confined : int
        Sockets of the stream that hear this machine only; 0 where the system cannot do that.
    """

    def __init__(self, spec: StreamSpec) -> None:
        network = lslconfig.is_network_open()
        self.spec = spec
        self._outlet: pylsl.StreamOutlet | None = _open(spec)
        self._dtype = None if spec.dtype == "string" else np.dtype(_NUMPY_NAMES.get(spec.dtype, spec.dtype))
        self.n_confined = 0
        if not network:
            ports = (int(port) for port in _PORT.findall(self._outlet.get_info().as_xml()))
            self.n_confined = lslconfig.confine(ports)

    def close(self) -> None:
        """Withdraw the stream; consumers that have not read what was pushed lose it."""
        self._outlet = None

    def push(self, data: NDArray[Any], last_time: float) -> None:
        """Publish consecutive samples of a regular stream.

        Parameters
        ----------
        data : ndarray of shape (n_samples, n_channels), or (n_samples,) for one channel
        last_time : float
            LSL time of the last sample in seconds; the others follow from the rate.
        """
        if self.spec.sfreq <= 0:
            raise ValueError(f"stream {self.spec.name!r} is irregular: give each sample its stamp")
        self._opened().push_chunk(self._as_wire(data), last_time)

    def push_at(self, data: NDArray[Any], times: NDArray[np.float64]) -> None:
        """Publish samples with a stamp each.

        Parameters
        ----------
        data : ndarray of shape (n_samples, ...) or of str with shape (n_samples,)
            Pictures may come as uint8 of shape (n_samples, 224, 224, 3).
        times : ndarray of shape (n_samples,), float64
            LSL times in seconds, transmitted as given.
        """
        if len(times) != len(data):
            raise ValueError(f"expected one stamp per sample, got {len(times)} for {len(data)}")
        if self._dtype is None:
            for text, time_s in zip(data, times, strict=True):
                self._opened().push_sample([str(text)], float(time_s))
        else:
            self._opened().push_chunk(self._as_wire(data), times.tolist())

    def push_marker(self, text: str, time_s: float) -> None:
        """Publish one marker stamped ``time_s`` (LSL seconds)."""
        self._opened().push_sample([text], time_s)

    def have_consumers(self) -> bool:
        """Whether anybody takes this stream at the moment."""
        return bool(self._opened().have_consumers())

    def wait_for_consumers(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for a consumer; False if none came."""
        return bool(self._opened().wait_for_consumers(timeout))

    def _opened(self) -> pylsl.StreamOutlet:
        if self._outlet is None:
            raise StreamError(f"stream {self.spec.name!r} is closed; open a new Outlet to publish again.")
        return self._outlet

    def _as_wire(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return ``data`` as a contiguous (n_samples, n_channels) array of the stream's type."""
        wire = np.ascontiguousarray(data)
        if wire.dtype == np.uint8 and self._dtype == np.int8:
            wire = wire.view(np.int8)
        if wire.dtype != self._dtype:
            raise TypeError(f"stream {self.spec.name!r} carries {self._dtype}, got {wire.dtype}")
        return wire.reshape(len(wire), self.spec.n_channels)


def _open(spec: StreamSpec) -> pylsl.StreamOutlet:
    is_picture = spec.stype == "VideoRaw"
    _check_text("name", spec.name)
    _check_text("source_id", spec.source_id)
    if not spec.name:
        raise ConfigError("expected a name for the stream, got an empty one. Give one.")
    if not spec.source_id:
        raise ConfigError(f"stream {spec.name!r} needs a source_id, got an empty one. Name the device.")
    info = pylsl.StreamInfo(spec.name, spec.stype, spec.n_channels, spec.sfreq, spec.dtype, spec.source_id)
    root = info.desc()
    for key, value in spec.desc.items():
        if not _XML_NAME.fullmatch(key):
            raise ConfigError(f"expected a plain word as metadata key, got {key[:80]!r}. Rename it.")
        _check_text(key, value)
        *outer, leaf = key.split(".")
        place = root
        for name in outer:
            inside = place.child(name)
            place = place.append_child(name) if inside.empty() else inside
        place.append_child_value(leaf, value)
    # One entry per byte would make 10 MB of text; the layout entry says it all.
    if not is_picture:
        channels = root.append_child("channels")
        for label, unit, ch_type in zip_longest(spec.ch_names, spec.ch_units, spec.ch_types, fillvalue=""):
            channel = channels.append_child("channel")
            for key, value in (("label", label), ("unit", unit), ("type", ch_type)):
                _check_text(key, value)
                channel.append_child_value(key, value)
    if is_picture:
        return pylsl.StreamOutlet(
            info, max_buffered=_BUFFER_PICTURES, transport_flags=pylsl.transp_bufsize_samples
        )
    return pylsl.StreamOutlet(info, max_buffered=_BUFFER_S)


def _check_text(what: str, text: str) -> None:
    if match := _NOT_XML.search(text):
        raise ConfigError(
            f"expected {what} without control characters, got U+{ord(match.group()):04X} in it. Remove it."
        )
