"""What could be used as a pulse sensor on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtasmr.discovery import describe, discover, printable
from rtasmr.errors import StreamError
from rtasmr.sources.device import DeviceError
from rtasmr.sources.registry import INSTALL, DeviceKind

LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Listed:
    """One way to a pulse.

    Parameters
    ----------
    name, help : str
        As in the registry; ``lsl`` for streams that run already.
    found : tuple of (str, str)
        What can be named, and what it is.
    problem : str
        Why nothing could be found, with the fix; empty if nothing stands in the way.
    """

    name: str
    help: str
    found: tuple[tuple[str, str], ...]
    problem: str = ""

    def as_lines(self) -> list[str]:
        """Return the entry for people."""
        lines = [f"{self.name}: {self.help}", *(f"    {address}  {what}" for address, what in self.found)]
        if self.problem:
            lines.append(f"    {self.problem}")
        elif not self.found:
            lines.append("    none found")
        return lines


def list_devices(kinds: Mapping[str, DeviceKind], scan_s: float) -> list[Listed]:
    """Return what could be named for every kind of device.

    Parameters
    ----------
    kinds : mapping of str to DeviceKind
    scan_s : float
        Seconds of a search over radio; 0 for none.
    """
    listed = []
    for kind in kinds.values():
        if not kind.is_installed:
            listed.append(Listed(kind.name, kind.help, (), f"needs {kind.package}. {INSTALL}"))
            continue
        try:
            found = kind.find(scan_s)
        except DeviceError as error:
            listed.append(Listed(kind.name, kind.help, (), str(error)))
            continue
        waits = kind.is_radio and scan_s <= 0
        problem = "not looked for: add --scan 10" if waits else ""
        listed.append(Listed(kind.name, kind.help, found, problem))
    return listed


def list_pulse_streams(look_s: float = LOOK_S) -> Listed:
    """Return the pulse streams that run already, with channels and rates."""
    found: list[tuple[str, str]] = []
    for stream in discover(look_s):
        if stream.spec.stype != "PPG":
            continue
        try:
            spec = describe(stream).spec
        except StreamError as error:
            found.append((f"source_id={printable(stream.spec.source_id)}", str(error)))
            continue
        channels = ", ".join(printable(name, 20) or "?" for name in spec.ch_names[:8])
        what = f"{printable(spec.name)}: {spec.n_channels} channels ({channels}) at {spec.sfreq:g} Hz"
        found.append((f"source_id={printable(spec.source_id)}", what))
    return Listed("lsl", "Pulse streams that run on this machine: --ppg source_id=...", tuple(found))
