"""The pulse of a Polar Verity Sense or OH1 over Bluetooth LE.

Everything runs on one event loop, which turns only while the device is opened, read or closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import pylsl
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from rtasmr.errors import ConfigError
from rtasmr.sources import polar_pmd as pmd
from rtasmr.sources.bluetooth import bluetooth_errors
from rtasmr.sources.device import (
    DeviceBusyError,
    DeviceDataError,
    DeviceLostError,
    DeviceMissingError,
    Health,
    Reading,
)
from rtasmr.stream_specs import ppg_spec
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

ANY = "any"
SCAN_S = 10.0
ANSWER_S = 5.0
CLOSE_S = 3.0
BATTERY_UUID = "00002a19-0000-1000-8000-00805f9b34fb"

CHANNELS = ("0", "1", "2", "ambient")
"""The three photodiodes see the same green light; the fourth channel is taken with the light off."""

MAX_WAITING = 64
"""Frames that are kept if nobody reads."""

MAX_BAD_FRAMES = 20
"""Malformed frames in a row after which the sensor does not deliver what is expected of it."""

MAX_PARTS = 8
FRAME_SAMPLES = 70
"""What a compressed frame may hold: the sensor sends when one is full, 1.3 s at 55 Hz."""


class PolarPulse:
    """One channel of a Polar optical sensor; see `Device`.

    Parameters
    ----------
    address : str
        Bluetooth address, advertised name (``Polar Sense A1B2C3D4``), the number at its end, or ``any``.
    sfreq : int or None
        Rate in Hz; one that only the SDK mode has switches that on. None takes the usual one.
    channel : str
        One of `CHANNELS`.
    """

    def __init__(self, address: str, *, sfreq: int | None = None, channel: str = "0") -> None:
        self._address = address
        self._name = f"Polar {address}"
        self._wanted_sfreq = sfreq
        self._channel = CHANNELS.index(channel)
        self._runner: asyncio.Runner | None = None
        self._client: BleakClient | None = None
        self._spec: StreamSpec | None = None
        self._counter = pmd.FrameCounter(1.0)
        self._frames: deque[tuple[bytes, float]] = deque(maxlen=MAX_WAITING)
        self._answers: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()
        self._is_lost = False
        self._battery: float | None = None
        self._errors: Counter[str] = Counter()
        self._n_bad = 0

    @property
    def spec(self) -> StreamSpec | None:
        """What it publishes; None before it was opened, since the sensor says its rate."""
        return self._spec

    def open(self) -> None:
        """Find the sensor, connect, and start its pulse.

        Raises
        ------
        DeviceError
            If there is no sensor, no Bluetooth, or the sensor refuses.
        ConfigError
            If the sensor does not offer the rate.
        """
        self._frames.clear()
        self._answers.clear()
        self._errors.clear()
        self._is_lost, self._n_bad = False, 0
        self._news = asyncio.Event()  # belongs to one loop
        self._runner = asyncio.Runner()
        with bluetooth_errors(self._name):
            self._runner.run(self._open())

    def read(self, timeout_s: float) -> Reading | None:
        """Return the samples of the next frame; None if none has come.

        Raises
        ------
        DeviceError
            If the sensor is gone, or sends nothing that can be read.
        """
        if not self._frames:
            if self._runner is None:
                raise DeviceLostError(f"{self._name} is not open. Open it first.")
            with bluetooth_errors(self._name):
                self._runner.run(self._wait(timeout_s))
        if not self._frames:
            if self._is_lost:
                raise DeviceLostError(f"{self._name} is gone: switched off, or out of reach. Bring it back.")
            return None
        data, arrival = self._frames.popleft()
        try:
            frame = pmd.read_frame(data)
        except pmd.PmdError as error:
            self._errors["bad frames"] += 1
            self._n_bad += 1
            if self._n_bad >= MAX_BAD_FRAMES:
                raise
            logger.debug("frame left out: %s", error)
            return None
        self._n_bad = 0
        samples = frame.samples[:, self._channel].astype(np.float32)[:, np.newaxis]
        return Reading(samples, arrival, self._counter.number(frame))

    def close(self) -> None:
        """Stop the pulse and disconnect."""
        runner, self._runner = self._runner, None
        client, self._client = self._client, None
        if runner is None:
            return
        # The connection may be gone already, which is all that is wanted.
        with runner, contextlib.suppress(BleakError, OSError, EOFError):
            if client is not None:
                runner.run(self._disconnect(client))

    def health(self) -> Health:
        """Return the battery as the sensor last told it, and what could not be read."""
        return Health(link="Bluetooth LE", battery_percent=self._battery, errors=dict(self._errors))

    async def _open(self) -> None:
        found = await BleakScanner.find_device_by_filter(
            lambda device, advertised: is_meant(self._address, device.address, advertised.local_name),
            timeout=SCAN_S,
        )
        if found is None:
            raise DeviceMissingError(
                f"{self._name} was not found in {SCAN_S:g} s. Switch it on, wear it, and close "
                "Polar's app; --list --scan 10 shows what is there."
            )
        client = BleakClient(found, disconnected_callback=self._on_disconnect)
        self._client = client
        await client.connect()
        features = pmd.read_features(bytes(await client.read_gatt_char(pmd.CONTROL_UUID)))
        if pmd.PPG not in features:
            raise DeviceDataError(f"{self._name} has no optical sensor. Use a Verity Sense or an OH1.")
        await client.start_notify(pmd.CONTROL_UUID, self._on_answer)
        await client.start_notify(pmd.DATA_UUID, self._on_frame)
        sfreq = await self._start_pulse(client, has_sdk_mode=pmd.SDK_MODE in features)
        self._counter = pmd.FrameCounter(sfreq)
        self._spec = self._describe(sfreq)
        await self._watch_battery(client)

    async def _start_pulse(self, client: BleakClient, *, has_sdk_mode: bool) -> int:
        """Start the pulse with what the sensor offers; return the rate in Hz."""
        if has_sdk_mode:  # somebody may have left it on, who went without a word
            await self._ask(client, bytes((pmd.STOP, pmd.SDK_MODE)), but=(pmd.ALREADY_SO, pmd.INVALID_STATE))
        settings = await self._settings(client)
        usual = rates = settings.get(pmd.SAMPLE_RATE, ())
        sfreq = max(rates, default=0) if self._wanted_sfreq is None else self._wanted_sfreq
        if sfreq not in rates and has_sdk_mode:
            await self._ask(client, bytes((pmd.START, pmd.SDK_MODE)))
            settings = await self._settings(client)
            rates = settings.get(pmd.SAMPLE_RATE, ())
        if sfreq not in rates:
            listed = ", ".join(map(str, sorted({*usual, *rates}))) or "none"
            raise ConfigError(
                f"expected --sfreq as the sensor offers it ({listed} Hz), got {sfreq}. Correct it."
            )
        chosen = {pmd.SAMPLE_RATE: sfreq}
        chosen |= {key: max(settings[key]) for key in (pmd.RESOLUTION, pmd.CHANNELS) if key in settings}
        start = pmd.start_request(pmd.PPG, chosen)
        answer = await self._ask(client, start, but=(pmd.ALREADY_SO,))
        if answer.status == pmd.ALREADY_SO:  # with settings that are not known
            await self._ask(client, bytes((pmd.STOP, pmd.PPG)))
            await self._ask(client, start)
        return sfreq

    async def _settings(self, client: BleakClient) -> dict[int, tuple[int, ...]]:
        answer = await self._ask(client, bytes((pmd.GET_SETTINGS, pmd.PPG)))
        return pmd.read_settings(answer.parameters)

    async def _ask(self, client: BleakClient, request: bytes, *, but: tuple[int, ...] = ()) -> pmd.Answer:
        """Send a request and return its answer, which is success or one of the states in ``but``.

        Its parameters may come in several packets.
        """
        self._answers.clear()
        await client.write_gatt_char(pmd.CONTROL_UUID, request, response=True)
        answer = pmd.read_answer(await self._next_answer())
        while (answer.request, answer.measurement) != (request[0], request[1]):  # of an earlier request
            answer = pmd.read_answer(await self._next_answer())
        parameters, has_more = answer.parameters, answer.has_more
        for _ in range(MAX_PARTS):
            if not has_more:
                break
            part = await self._next_answer()
            parameters, has_more = parameters + part[1:], bool(part and part[0])
        if answer.status and answer.status not in but:
            fix = "Take it out of the charger" if "charger" in answer.words else "Restart it"
            raise DeviceBusyError(f"{self._name} refuses: {answer.words}. {fix}.")
        return pmd.Answer(answer.request, answer.measurement, answer.status, has_more, parameters)

    async def _next_answer(self) -> bytes:
        async with asyncio.timeout(ANSWER_S):
            while not self._answers:
                await self._wait(ANSWER_S)
                if self._is_lost:
                    raise DeviceLostError(f"{self._name} went while it was being asked. Try again.")
        return self._answers.popleft()

    async def _wait(self, timeout_s: float) -> None:
        """Wait until something comes, or the time is over."""
        self._news.clear()
        if self._is_lost or self._frames or self._answers:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()

    async def _watch_battery(self, client: BleakClient) -> None:
        try:
            self._on_battery(None, await client.read_gatt_char(BATTERY_UUID))
            await client.start_notify(BATTERY_UUID, self._on_battery)
        except BleakError as error:  # the pulse is there without it
            logger.debug("%s does not tell its battery: %s", self._name, error)

    async def _disconnect(self, client: BleakClient) -> None:
        async with asyncio.timeout(CLOSE_S):
            try:
                if client.is_connected:
                    stop = bytes((pmd.STOP, pmd.PPG))
                    await client.write_gatt_char(pmd.CONTROL_UUID, stop, response=True)
            finally:
                await client.disconnect()

    def _on_frame(self, _sender: Any, data: bytearray) -> None:
        if len(self._frames) == MAX_WAITING:
            self._errors["frames not read in time"] += 1
        self._frames.append((bytes(data), float(pylsl.local_clock())))
        self._news.set()

    def _on_answer(self, _sender: Any, data: bytearray) -> None:
        self._answers.append(bytes(data))
        self._news.set()

    def _on_battery(self, _sender: Any, data: bytearray) -> None:
        if len(data) == 1 and data[0] <= 100:
            self._battery = float(data[0])

    def _on_disconnect(self, _client: BleakClient) -> None:
        self._is_lost = True
        self._news.set()

    def _describe(self, sfreq: int) -> StreamSpec:
        # The address names a person's device.
        which = hashlib.sha256(self._address.encode()).hexdigest()[:8]
        is_ambient = CHANNELS[self._channel] == "ambient"
        return ppg_spec(
            float(sfreq),
            source_id=f"rtasmr-polar-{which}",
            channels=("raw",),
            units=("counts",),
            desc={"light": "ambient" if is_ambient else "green", "burst_s": f"{FRAME_SAMPLES / sfreq:.2f}"},
        )


def is_meant(wanted: str, address: str, name: str | None) -> bool:
    """Whether a sensor that advertises itself is the one that was asked for."""
    if wanted.lower() == address.lower():
        return True
    if name is None or not name.startswith("Polar "):
        return False
    return wanted in (ANY, name, name.rpartition(" ")[2])


def polar_pulse(address: str, options: Mapping[str, str]) -> PolarPulse:
    """Return the sensor at ``address``, not open yet; the options are text from the command line.

    Raises
    ------
    ConfigError
        If an option is not one of those possible.
    """
    channel = options.get("channel", CHANNELS[0])
    if channel not in CHANNELS:
        raise ConfigError(f"expected --channel as one of {', '.join(CHANNELS)}, got {channel!r}. Correct it.")
    sfreq = options.get("sfreq", "").removesuffix(".0")
    if sfreq and not (sfreq.isdecimal() and 0 < int(sfreq) < 1000):
        raise ConfigError(f"expected --sfreq as a whole number such as 55 or 135, got {sfreq!r}. Correct it.")
    return PolarPulse(address, sfreq=int(sfreq) if sfreq else None, channel=channel)


def polar_sensors(scan_s: float = 0.0) -> tuple[tuple[str, str], ...]:
    """Return name and address of the sensors in reach.

    Raises
    ------
    DeviceError
        If Bluetooth cannot be used.
    """
    if scan_s <= 0:
        return ()
    with bluetooth_errors("the search for sensors"):
        found = asyncio.run(BleakScanner.discover(scan_s, return_adv=True))
    named = ((device.address, advertised.local_name) for device, advertised in found.values())
    return tuple((address, name) for address, name in named if name and name.startswith("Polar "))
