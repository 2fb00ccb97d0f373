"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

# LSL streams of this run, and of the processes it starts, stay apart from any others on the machine.
os.environ.setdefault("RTASMR_LSL_SESSION", f"test-{os.getpid()}")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the reference data; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"reference data not present: {SHARED_DATA.name} folder beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def simulated_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole simulated study of two participants; read it, do not write into it."""
    from offline.simulation import simulate

    out = tmp_path_factory.mktemp("simulated") / "study"
    return simulate(out, participants=2, seed=11, scenario="tingle", size=(96, 54))


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lossless video of 2 s: image ``k`` of 50 is grey level ``4 k``, sound sample ``i`` ``i % 1000``."""
    path = tmp_path_factory.mktemp("video") / "tiny.avi"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="bgr0")
        sound = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        for k in range(50):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * k, np.uint8), format="rgb24")
            container.mux(video.encode(image))
        samples = (np.arange(88_200) % 1000).astype(np.int16)
        for lo in range(0, len(samples), 4410):
            block = av.AudioFrame.from_ndarray(
                samples[np.newaxis, lo : lo + 4410], format="s16", layout="mono"
            )
            block.sample_rate, block.pts = 44_100, lo
            container.mux(sound.encode(block))
        for stream in (video, sound):
            container.mux(stream.encode())
    return path
