"""A device that does what a script says, published over LSL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from rtasmr.errors import ConfigError
from rtasmr.sources import device_loop
from rtasmr.sources.device import DeviceError, DeviceLostError, DeviceMissingError, Health, Reading
from rtasmr.sources.device_loop import DeviceLoop, RateCheck
from rtasmr.stream_specs import ppg_spec
from rtasmr.streams import Inlet, Query, TimeBase, resolve
from rtasmr.types import Role, StreamSpec

Step = Reading | DeviceError | Callable[[], object] | None


class ScriptedDevice:
    """Every life takes the next script: what `open` raises or None, then what `read` gives or raises."""

    def __init__(self, *lives: list[Step], sfreq: float = 100.0, battery: float | None = None) -> None:
        self.spec: StreamSpec | None = ppg_spec(sfreq, source_id="scripted", channels=("raw",))
        self._lives = iter(lives)
        self._steps: Iterator[Step] = iter(())
        self._battery = battery
        self.n_closed = 0

    def open(self) -> None:
        self._steps = iter(next(self._lives))
        first = next(self._steps)
        if isinstance(first, DeviceError):
            raise first

    def read(self, _timeout_s: float) -> Reading | None:
        step = next(self._steps, None)
        if isinstance(step, DeviceError):
            raise step
        if callable(step):
            step()
            return None
        if step is None:
            time.sleep(0.01)
        return step

    def close(self) -> None:
        self.n_closed += 1

    def health(self) -> Health:
        return Health(battery_percent=self._battery, errors={"bad packets": 2})


def readings(n: int, first: int = 0) -> list[Step]:
    """Packets of 10 samples at 100 Hz, that end now."""
    start = pylsl.local_clock() - n / 10
    index = [np.arange(i, i + 10) for i in range(first, first + 10 * n, 10)]
    return [
        Reading(i[:, None].astype(np.float32), start + (i[-1] - first) / 100, i.astype(np.int64))
        for i in index
    ]


def test_a_device_that_is_not_there_at_the_start_is_an_error():
    device = ScriptedDevice([DeviceMissingError("nothing there. Plug it in.")])
    with pytest.raises(DeviceMissingError, match="Plug it in"):
        DeviceLoop(device, print).run(threading.Event())
    assert device.n_closed == 1


def test_waiting_for_a_device_says_each_thing_once(monkeypatch):
    monkeypatch.setattr(device_loop, "BACKOFF_S", (0.001,))
    stop, said = threading.Event(), []
    missing, busy = DeviceMissingError("not there."), DeviceMissingError("in use.")
    device = ScriptedDevice([missing], [missing], [missing], [busy], [busy], [None, stop.set])
    DeviceLoop(device, said.append, keep_trying=True).run(stop)
    assert said == ["not there. Trying again until it works.", "in use. Trying again until it works."]
    assert device.n_closed == 6


@pytest.mark.lsl
def test_a_loss_is_counted_and_its_gap_has_the_right_size(monkeypatch):
    """10 packets, 3 lost, 10 packets, gone; then 10 packets more under the same identity."""
    monkeypatch.setattr(device_loop, "BACKOFF_S", (0.001,))
    stop, said, taken = threading.Event(), [], threading.Event()
    inlets, chunks = [], []

    def connect() -> None:
        found = resolve(Role.PPG, Query(source_id="finger"), wait_s=20)
        assert found is not None
        inlets.append(Inlet(found, Role.PPG, TimeBase()))

    def collect() -> None:
        for _ in range(200):
            if (chunk := inlets[-1].pull()) is not None:
                chunks.append(chunk)
            time.sleep(0.001)
        taken.set()

    before = [r for i, r in enumerate(readings(23)) if not 10 <= i < 13]
    device = ScriptedDevice(
        [None, connect, *before, collect, DeviceLostError("gone.")],
        [DeviceMissingError("still gone.")],
        [None, connect, *readings(10), collect, stop.set],
    )
    tally = DeviceLoop(device, said.append, name="n", source_id="finger").run(stop)
    for inlet in inlets:
        inlet.close()
    assert taken.is_set()
    assert (tally.n_sent, tally.n_lost, tally.n_disconnects, tally.n_breaks) == (300, 30, 1, 0)
    assert tally.errors == {"bad packets": 6}
    assert str(tally) == "sent 300 samples, lost 30, disconnects 1, breaks 0, bad packets 6"
    assert said[:2] == [
        "gone. Trying again until it works.",
        "still gone. Trying again until it works.",
    ]
    assert said[2] == "n (finger) is there again"
    times, data = (np.concatenate([getattr(c, k) for c in chunks]) for k in ("times", "data"))
    first = [int(v) for v in data[:200, 0]]
    assert first == [*range(100), *range(130, 230)]
    np.testing.assert_allclose(np.diff(times[:200])[99], 0.31, atol=1e-6)
    np.testing.assert_allclose(np.delete(np.diff(times[:200]), 99), 0.01, atol=1e-6)


@pytest.mark.lsl
def test_silence_is_a_loss(monkeypatch):
    monkeypatch.setattr(device_loop, "START_S", 0.05)
    with pytest.raises(DeviceLostError, match=r"got none for 0\.05 s"):
        DeviceLoop(ScriptedDevice([None]), print).run(threading.Event())
    stop, said = threading.Event(), []
    device = ScriptedDevice([None, *readings(10)], [None, stop.set])
    DeviceLoop(device, said.append, silent_after_s=0.1).run(stop)
    assert len(said) == 1
    assert "got none for 0.1 s. Check cable" in said[0]


@pytest.mark.lsl
def test_a_low_battery_is_told_once(monkeypatch):
    monkeypatch.setattr(device_loop, "HEALTH_EVERY_S", 0.0)
    stop, said = threading.Event(), []
    device = ScriptedDevice([None, None, None, stop.set], battery=9.0)
    DeviceLoop(device, said.append).run(stop)
    assert said == ["battery at 9 %: charge it soon"]


@pytest.mark.lsl
def test_an_irregular_device_is_stamped_with_its_arrivals():
    """As a camera: what it says of the moment is taken as it is."""
    stop, chunks, inlets = threading.Event(), [], []

    def connect() -> None:
        found = resolve(Role.RATING, Query(source_id="scripted"), wait_s=20)
        assert found is not None
        inlets.append(pylsl.StreamInlet(found.info, recover=False))
        inlets[0].open_stream(5)

    def collect() -> None:
        deadline = time.monotonic() + 20
        while len(chunks) < 2 and time.monotonic() < deadline:
            sample, stamp = inlets[0].pull_sample(0.1)
            if sample is not None:
                chunks.append((sample[0], stamp))
        stop.set()

    device = ScriptedDevice(
        [
            None,
            connect,
            Reading(np.array([[1.0]], np.float32), 100.25),
            Reading(np.array([[2.0]], np.float32), 100.375),
            collect,
        ]
    )
    assert device.spec is not None
    device.spec = replace(device.spec, sfreq=0.0)
    tally = DeviceLoop(device, print).run(stop)
    assert chunks == [(1.0, 100.25), (2.0, 100.375)]
    assert tally.n_sent == 2


def test_a_device_that_still_measures_is_read_and_can_be_stopped(monkeypatch):
    monkeypatch.setattr(device_loop, "Outlet", None)  # a stream whose rate is not known must not be opened
    stop = threading.Event()
    device = ScriptedDevice([None, None, stop.set])
    device.spec = None
    assert DeviceLoop(device, print).run(stop).n_sent == 0


# Rate


def checked(
    true: float, declared: float = 100.0, *, counts: bool = False, keep: float = 1.0, stall_s: float = 0.0
) -> list[str]:
    """What the check says of 22 s of packets, of which a share arrives; a stall holds the first ones up."""
    said: list[str] = []
    check = RateCheck(said.append)
    check.begin(declared, 0.0)
    n_kept = 0.0
    for k in range(round(2.2 * true)):
        n_kept += keep
        if n_kept >= 1:
            n_kept -= 1
            counter = np.arange(10 * k, 10 * k + 10) if counts else None
            arrival = 1000 + max(10 * (k + 1) / true, stall_s)
            check.update(Reading(np.zeros((10, 1)), arrival, counter))
    return said


@pytest.mark.parametrize("true", [92.0, 110.0])
def test_the_declared_rate_is_checked(true):
    assert checked(100.5) == []
    (line,) = checked(true)
    assert f"declared is 100 Hz, {true:g} Hz arrive: followed" in line
    assert f"--sfreq {true:g}" in line


@pytest.mark.parametrize("true", [50.0, 88.0, 115.0, 200.0, 1000.0])
def test_a_rate_that_the_stamps_cannot_follow_is_refused(true):
    with pytest.raises(ConfigError, match=f"{true:g} Hz arrive: refused. Set --sfreq {true:g}"):
        checked(true)


def test_a_stall_of_the_computer_is_no_wrong_rate():
    """What waited for the first 2 s comes at once; the next ten seconds show the true rate."""
    assert checked(100.0, stall_s=2.0) == []


def test_counted_losses_are_no_wrong_rate():
    assert checked(100.0, counts=True, keep=0.4) == []
    with pytest.raises(ConfigError, match="refused"):
        checked(100.0, counts=False, keep=0.4)
