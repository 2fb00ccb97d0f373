"""A served model trained on the shared simulated study, and the commands as a user runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from offline.extract import extract_features
from offline.live_model import train_live_model
from offline.training_config import TrainingConfig
from rtasmr.dataset import DataSet

CLIP = "vid3"


@dataclass(frozen=True)
class ServedStudy:
    """A study, the feature tables of one clip, and a model installed under a home of its own."""

    study: Path
    features: Path
    model: Path
    home: Path

    def environment(self) -> dict[str, str]:
        """Environment of one run; its LSL streams are seen by nobody else."""
        session = f"test-{uuid.uuid4().hex[:12]}"
        return {**os.environ, "RTASMR_HOME": str(self.home), "RTASMR_LSL_SESSION": session}

    def start(self, environment: dict[str, str], *words: object) -> subprocess.Popen[str]:
        """Start a command in a process of its own."""
        return subprocess.Popen(
            command(words), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def command(words: Sequence[object]) -> list[str]:
    name, *rest = (str(word) for word in words)
    return [sys.executable, "-P", "-m", name, *rest]


@pytest.fixture(scope="session")
def served_study(simulated_set: Path, tmp_path_factory: pytest.TempPathFactory) -> ServedStudy:
    root = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTASMR_HOME", str(root / "home"))
        data = DataSet.open(simulated_set)
        extract_features(data, root / "features", "live", "random:1234", videos=[CLIP])
        config = TrainingConfig(epochs=1, crops_per_trial=4)
        model, _ = train_live_model(root / "features", root, "test-bilstm", config, seed=5, install=True)
    return ServedStudy(simulated_set, root / "features", model, root / "home")


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
