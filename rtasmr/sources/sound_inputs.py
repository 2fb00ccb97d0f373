"""Inputs of the sound card: which there are, which one a name means, and how it opens."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from rtasmr.errors import ConfigError
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.sources.device import DeviceBusyError, DeviceError, DeviceMissingError
from rtasmr.sources.quiet import quiet_stderr
from rtasmr.sources.sound_delivery import Ages

PULSE_PREFIX = "pulse:"
"""``pulse:NAME`` is a source of PulseAudio or PipeWire, monitors of outputs among them."""

DEFAULT_MONITOR = "@DEFAULT_MONITOR@"
"""What PulseAudio calls the sound of its default output."""

_MONITOR_ENDING = ".monitor"
_PULSE_DEVICE = "pulse"
_PULSE_VARIABLE = "PULSE_SOURCE"
_PULSE_LATENCY_VARIABLE = "PULSE_LATENCY_MSEC"

RENDER_AHEAD_MS = 10
"""How far a sound server may work ahead of what is heard, as asked of it.

The sound of an output reaches its monitor when it is computed, up to 2 s before it is due. How far ahead
follows the least demanding program and changes when another one begins to play, which moves all that is
heard afterwards against what was heard before, as if samples were lost. Asking for little bounds that.
"""

PLAYED = Ages(usual_s=-RENDER_AHEAD_MS / 1000, least_s=-math.inf, most_s=0.0)
"""A monitor: the last sample of a block is heard after the block has arrived."""

_WASAPI_LOOPBACK = "[loopback]"
_MAC_LOOPBACKS = ("blackhole", "soundflower", "loopback audio")
_NO_LOOPBACK = {
    True: "macOS has no loopback of its own. Install BlackHole and send the sound there, too.",
    False: "expected an input named [Loopback], found none. Name a 'Stereo Mix' with --device.",
}

_NO_SOUND_SERVER = (
    "needs PulseAudio or PipeWire and ALSA's plug-in for it, and they do not answer. Start the sound server "
    "(pulseaudio --start; Debian, Ubuntu: apt install pulseaudio libasound2-plugins)."
)

PACTL_S = 5.0


def find_input(sounddevice: Any, name: str, *, is_loopback: bool) -> int:
    """Return PortAudio's number of an input; see `Microphone` for what may be named.

    Raises
    ------
    ConfigError
        If the name fits several inputs, or loopback needs something to be installed.
    DeviceMissingError
        If there is no such input at the moment.
    """
    inputs = _inputs(sounddevice)
    if sys.platform == "linux":
        # Also where the user has set another value, for programs that play.
        os.environ[_PULSE_LATENCY_VARIABLE] = str(RENDER_AHEAD_MS)
        if is_loopback and not name:
            name = PULSE_PREFIX + DEFAULT_MONITOR
        if name.startswith(PULSE_PREFIX):
            # The plug-in of ALSA has one device; libpulse takes the source to use from here.
            os.environ[_PULSE_VARIABLE] = name.removeprefix(PULSE_PREFIX)
            if not any(_PULSE_DEVICE in what.casefold() for what in inputs.values()):
                raise DeviceMissingError(f"{'loopback' if is_loopback else repr(name)} {_NO_SOUND_SERVER}")
            name = _PULSE_DEVICE
    elif is_loopback:
        inputs = {number: what for number, what in inputs.items() if _is_loopback_input(what)}
        if not inputs:
            raise ConfigError(_NO_LOOPBACK[sys.platform == "darwin"])
        if not name:
            return min(inputs)
    return _pick(inputs, name, _default_input(sounddevice))


def is_monitor(name: str, *, is_loopback: bool) -> bool:
    """Return whether an input is what an output plays, handed over before it is heard."""
    is_named_so = name.startswith(PULSE_PREFIX) and name.endswith(_MONITOR_ENDING)
    return sys.platform == "linux" and (is_loopback or is_named_so)


def load_sounddevice() -> Any:
    """Return the library.

    Raises
    ------
    ConfigError
        If it, or PortAudio, is not installed.
    """
    try:
        with quiet_stderr():
            import sounddevice  # an extra, and it loads a system library
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"a microphone needs sounddevice and PortAudio, got: {error}. Install them with: "
            "pip install 'rtasmr[sensors]' (Debian, Ubuntu: apt install libportaudio2)"
        ) from error
    return sounddevice


def _inputs(sounddevice: Any) -> dict[int, str]:
    """Return number and name of everything that records."""
    return {
        number: str(device["name"])
        for number, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    }


def _default_input(sounddevice: Any) -> int | None:
    number = int(sounddevice.default.device[0])
    return number if number >= 0 else None


def _is_loopback_input(name: str) -> bool:
    wanted = _MAC_LOOPBACKS if sys.platform == "darwin" else (_WASAPI_LOOPBACK,)
    return any(part in name.casefold() for part in wanted)


def _pick(inputs: Mapping[int, str], name: str, default: int | None) -> int:
    """Return the number of the one input that ``name`` means."""
    if not inputs:
        raise DeviceMissingError("expected a sound input, found none. Plug in a microphone.")
    if not name:
        if default is None:
            raise DeviceMissingError(
                "expected a default sound input, found none. Name one of 'rtasmr source microphone --list'."
            )
        return default
    if name.isdecimal():
        fits = [int(name)] if int(name) in inputs else []
    else:
        wanted = name.casefold()
        fits = [number for number, what in inputs.items() if what.casefold() == wanted]
        fits = fits or [number for number, what in inputs.items() if wanted in what.casefold()]
    if len(fits) == 1:
        return fits[0]
    there = "; ".join(f"{number} {what}" for number, what in inputs.items())
    if fits:
        raise ConfigError(
            f"expected one sound input like {name!r}, got {len(fits)} of: {there}. Give a number."
        )
    raise DeviceMissingError(f"no sound input {name!r}; there is: {there}. Name one of these.")


def input_format(sounddevice: Any, number: int, told: str) -> tuple[int, int]:
    """Return rate in Hz and channels in which an input opens: 44.1 kHz mono, else what it does itself.

    Raises
    ------
    DeviceError
        If it opens in none.
    """
    device = sounddevice.query_devices(number)
    rates = (int(SOUND_SFREQ), round(device["default_samplerate"]))
    problem = None
    for sfreq in dict.fromkeys(rates):
        for n_channels in (1, 2)[: device["max_input_channels"]]:
            try:
                with quiet_stderr():
                    sounddevice.check_input_settings(number, n_channels, "int16", samplerate=sfreq)
            except sounddevice.PortAudioError as error:
                problem = error
            else:
                return sfreq, n_channels
    raise refusal(told, problem)


def refusal(told: str, error: Exception | None) -> DeviceError:
    """Return what an input that does not open means, and what to do."""
    reason = str(error.args[0]) if error is not None and error.args else "no reason told"
    if "unavailable" in reason.casefold() or "busy" in reason.casefold():
        return DeviceBusyError(f"{told}: another program holds it ({reason}). Close that program.")
    return DeviceMissingError(
        f"{told} does not open ({reason}). 'rtasmr source microphone --list' says what there is; macOS and "
        "Windows may have to allow the microphone."
    )


def sound_inputs() -> tuple[tuple[str, str], ...]:
    """Return what ``--device`` could name: number or name, and what it is."""
    sounddevice = load_sounddevice()
    hosts = [str(host["name"]) for host in sounddevice.query_hostapis()]
    default = _default_input(sounddevice)
    found = []
    for number, name in _inputs(sounddevice).items():
        host = hosts[sounddevice.query_devices(number)["hostapi"]]
        found.append((str(number), f"{name} ({host})" + (", default" if number == default else "")))
    return (*found, *_pulse_sources())


def _pulse_sources() -> list[tuple[str, str]]:
    """Return the sources of PulseAudio or PipeWire (to ALSA, one device); none without pactl."""
    command = shutil.which("pactl")
    if command is None:
        return []
    done = subprocess.run(
        [command, "list", "short", "sources"], capture_output=True, text=True, timeout=PACTL_S, check=False
    )
    names = [line.split("\t")[1] for line in done.stdout.splitlines() if line.count("\t") > 1]
    return [
        (PULSE_PREFIX + name, "what an output plays" if name.endswith(_MONITOR_ENDING) else "PulseAudio")
        for name in names
    ]
