"""Boards through BrainFlow: its synthetic board, and recordings of its own that it plays."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from rtasmr.errors import ConfigError
from rtasmr.sources.device import DeviceBusyError, DeviceLostError, DeviceMissingError, Reading
from rtasmr.sources.registry import DEVICES

pytestmark = pytest.mark.skipif(find_spec("brainflow") is None, reason="brainflow is not installed")

KIND = DEVICES["brainflow"]
MUSE_ROWS = 6
"""Rows of a Muse's pulse in BrainFlow: package, ambient, infrared, red, time, marker."""


def muse_recording(path: Path, n_samples: int) -> Path:
    """Write what BrainFlow would of a Muse at 64 Hz: infrared sample ``i`` is ``i``, red is ``-i``."""
    index = np.arange(n_samples)
    table = np.zeros((n_samples, MUSE_ROWS))
    table[:, 0], table[:, 2], table[:, 3], table[:, 4] = index // 6, index, -index, 1e9 + index / 64
    np.savetxt(path, table, delimiter="\t", fmt="%.6f")
    return path


def collect(device, n_samples: int) -> list[Reading]:
    """Read until there are so many samples; the deadline is for a board that hangs."""
    readings: list[Reading] = []
    deadline = time.monotonic() + 30
    while sum(len(r.samples) for r in readings) < n_samples:
        assert time.monotonic() < deadline, "no samples"
        if (reading := device.read(0.1)) is not None:
            readings.append(reading)
    return readings


def test_every_board_with_a_pulse_can_be_named() -> None:
    found = dict(KIND.find(0.0))
    assert found["emotibit"] == "25 Hz, infrared, red, green"
    assert found["muse-s"] == found["muse-2-bled"] == "64 Hz, ambient, infrared, red"
    assert found["galea"] == "50 Hz, channels 0 to 1"
    assert found["synthetic"] == "250 Hz, channels 0 to 1"
    assert "cyton" not in found


@pytest.mark.parametrize(
    ("address", "options", "light", "unit", "burst"),
    [
        ("emotibit", {}, "infrared", "counts", "0.4"),
        ("emotibit", {"channel": "green"}, "green", "counts", "0.4"),
        ("muse-2", {"channel": "0"}, "ambient", "counts", "0.1"),
        ("galea", {"channel": "1"}, None, "arbitrary", None),
    ],
)
def test_a_board_says_what_it_will_publish(address, options, light, unit, burst) -> None:
    spec = KIND.make(address, options).spec
    assert spec.source_id == f"rtasmr-brainflow-{address}"
    assert spec.ch_units == (unit,)
    assert (spec.desc.get("light"), spec.desc.get("burst_s")) == (light, burst)


def test_an_address_stays_out_of_the_stream() -> None:
    one, other = (
        KIND.make("muse-2", {"mac": mac}).spec for mac in ("00:55:da:b0:00:01", "00:55:da:b0:00:02")
    )
    assert one.source_id != other.source_id
    assert "55" not in str(one.desc)
    assert "da:b0" not in one.source_id


@pytest.mark.parametrize(
    ("address", "options", "told"),
    [
        ("cyton", {}, r"expected a board with a pulse sensor \(.*muse-2.*playback\), got 'cyton'"),
        (
            "emotibit",
            {"channel": "blue"},
            "emotibit as infrared, red, green, 0 to 2, got 'blue'",
        ),
        ("synthetic", {"channel": "2"}, r"--channel of synthetic as 0 to 1, got '2'"),
        ("playback", {}, "expected --recording and --board with --brainflow playback"),
        ("muse-2", {"recording": "x.csv"}, "got --recording with 'muse-2'"),
    ],
)
def test_what_cannot_be_meant_is_refused(address, options, told) -> None:
    with pytest.raises(ConfigError, match=told):
        KIND.make(address, options)


def test_the_synthetic_board_counts_its_samples() -> None:
    """More than 256 of them, so that its counter of 8 bits turns over."""
    device = KIND.make("synthetic", {})
    assert device.spec.desc["simulated"] == "true"
    device.open()
    try:
        readings = collect(device, 300)
        with pytest.raises(DeviceBusyError, match="another board is created"):
            KIND.make("synthetic", {}).open()
    finally:
        device.close()
    device.close()
    numbers = np.concatenate([r.counter for r in readings])
    np.testing.assert_array_equal(np.diff(numbers), 1)
    assert all(r.samples.shape == (len(r.counter), 1) and r.samples.dtype == np.float32 for r in readings)
    arrivals = [r.arrival for r in readings]
    assert arrivals == sorted(arrivals)
    with pytest.raises(DeviceLostError, match="not open"):
        device.read(0.1)


def test_a_recording_is_played_over_and_over(tmp_path) -> None:
    """One second of a Muse: its infrared light counts up, and begins again."""
    recording = muse_recording(tmp_path / "muse.csv", 64)
    device = KIND.make("playback", {"recording": str(recording), "board": "muse-2"})
    assert str(tmp_path) not in f"{device.spec.source_id} {device.spec.desc}"
    device.open()
    try:
        readings = collect(device, 100)
    finally:
        device.close()
    assert all(r.counter is None for r in readings)
    values = np.concatenate([r.samples[:, 0] for r in readings])
    np.testing.assert_array_equal(values[:100], np.arange(100) % 64)


def test_a_board_that_cannot_start_says_why(tmp_path) -> None:
    absent = KIND.make("playback", {"recording": str(tmp_path / "none.csv"), "board": "muse-2"})
    with pytest.raises(DeviceMissingError, match=r"none\.csv: expected a recording of BrainFlow"):
        absent.open()
    dongle = KIND.make("muse-2-bled", {})
    with pytest.raises(DeviceMissingError, match=r"muse-2-bled does not start .invalid arguments.*--port"):
        dongle.open()
    dongle = KIND.make("muse-2-bled", {"port": str(tmp_path / "ttyACM9")})
    with pytest.raises(DeviceMissingError, match="port"):
        dongle.open()
