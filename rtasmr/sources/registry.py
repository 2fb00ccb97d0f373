"""What can be plugged in: one line per kind of device.

A new sensor is a file beside this one that offers ``factory(address, options) -> Device``, and an entry
in `DEVICES`. The command line, ``--list`` and ``rtasmr live --ppg NAME:ADDRESS`` follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from rtasmr.errors import ConfigError
from rtasmr.sources.device import Device


@dataclass(frozen=True, slots=True)
class DeviceOption:
    """A setting that a kind of device understands: ``--NAME VALUE`` on the command line."""

    name: str
    help: str


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A kind of device.

    Parameters
    ----------
    name : str
        What stands before the colon in ``serial:/dev/ttyUSB0``, and the option ``--serial``.
    factory : str
        ``module:function``, imported when the device is asked for. The function takes the address
        and a mapping of the options given, as text, and returns a `Device` that is not open yet.
    address : str
        What the address is, in a word in capitals for the help.
    help : str
        One line.
    package : str
        The optional package it needs, of the extra ``sensors``; empty if none.
    options : tuple of DeviceOption
    finder : str
        ``module:function`` that says what could be named; empty if nothing can. The function takes
        the seconds that a search over radio may last (0: none) and returns address and description
        of each.
    is_radio : bool
        Whether finding one takes a search over radio.
    """

    name: str
    factory: str
    address: str
    help: str
    package: str = ""
    options: tuple[DeviceOption, ...] = ()
    finder: str = ""
    is_radio: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether the package it needs is there; nothing is imported."""
        return not self.package or find_spec(self.package) is not None

    def make(self, address: str, options: Mapping[str, str]) -> Device:
        """Return the device at ``address``, not open yet.

        Raises
        ------
        ConfigError
            If an option is not understood or the package is not installed.
        """
        known = {option.name for option in self.options}
        if unknown := sorted(set(options) - known):
            raise ConfigError(
                f"expected options of {self.name} ({', '.join(sorted(known)) or 'it has none'}), "
                f"got {', '.join(unknown)}. Leave that out."
            )
        if not self.is_installed:
            raise ConfigError(f"{self.name} needs {self.package}, which is not installed. {INSTALL}")
        return cast(Device, _load(self.factory)(address, options))

    def find(self, scan_s: float) -> tuple[tuple[str, str], ...]:
        """Return address and description of what could be named here.

        Parameters
        ----------
        scan_s : float
            Seconds that a search over radio may last; 0 for none.

        Raises
        ------
        DeviceError
            If the search is not possible, say because a radio is switched off.
        """
        return tuple(_load(self.finder)(scan_s)) if self.finder and self.is_installed else ()


def _load(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    return cast(Callable[..., Any], getattr(import_module(module), function))


INSTALL = "Install it with: pip install 'rtasmr[sensors]'"

DEVICES: Mapping[str, DeviceKind] = {
    kind.name: kind
    for kind in (
        DeviceKind(
            "serial",
            "rtasmr.sources.serial_pulse:serial_pulse",
            "PORT",
            "Arduino, PulseSensor, MAX3010x on a serial port.",
            "serial",
            (
                DeviceOption("baud", "Speed of the line; 115200 if not given."),
                DeviceOption("sfreq", "Rate in Hz; measured for 10 s if not given."),
                DeviceOption("column", "Heading or number (from 0) of the column that is the pulse."),
                DeviceOption("format", "'text', 'binary', or 'auto' (default)."),
            ),
            finder="rtasmr.sources.serial_pulse:serial_ports",
        ),
        DeviceKind(
            "brainflow",
            "rtasmr.sources.brainflow_board:brainflow_pulse",
            "BOARD",
            "EmotiBit, Muse, Galea and others that BrainFlow knows.",
            "brainflow",
            (
                DeviceOption("channel", "Which light (infrared, red, green) or number from 0."),
                DeviceOption("mac", "Bluetooth address of the board."),
                DeviceOption("device", "Name under which the board advertises itself, or its serial number."),
                DeviceOption("port", "Serial port of the board or its dongle."),
                DeviceOption("ip", "Address of a board on the local network."),
                DeviceOption("command", "Sent before the start; a Muse gets p50 or p61 if not given."),
                DeviceOption("recording", "File that 'playback' plays, over and over."),
                DeviceOption("board", "Board that made the recording."),
            ),
            finder="rtasmr.sources.brainflow_board:brainflow_boards",
        ),
        DeviceKind(
            "polar",
            "rtasmr.sources.polar:polar_pulse",
            "SENSOR",
            "Polar Verity Sense or OH1 over Bluetooth: its address, name, number, or 'any'.",
            "bleak",
            (
                DeviceOption("sfreq", "Rate in Hz; 28, 44, 135 and 176 use a Verity Sense's SDK mode."),
                DeviceOption("channel", "0, 1, 2 (default 0) or 'ambient'."),
            ),
            finder="rtasmr.sources.polar:polar_sensors",
            is_radio=True,
        ),
    )
}
"""Pulse sensors by name."""
