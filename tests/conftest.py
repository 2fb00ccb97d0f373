"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

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
