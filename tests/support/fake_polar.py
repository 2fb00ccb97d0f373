"""A Polar optical sensor without a radio: it stands in for bleak's scanner and client."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from bleak.exc import BleakError
from numpy.typing import NDArray

from rtasmr.sources import polar_pmd as pmd
from rtasmr.sources.polar import BATTERY_UUID

ADDRESS = "A0:9E:1A:00:00:01"
NAME = "Polar Sense A1B2C3D4"


def plain_frame(samples: NDArray[Any], time_ns: int) -> bytes:
    """Encode samples of shape (n, 4) without compression."""
    wire = b"".join(int(v).to_bytes(3, "little", signed=True) for v in np.asarray(samples).ravel())
    return struct.pack("<BQB", pmd.PPG, time_ns, 0) + wire


def compressed_frame(samples: NDArray[Any], time_ns: int, n_bits: int) -> bytes:
    """Encode samples of shape (n, 4) as the first one and one block of differences."""
    samples = np.asarray(samples)
    number = 0
    for i, step in enumerate(np.diff(samples, axis=0).ravel()):
        number |= (int(step) & ((1 << n_bits) - 1)) << (i * n_bits)
    n_steps = samples.size - 4
    block = bytes((n_bits, n_steps // 4)) + number.to_bytes(-(-n_steps * n_bits // 8), "little")
    head = struct.pack("<BQB", pmd.PPG, time_ns, 0x80)
    return head + plain_frame(samples[:1], 0)[10:] + block


@dataclass
class FakePolar:
    """What the sensor is and does; `scanner` and `client` take the places of bleak's classes.

    Once its pulse is started it sends one of its ``frames`` every ``every_s`` seconds; then it goes away if
    it ``leaves``.
    """

    frames: list[bytes] = field(default_factory=list)
    is_near: bool = True
    leaves: bool = False
    features: frozenset[int] = frozenset({pmd.PPG, pmd.SDK_MODE})
    rates: tuple[int, ...] = (55,)
    sdk_rates: tuple[int, ...] = (28, 44, 135, 176)
    max_answer_bytes: int = 20
    statuses: dict[bytes, int] = field(default_factory=dict)
    every_s: float = 0.001
    battery: int = 80
    search_error: Exception | None = None
    requests: list[bytes] = field(default_factory=list)
    n_connects: int = 0
    in_sdk_mode: bool = False

    async def find_device_by_filter(self, accept: Callable[..., bool], timeout: float) -> Any:
        assert timeout > 0
        if self.search_error is not None:
            raise self.search_error
        others = [("11:22:33:44:55:66", None), ("11:22:33:44:55:67", "Phone")]
        for address, name in [*others, *([(ADDRESS, NAME)] if self.is_near else [])]:
            device = SimpleNamespace(address=address)
            if accept(device, SimpleNamespace(local_name=name)):
                return device
        return None

    async def discover(self, seconds: float, *, return_adv: bool) -> dict[str, Any]:
        assert return_adv
        assert seconds > 0
        if self.search_error is not None:
            raise self.search_error
        named = {"11:22:33:44:55:67": "Phone", ADDRESS: NAME}
        return {
            address: (SimpleNamespace(address=address), SimpleNamespace(local_name=name))
            for address, name in named.items()
        }

    def client(self, device: Any, disconnected_callback: Callable[..., None]) -> FakeClient:
        assert device.address == ADDRESS
        return FakeClient(self, disconnected_callback)


class FakeClient:
    """One connection to the sensor."""

    def __init__(self, sensor: FakePolar, on_disconnect: Callable[..., None]) -> None:
        self._sensor = sensor
        self._on_disconnect = on_disconnect
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._sending: asyncio.Task[None] | None = None
        self.is_connected = False

    async def connect(self) -> None:
        self._sensor.n_connects += 1
        self.is_connected = True

    async def disconnect(self) -> None:
        self.is_connected = False
        if self._sending is not None:
            self._sending.cancel()

    async def read_gatt_char(self, uuid: str) -> bytearray:
        if uuid == BATTERY_UUID:
            return bytearray([self._sensor.battery])
        assert uuid == pmd.CONTROL_UUID
        bits = sum(1 << kind for kind in self._sensor.features)
        return bytearray([0x0F, *bits.to_bytes(2, "little")])

    async def start_notify(self, uuid: str, callback: Callable[..., None]) -> None:
        self._callbacks[uuid] = callback

    async def write_gatt_char(self, uuid: str, data: bytes, *, response: bool) -> None:
        assert response
        assert uuid == pmd.CONTROL_UUID
        if not self.is_connected:
            raise BleakError("Not connected")
        sensor = self._sensor
        sensor.requests.append(bytes(data))
        status = sensor.statuses.pop(bytes(data[:2]), 0)
        parameters = b""
        if status == 0:
            match data[0], data[1]:
                case pmd.GET_SETTINGS, pmd.PPG:
                    parameters = self._settings()
                case pmd.START | pmd.STOP, pmd.SDK_MODE:
                    sensor.in_sdk_mode = data[0] == pmd.START
                case pmd.START, pmd.PPG:
                    self._sending = asyncio.get_running_loop().create_task(self._send())
        self._answer(bytes((0xF0, data[0], data[1], status)), parameters)

    def _settings(self) -> bytes:
        rates = self._sensor.sdk_rates if self._sensor.in_sdk_mode else self._sensor.rates
        table = bytes((0, len(rates))) + b"".join(rate.to_bytes(2, "little") for rate in rates)
        return table + bytes((1, 1, 22, 0)) + bytes((4, 1, 4))

    def _answer(self, head: bytes, parameters: bytes) -> None:
        """Send an answer in packets as long as the connection carries."""
        room = self._sensor.max_answer_bytes
        first, rest = parameters[: room - 5], parameters[room - 5 :]
        notify = self._callbacks.get(pmd.CONTROL_UUID)
        if notify is None:  # nobody listens
            return
        notify(None, bytearray(head + bytes([bool(rest)]) + first))
        while rest:
            part, rest = rest[: room - 1], rest[room - 1 :]
            notify(None, bytearray(bytes([bool(rest)]) + part))

    async def _send(self) -> None:
        while self._sensor.frames:
            await asyncio.sleep(self._sensor.every_s)
            self._callbacks[pmd.DATA_UUID](None, bytearray(self._sensor.frames.pop(0)))
        if self._sensor.leaves:
            self.is_connected = False
            self._on_disconnect(self)
