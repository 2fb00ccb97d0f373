"""What a killed runtime or a full disk leaves of a recording."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from killed_recordings import SFREQ, Person, kill_group, playing_person, start_runtime

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL and mounts are POSIX's"),
]


@pytest.fixture
def person() -> Iterator[Person]:
    with playing_person() as someone:
        yield someone


def test_a_killed_runtime_leaves_a_recording_that_loads(tiny_home, tmp_path, person, rng) -> None:
    """Within a second: a busy machine may keep the recorder from its disk. The soak test is strict."""
    kill_group(tiny_home, tmp_path, person, rng, allowed_s=1.0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode != 0:
        pytest.skip(f"no right to mount a small disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_recording_and_not_the_run(tiny_home, small_disk, person) -> None:
    runtime = start_runtime(tiny_home, "--record", small_disk / "s.xdf", "--duration", 8)
    out, error = runtime.communicate()
    assert runtime.returncode == 1, error
    assert out, error
    account = json.loads(out.splitlines()[-1])
    assert (account["ticks"], account["missing"], account["duplicates"]) == (80, 0, 0)
    assert account["files"] == [str(small_disk / "s.xdf.part")]
    assert account["recording"]["overruns"] > 0
    assert 100_000 < account["recording"]["bytes"] <= 160 * 1024
    alarm = "recording s.xdf.part stopped after"
    assert [line.partition(":")[0] for line in error.splitlines() if alarm in line] == [
        "ERROR rtasmr.recorder",  # when it happened
        "error",  # and what the exit code means
    ]
    assert "No space left on device; free space or choose another folder" in error
    assert "Traceback" not in error
    # Told at the start already, once: features and ticks alone are some 100 MB an hour.
    assert error.count("only 0 MB are free where this is recorded, and an hour takes about 1") == 1
    assert error.index("only 0 MB are free") < error.index("No space left on device")
    (part,) = small_disk.iterdir()
    assert part.name == "s.xdf.part"
    (pulse,) = (s for s in pyxdf.load_xdf(part)[0] if s["info"]["name"] == ["rtasmr-ppg"])
    numbers = pulse["time_series"][:, 0]
    assert len(numbers) > SFREQ
    stamps = pulse["time_stamps"]
    assert stamps[-1] - stamps[0] == pytest.approx(account["recording"]["seconds"], abs=1.0)
    np.testing.assert_array_equal(numbers, numbers[0] + np.arange(len(numbers)))


def test_a_recording_without_a_model_says_how_long_a_small_disk_lasts(small_disk, person) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rtasmr", "record", small_disk / "r.xdf", "--duration", "0.5", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "only 0 MB are free where this is recorded" in done.stderr
    assert "Free space, or record to another disk." in done.stderr
