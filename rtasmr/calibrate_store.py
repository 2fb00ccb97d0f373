"""Calibrated delays of this machine's outputs, kept from one session to the next."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtasmr.errors import ConfigError
from rtasmr.home import config_folder, load_private, save_private
from rtasmr.sources.sound_inputs import load_sounddevice

FILE = "calibration.json"
VERSION = 1

_SERVER_OUTPUTS = ("pulse", "default", "pipewire")
_PULSE_SINK_VARIABLE = "PULSE_SINK"
_PACTL_S = 5.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured for one output.

    Parameters
    ----------
    delay_ms, spread_ms : float
        Median over the clicks, and half of the range in which they lie, in ms.
    n_heard, n_played : int
    heard_by : str
        ``loopback``, or ``microphone``, whose own delay is part of the figure.
    measured : str
        Local date and time, ISO 8601.
    """

    delay_ms: float
    spread_ms: float
    n_heard: int
    n_played: int
    heard_by: str
    measured: str

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f"{self.delay_ms:.1f} ms (half range {self.spread_ms:.1f} ms, {self.n_heard} of {self.n_played} "
            f"clicks, {self.heard_by}, {self.measured})"
        )


def calibration_file() -> Path:
    """Return where the calibrations are kept; the file need not exist."""
    return config_folder() / FILE


def output_key(name: str) -> str:
    """Return what tells an output from another one.

    To PortAudio a sound server is one device, whatever it plays on: the name of the server's output is added.
    """
    if name not in _SERVER_OUTPUTS:
        return name
    sink = os.environ.get(_PULSE_SINK_VARIABLE) or _default_sink()
    return f"{name}: {sink}" if sink else name


def chosen_output(device: str) -> str:
    """Return the `output_key` of what ``--sound-device`` means; empty takes the default.

    Raises
    ------
    ConfigError
        If there is no such output, or sound is not installed.
    """
    sounddevice = load_sounddevice()
    number = int(device) if device.isdecimal() else device or None
    try:
        return output_key(str(sounddevice.query_devices(number, "output")["name"]))
    except (sounddevice.PortAudioError, ValueError) as error:
        raise ConfigError(
            f"expected {repr(device) if device else 'a default output'} to play sound, got: "
            f"{' '.join(str(error).split())}. Choose another --sound-device."
        ) from error


def stored_calibration(device: str) -> Calibration | None:
    """Return what was measured for an output; None if nothing was, or if there is no such output.

    Raises
    ------
    DataError
        As `load_calibrations` does.
    """
    found = load_calibrations(calibration_file())
    if not found:
        return None
    try:
        return found.get(chosen_output(device))
    except ConfigError:  # nothing plays then, and the player says so itself
        return None


@dataclass(frozen=True, slots=True)
class SoundDelay:
    """What is added to the times of played sound, in ms, and where that comes from."""

    ms: float
    words: str
    is_calibrated: bool = False


def sound_delay_of(device: str, given_ms: float | None) -> SoundDelay:
    """Return the delay of an output: the one given, else the one measured, else none.

    Raises
    ------
    DataError
        As `load_calibrations` does.
    """
    if given_ms is not None:
        return SoundDelay(given_ms, f"{given_ms:g} ms as given")
    found = stored_calibration(device)
    if found is None:
        return SoundDelay(0.0, "none measured")
    return SoundDelay(found.delay_ms, f"calibrated, {found}", is_calibrated=True)


def load_calibrations(path: Path) -> dict[str, Calibration]:
    """Return what is known, by `output_key`; nothing where there is no file yet.

    Raises
    ------
    DataError
        If the file cannot be read, or was not written by this program in this version.
    """
    return load_private(path, VERSION, _parsed, "remove it and run 'rtasmr calibrate' again") or {}


def save_calibrations(found: Mapping[str, Calibration], path: Path) -> None:
    """Keep calibrations in place of what was there, readable by the user only.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    save_private(path, VERSION, {"outputs": {key: asdict(value) for key, value in found.items()}})


def _default_sink() -> str:
    """Return the name of the sound server's default output; empty where it does not say."""
    command = shutil.which("pactl")
    if command is None:
        return ""
    try:
        done = subprocess.run(
            [command, "get-default-sink"], capture_output=True, text=True, timeout=_PACTL_S, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _parsed(content: dict[str, Any]) -> dict[str, Calibration]:
    found = {str(key): Calibration(**value) for key, value in content["outputs"].items()}
    for calibration in found.values():
        if not (math.isfinite(calibration.delay_ms) and math.isfinite(calibration.spread_ms)):
            raise ValueError("not a number of ms")
    return found
