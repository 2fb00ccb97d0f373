"""A Polar sensor that is played by a fake of its radio; everything above that is real."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)
from fake_polar import ADDRESS, NAME, FakePolar, compressed_frame, plain_frame

from rtasmr.errors import ConfigError
from rtasmr.sources import device_loop, polar
from rtasmr.sources import polar_pmd as pmd
from rtasmr.sources.device import (
    DeviceBusyError,
    DeviceDataError,
    DeviceLostError,
    DeviceMissingError,
    DevicePermissionError,
)
from rtasmr.sources.device_loop import DeviceLoop
from rtasmr.sources.polar import PolarPulse, is_meant
from rtasmr.sources.registry import DEVICES

KIND = DEVICES["polar"]


@pytest.fixture
def sensor(monkeypatch: pytest.MonkeyPatch) -> FakePolar:
    fake = FakePolar()
    monkeypatch.setattr(polar, "BleakScanner", fake)
    monkeypatch.setattr(polar, "BleakClient", fake.client)
    return fake


def ramp(first: int, n_samples: int) -> np.ndarray:
    """Samples whose channels are i, -i, 2 i and 7."""
    i = np.arange(first, first + n_samples)
    return np.stack([i, -i, 2 * i, np.full(n_samples, 7)], axis=1)


def frames(n_frames: int, n_samples: int = 36, sfreq: float = 55.0) -> list[bytes]:
    ends = [(k + 1) * n_samples for k in range(n_frames)]
    return [compressed_frame(ramp(end - n_samples, n_samples), round(end / sfreq * 1e9), 4) for end in ends]


def read_all(device: PolarPulse) -> list:
    readings = []
    while True:
        try:
            reading = device.read(5.0)
        except DeviceLostError:
            return readings
        if reading is not None:
            readings.append(reading)


def test_a_sensor_is_found_started_read_and_lost(sensor) -> None:
    """Four frames, of which the third does not come; then it goes out of reach, and comes back."""
    device = KIND.make("A1B2C3D4", {"channel": "2"})
    for _ in range(2):
        sensor.frames = [f for k, f in enumerate(frames(4)) if k != 2]
        sensor.leaves = True
        device.open()
        spec = device.spec
        assert (spec.sfreq, spec.ch_units, spec.desc["light"]) == (55.0, ("counts",), "green")
        assert spec.desc["burst_s"] == "1.27"
        assert "A1B2C3D4" not in str(spec)
        readings = read_all(device)
        health = device.health()
        device.close()
        index = np.concatenate([r.counter for r in readings])
        np.testing.assert_array_equal(index, np.delete(np.arange(144), np.arange(72, 108)))
        np.testing.assert_array_equal(np.concatenate([r.samples[:, 0] for r in readings]), 2 * index)
        assert (health.battery_percent, health.errors) == (80.0, {})
    assert sensor.n_connects == 2
    with pytest.raises(DeviceLostError, match="not open"):
        device.read(0.1)
    device.close()


@pytest.mark.lsl
def test_the_device_loop_brings_a_lost_sensor_back(sensor, monkeypatch) -> None:
    """Twice twelve frames of 36 samples at their own pace, 135 Hz; each time it goes out of reach."""
    monkeypatch.setattr(device_loop, "BACKOFF_S", (0.001,))
    sensor.rates, sensor.every_s, sensor.leaves = (135,), 36 / 135, True
    sensor.frames = frames(12, sfreq=135.0)
    stop, said = threading.Event(), []

    def say(line: str) -> None:
        said.append("gone" in line)
        if sensor.n_connects == 2 and said[-1]:
            stop.set()
        elif said[-1]:
            sensor.frames = frames(12, sfreq=135.0)

    tally = DeviceLoop(KIND.make("any", {}), say).run(stop)
    assert (tally.n_sent, tally.n_lost, tally.n_disconnects, tally.n_breaks) == (864, 0, 2, 0)
    assert said == [True, False, True]


def test_settings_that_come_in_many_packets(sensor) -> None:
    """Packets of 8 bytes: an answer of 16 bytes takes three."""
    sensor.max_answer_bytes = 8
    sensor.rates = (28, 55)
    device = KIND.make("any", {})
    device.open()
    device.close()
    assert device.spec.sfreq == 55.0
    starts = [r for r in sensor.requests if r[:2] == bytes((pmd.START, pmd.PPG))]
    assert [r.hex(" ") for r in starts] == ["02 01 00 01 37 00 01 01 16 00 04 01 04"]
    assert sensor.requests[-1] == bytes((pmd.STOP, pmd.PPG))


def test_a_rate_of_the_sdk_mode_switches_it_on_and_the_next_one_off(sensor) -> None:
    for sfreq, is_on in ((176, True), (55, False)):
        device = KIND.make("any", {"sfreq": f"{sfreq}.0"})
        device.open()
        device.close()
        assert device.spec.sfreq == sfreq
        assert sensor.in_sdk_mode is is_on
    with pytest.raises(ConfigError, match=r"28, 44, 55, 135, 176 Hz\), got 100"):
        open_and_close(KIND.make("any", {"sfreq": "100"}))


def test_a_pulse_that_was_left_running_is_started_anew(sensor) -> None:
    sensor.statuses = {bytes((pmd.START, pmd.PPG)): pmd.ALREADY_SO, bytes((pmd.STOP, pmd.SDK_MODE)): 12}
    device = KIND.make("any", {})
    device.open()
    device.close()
    assert [tuple(r[:2]) for r in sensor.requests] == [(3, 9), (1, 1), (2, 1), (3, 1), (2, 1), (3, 1)]


def open_and_close(device: PolarPulse) -> None:
    try:
        device.open()
    finally:
        device.close()


def dbus(name: str) -> BleakDBusError:
    return BleakDBusError(name, ["details"])


def unavailable(reason: str) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError("no", BleakBluetoothNotAvailableReason[reason])


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (
            FileNotFoundError(2, "No such file or directory"),
            DeviceMissingError,
            r"needs Bluetooth.*\(No such file",
        ),
        (ConnectionRefusedError(111, "Connection refused"), DeviceMissingError, "start bluetooth"),
        (dbus("org.freedesktop.DBus.Error.ServiceUnknown"), DeviceMissingError, "BlueZ does not run"),
        (dbus("org.bluez.Error.NotReady"), DeviceMissingError, "power on"),
        (dbus("org.freedesktop.DBus.Error.AccessDenied"), DevicePermissionError, "usermod -a -G bluetooth"),
        (dbus("org.bluez.Error.InProgress"), DeviceBusyError, "another program"),
        (dbus("org.bluez.Error.Failed"), DeviceLostError, "Bring it near"),
        (unavailable("POWERED_OFF"), DeviceMissingError, "switched off"),
        (unavailable("NO_BLUETOOTH"), DeviceMissingError, "Plug an adapter in"),
        (unavailable("DENIED_BY_USER"), DevicePermissionError, "Allow it"),
        (BleakError("something\nelse"), DeviceLostError, "something else"),
        (TimeoutError(), DeviceMissingError, "does not answer"),
    ],
)
def test_what_is_wrong_with_bluetooth_is_told_in_a_line(sensor, error, kind, told) -> None:
    sensor.search_error = error
    with pytest.raises(kind, match=told) as raised:
        open_and_close(KIND.make("any", {}))
    assert "\n" not in str(raised.value)
    with pytest.raises(kind, match=told):
        KIND.find(1.0)


def test_what_a_sensor_refuses_is_told(sensor) -> None:
    sensor.statuses = {bytes((pmd.START, pmd.PPG)): 13}
    with pytest.raises(DeviceBusyError, match=r"in the charger\. Take it out"):
        open_and_close(KIND.make("any", {}))
    sensor.features = frozenset({0})
    with pytest.raises(DeviceDataError, match="no optical sensor"):
        open_and_close(KIND.make("any", {}))
    sensor.is_near = False
    with pytest.raises(DeviceMissingError, match="Polar any was not found in 10 s"):
        open_and_close(KIND.make("any", {}))


def test_malformed_frames_are_counted_and_many_end_it(sensor) -> None:
    sensor.frames = [b"\x01\x02", *frames(1), *[b"\x01"] * polar.MAX_BAD_FRAMES]
    device = KIND.make(ADDRESS.lower(), {})
    device.open()
    assert device.read(5.0) is None
    assert device.read(5.0).samples.shape == (36, 1)
    with pytest.raises(DeviceDataError, match="expected a frame of the pulse"):
        read_all(device)
    assert device.health().errors == {"bad frames": 1 + polar.MAX_BAD_FRAMES}
    device.close()


def test_frames_that_nobody_reads_are_counted(sensor) -> None:
    sensor.every_s = 0.0
    n_extra = 5
    sensor.frames = [plain_frame(ramp(0, 1), k) for k in range(1 + polar.MAX_WAITING + n_extra)]
    device = KIND.make(NAME, {"channel": "ambient"})
    device.open()
    device._runner.run(wait_until_sent(sensor))
    reading = device.read(1.0)
    assert reading.samples.tolist() == [[7.0]]
    assert device.health().errors["frames not read in time"] >= n_extra
    device.close()


async def wait_until_sent(sensor: FakePolar) -> None:
    while sensor.frames:
        await asyncio.sleep(0)


def test_what_is_meant_by_an_address() -> None:
    for wanted in (ADDRESS, ADDRESS.lower(), NAME, "A1B2C3D4", "any"):
        assert is_meant(wanted, ADDRESS, NAME)
    for wanted, name in (("any", "Phone"), ("any", None), ("Polar", NAME), ("A1B2C3D5", NAME)):
        assert not is_meant(wanted, ADDRESS, name)


def test_a_search_lists_polar_sensors_only(sensor) -> None:
    assert KIND.find(1.0) == ((ADDRESS, NAME),)
    assert KIND.find(0.0) == ()


@pytest.mark.parametrize("options", [{"channel": "3"}, {"sfreq": "55.5"}, {"sfreq": "0"}])
def test_what_cannot_be_meant_is_refused(options) -> None:
    with pytest.raises(ConfigError, match=f"expected --{next(iter(options))}"):
        KIND.make("any", options)
