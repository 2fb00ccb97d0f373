"""A sound server with no sound card, for tests that play and record."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class SoundServer:
    """A PulseAudio of its own with one null sink, whose monitor gives back what is played.

    ``environment`` is what a process needs to use it, added to its own; ALSA, and so PortAudio, names
    it ``device``.
    """

    environment: Mapping[str, str]
    device: str = "pulse"
    sink: str = "speaker"
    monitor: str = "speaker.monitor"

    def control(self, *words: str) -> str:
        """Run ``pactl`` and return what it says."""
        return subprocess.run(
            ["pactl", *words],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout


@pytest.fixture(scope="session")
def sound_server() -> Iterator[SoundServer]:
    """Sound without a sound card; processes started with its environment play to it and record from it."""
    if shutil.which("pulseaudio") is None or shutil.which("pactl") is None:
        pytest.skip("PulseAudio is not installed")
    # Not under pytest's own folder: the path of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="pulse-") as folder:
        environment = {
            "PULSE_SERVER": f"unix:{folder}/native",
            "PULSE_RUNTIME_PATH": folder,
            "PULSE_COOKIE": f"{folder}/cookie",
        }
        server = SoundServer(environment)
        process = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"),
                f"--load=module-native-protocol-unix socket={folder}/native auth-anonymous=1",
                f"--load=module-null-sink sink_name={server.sink} rate=44100 channels=2",
            ],
            env={**os.environ, **environment, "HOME": folder},
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 20
            answer = ""
            while server.sink not in answer and time.monotonic() < deadline:
                time.sleep(0.05)
                with suppress(subprocess.CalledProcessError):
                    answer = server.control("list", "short", "sinks")
            assert server.sink in answer, "PulseAudio did not start"
            yield server
        finally:
            process.terminate()
            process.wait(10)
