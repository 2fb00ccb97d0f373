"""A pulse sensor on a serial port: Arduino with a PulseSensor, MAX3010x, or anything that writes numbers."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import serial
from serial.tools.list_ports import comports

from rtasmr.errors import ConfigError, RtasmrError
from rtasmr.sources.device import (
    BUILT_IN,
    DeviceBusyError,
    DeviceDataError,
    DeviceLostError,
    DeviceMissingError,
    DevicePermissionError,
    Health,
    Reading,
)
from rtasmr.sources.serial_format import AutoParser, BinaryParser, Parsed, TextParser
from rtasmr.stream_specs import ppg_spec
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

BAUDS = (9600, 19200, 38400, 57600, 115200, 230400, 250000, 460800, 500000, 921600, 1000000)
DEFAULT_BAUD = 115200
FORMATS = ("auto", "text", "binary")

MIN_SFREQ_HZ = 10.0
MAX_SFREQ_HZ = 5000.0
"""More does not fit through a serial line of 1 Mbaud in frames with a checksum."""

MEASURE_S = 10.0
MEASURE_SILENT_S = 5.0
WHOLE_RATIO = 0.005
"""A rate that was not given is measured over 10 s, and is a whole number if it is that by half a percent."""

MAX_SENSELESS_BYTES = 2048
MAX_WORDS_S = 4.0
"""Bytes, or seconds of text, without a sample after which the port is not what it was said to be."""

KEPT_BYTES = 512
SHOWN_LINES, SHOWN_CHARACTERS = 3, 40
READABLE_SHARE = 0.95
"""Of bytes that are text; at a wrong speed of the line half of them are none."""

GATHER_S = 0.008
"""After the first byte, wait this long for more: one read per byte would cost a core at high rates."""

MAX_READ_BYTES = 8192

UNKNOWN = "n/a"
"""What pyserial says of hardware that does not tell what it is."""

NO_UART = "0"
"""Linux, serial_core.h: PORT_UNKNOWN."""

_NOT_WORD = re.compile(r"[^A-Za-z0-9_.-]+")


class SerialPulse:
    """One channel of numbers from a serial port; see `Device`.

    Parameters
    ----------
    port : str
        ``/dev/ttyUSB0``, ``COM3``, or an URL that pyserial knows (``socket://host:port``).
    baud : int
        One of `BAUDS`.
    sfreq : float or None
        Rate in Hz; None measures it for 10 s after the first connection.
    column : str
        Heading, label or number of the column; empty takes the only one.
    framing : str
        One of `FORMATS`.
    """

    def __init__(
        self,
        port: str,
        *,
        baud: int = DEFAULT_BAUD,
        sfreq: float | None = None,
        column: str = "",
        framing: str = "auto",
    ) -> None:
        self._name = port
        self._baud = baud
        self._sfreq = sfreq
        self._column = column
        self._framing = framing
        self._port: Any = None
        self._parser = self._new_parser()
        self._meter = _RateMeter(self._name)
        self._senseless = _Senseless()

    @property
    def spec(self) -> StreamSpec | None:
        """What it publishes; None while its rate is being measured."""
        if self._sfreq is None:
            return None
        identity = _NOT_WORD.sub("-", Path(self._name).name or self._name)
        return ppg_spec(self._sfreq, source_id=f"rtasmr-serial-{identity}", channels=("raw",))

    def open(self) -> None:
        """Open the port; an Arduino restarts by that.

        Raises
        ------
        DeviceError
            If there is no such port, it is in use, or this user may not open it.
        ConfigError
            If the name is that of something else.
        """
        # Only a real port can be locked against other programs.
        lock = {} if "://" in self._name else {"exclusive": True}
        try:
            self._port = serial.serial_for_url(self._name, self._baud, **lock)
        except ValueError as error:
            raise ConfigError(f"{self._name}: {error}. Name a port such as /dev/ttyUSB0 or COM3.") from error
        except OSError as error:
            raise _refusal(self._name, error) from error
        self._parser = self._new_parser()
        self._meter = _RateMeter(self._name)
        self._senseless = _Senseless()

    def read(self, timeout_s: float) -> Reading | None:
        """Return the samples that have come; None if none has.

        Raises
        ------
        DeviceError
            If the port is gone, or what comes cannot be read.
        """
        data = self._read_bytes(timeout_s)
        arrival = float(pylsl.local_clock())
        n_good = self._parser.n_good
        parsed = self._parser.feed(data)
        if self._parser.n_good > n_good:
            self._senseless = _Senseless()
        else:
            self._senseless.add(data, arrival)
        self._check_sense(arrival)
        if self._sfreq is None:
            self._sfreq = self._meter.update(parsed, arrival)
            return None
        if len(parsed.samples) == 0:
            return None
        return Reading(parsed.samples[:, np.newaxis], arrival, parsed.counter)

    def close(self) -> None:
        """Let go of the port."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):  # it may have been unplugged
                port.close()

    def health(self) -> Health:
        """Return the speed of the line and what could not be read."""
        return Health(link=f"{self._baud} baud", errors=dict(self._parser.errors))

    def _read_bytes(self, timeout_s: float) -> bytes:
        if self._port is None:
            raise DeviceLostError(f"{self._name} is not open. Open it first.")
        try:
            self._port.timeout = timeout_s
            data = bytes(self._port.read(1))
            if data:
                time.sleep(GATHER_S)
                data += self._port.read(min(self._port.in_waiting, MAX_READ_BYTES))
        except OSError as error:
            raise DeviceLostError(f"{self._name} is gone ({_reason(error)}). Plug it in again.") from error
        return data

    def _check_sense(self, now: float) -> None:
        columns = self._parser.columns_seen if isinstance(self._parser, (TextParser, AutoParser)) else ()
        asked = f"a column {self._column!r}" if self._column else "one number per line"
        if columns and not self._parser.n_good:
            raise ConfigError(
                f"{self._name}: expected {asked}, got the columns {', '.join(columns[:8])}. "
                "Choose one with column= (rtasmr live --ppg serial:PORT,column=...) or --column."
            )
        senseless = self._senseless
        lines = senseless.as_text() if senseless.is_enough(now) else ()
        if lines:
            asked = "binary frames" if self._framing == "binary" else asked
            raise DeviceDataError(
                f"{self._name}: expected {asked}, got text such as {', '.join(lines)}. "
                "Have the sketch write that and nothing else; lines that start with # are left out."
            )
        if senseless.n_bytes > MAX_SENSELESS_BYTES:
            raise DeviceDataError(
                f"{self._name}: expected lines with numbers or frames at {self._baud} baud, got "
                f"{senseless.n_bytes} bytes without any. Set --baud to that of the sketch (Serial.begin)."
            )

    def _new_parser(self) -> AutoParser | TextParser | BinaryParser:
        if self._framing == "binary":
            return BinaryParser()
        return TextParser(self._column) if self._framing == "text" else AutoParser(self._column)


@dataclass(slots=True)
class _Senseless:
    """What has come since the last sample, and its beginning."""

    n_bytes: int = 0
    since: float = math.inf
    begin: bytes = b""

    def add(self, data: bytes, arrival: float) -> None:
        if data:
            self.since = min(self.since, arrival)
            self.n_bytes += len(data)
            self.begin = (self.begin + data)[:KEPT_BYTES]

    def is_enough(self, now: float) -> bool:
        return self.n_bytes > MAX_SENSELESS_BYTES or now - self.since > MAX_WORDS_S

    def as_text(self) -> tuple[str, ...]:
        """Return the first lines, escaped and cut; none if it is no text."""
        text = self.begin.decode("latin-1")
        n_readable = sum(
            character.isascii() and (character.isprintable() or character in "\t\r\n") for character in text
        )
        if n_readable < READABLE_SHARE * len(text):
            return ()
        whole = text.partition("\n")[2] or text  # the first line may have begun before we listened
        lines = dict.fromkeys(line.rstrip("\r")[:SHOWN_CHARACTERS] for line in whole.split("\n"))
        return tuple(repr(line) for line in lines if line.strip())[:SHOWN_LINES]


class _RateMeter:
    """Measures a rate that nobody gave.

    Parameters
    ----------
    port : str
        For messages.
    """

    def __init__(self, port: str) -> None:
        self._port = port
        self._heard: float | None = None
        self._first: tuple[int, float] | None = None
        self._n_samples = 0

    def update(self, parsed: Parsed, arrival: float) -> float | None:
        """Count samples; return the rate in Hz once it is known.

        Raises
        ------
        DeviceError
            If none come, or so few or many that they are no pulse.
        """
        n_new = len(parsed.samples)
        if self._heard is None or n_new:
            self._heard = arrival
        if arrival - self._heard > MEASURE_SILENT_S:
            raise DeviceLostError(
                f"{self._port}: expected samples to measure their rate, got none for {MEASURE_SILENT_S:g} s. "
                "Check what the device runs."
            )
        if n_new == 0:
            return None
        self._n_samples += n_new
        index = self._n_samples if parsed.counter is None else int(parsed.counter[-1])
        if self._first is None:
            self._first = index, arrival
        elapsed_s = arrival - self._first[1]
        if elapsed_s < MEASURE_S:
            return None
        measured = (index - self._first[0]) / elapsed_s
        if not MIN_SFREQ_HZ <= measured <= MAX_SFREQ_HZ:
            raise DeviceDataError(
                f"{self._port}: expected {MIN_SFREQ_HZ:g} to {MAX_SFREQ_HZ:g} samples per second, got "
                f"{measured:.4g}. Correct the sketch."
            )
        # A sketch is written for a whole number of samples per second; its clock is off by less than this.
        whole = round(measured)
        sfreq = float(whole) if abs(measured / whole - 1) < WHOLE_RATIO else float(f"{measured:.4g}")
        logger.info("%s: %.5g Hz measured; with --sfreq %g it starts at once", self._port, measured, sfreq)
        return sfreq


def serial_pulse(address: str, options: Mapping[str, str]) -> SerialPulse:
    """Return the sensor on port ``address``, not open yet; the options are text from the command line.

    Raises
    ------
    ConfigError
        If an option is not one of those possible.
    """
    baud = options.get("baud", str(DEFAULT_BAUD))
    if baud not in map(str, BAUDS):
        raise ConfigError(
            f"expected --baud as one of {', '.join(map(str, BAUDS))}, got {baud!r}. Correct it."
        )
    framing = options.get("format", "auto")
    if framing not in FORMATS:
        raise ConfigError(f"expected --format as one of {', '.join(FORMATS)}, got {framing!r}. Correct it.")
    sfreq = _sfreq(options["sfreq"]) if "sfreq" in options else None
    return SerialPulse(
        address, baud=int(baud), sfreq=sfreq, column=options.get("column", ""), framing=framing
    )


def serial_ports(scan_s: float = 0.0) -> tuple[tuple[str, str], ...]:  # noqa: ARG001 - no radio here
    """Return the ports of this machine: name, and what is plugged in; what cannot be told comes last."""
    ports = [port for port in sorted(comports()) if _has_circuit(port.device)]
    plugged = [(port.device, port.description) for port in ports if port.hwid != UNKNOWN]
    return (*plugged, *((port.device, BUILT_IN) for port in ports if port.hwid == UNKNOWN))


def _has_circuit(port: str) -> bool:
    """Whether there is a port behind the name: Linux keeps names for some that the computer has not."""
    kind = Path("/sys/class/tty", Path(port).name, "type")
    return not kind.exists() or kind.read_text().strip() != NO_UART


def _sfreq(text: str) -> float:
    try:
        sfreq = float(text)
    except ValueError:
        sfreq = math.nan
    if not MIN_SFREQ_HZ <= sfreq <= MAX_SFREQ_HZ:
        raise ConfigError(
            f"expected --sfreq from {MIN_SFREQ_HZ:g} to {MAX_SFREQ_HZ:g} Hz, got {text!r}. Correct it."
        )
    return sfreq


def _refusal(port: str, error: OSError) -> RtasmrError:
    """Return what a port that does not open means, and what to do."""
    number = _number(error)
    if number in (errno.EACCES, errno.EPERM):
        return DevicePermissionError(f"{port}: no permission to open it. {_permission_fix(Path(port))}")
    if number in (errno.EBUSY, errno.EAGAIN):
        return DeviceBusyError(f"{port}: another program has it open. Close that (a serial monitor?).")
    there = ", ".join(name for name, _ in serial_ports()) or "none at all"
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return DeviceMissingError(f"{port}: no such port; there is {there}. Plug the sensor in.")
    if number in (errno.ENOTTY, errno.EISDIR):
        return ConfigError(f"{port} is no serial port; there is {there}. Name another.")
    return DeviceMissingError(f"{port}: expected a serial port, got '{_reason(error)}'. Name another.")


def _permission_fix(port: Path) -> str:
    """Return who may open a port: its group, where that is a group for it, else its owner alone."""
    if os.name != "posix":
        return "Run as its owner."
    group, owner = port.group(), port.owner()
    shared = stat.S_IRGRP | stat.S_IWGRP
    if group != "root" and port.stat().st_mode & shared == shared:
        return f"Run 'sudo usermod -a -G {group} $USER' and log in again."
    return f"Only '{owner}' may: run as that user, or let a udev rule give the port to a group."


def _number(error: OSError) -> int | None:
    """Return the system's number of an error; pyserial keeps that of a failed setting in the cause only."""
    inner = error.__context__
    if error.errno is None and inner is not None and inner.args and isinstance(inner.args[0], int):
        return inner.args[0]
    return error.errno


def _reason(error: OSError) -> str:
    number = _number(error)
    return error.strerror or str(error) if number is None else os.strerror(number)
