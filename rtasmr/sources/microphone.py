"""A microphone, or what the speakers play (loopback), by sounddevice."""

from __future__ import annotations

import hashlib
import logging
import math
import queue
from dataclasses import dataclass
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.sources.device import (
    DeviceLostError,
    Health,
    Reading,
)
from rtasmr.sources.quiet import quiet_stderr
from rtasmr.sources.sound_blocks import BlockConverter
from rtasmr.sources.sound_delivery import CAPTURED, DeliveryWatch, State
from rtasmr.sources.sound_inputs import (
    PLAYED,
    find_input,
    input_format,
    is_monitor,
    load_sounddevice,
    refusal,
)
from rtasmr.stream_specs import sound_spec
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

LATENCY_S = 0.2
"""Buffer asked of the card, which delivers a quarter of it at a time."""

QUEUE_BLOCKS = 500
"""Blocks of some 10 to 40 ms that wait for the reading thread: seconds, though it reads at once."""

MAX_AGE_S = 10.0
"""Largest believable time between the capture of a sample and its delivery."""

UNSTEADY = (
    "what the system says of its delay does not become steady, so the usual one is taken; "
    "'rtasmr calibrate' measures it"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """What the card handed over at once.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_channels), int16
    arrival : float
        LSL time in seconds.
    age_s : float
        What the card says of the age of the last sample at that time; NaN if nothing.
    follows_loss : bool
        Whether samples are missing before it, as the card says or because there was no room for them.
    """

    samples: NDArray[np.int16]
    arrival: float
    age_s: float
    follows_loss: bool


class Microphone:
    """One input of a sound card; see `Device`.

    Parameters
    ----------
    name : str
        Number, name or a part of the name that only one input has; ``pulse:NAME`` for a source of
        PulseAudio; empty for the system's default.
    is_loopback : bool
        Take what the speakers play: the default output, or the one that ``name`` names.
    """

    def __init__(self, name: str = "", *, is_loopback: bool = False) -> None:
        self._name = name
        self._is_loopback = is_loopback
        self._blocks: queue.Queue[_Block] = queue.Queue(QUEUE_BLOCKS)
        self._stream: Any = None
        self._format = (int(SOUND_SFREQ), 1)
        self._converter = BlockConverter(*self._format)
        self._watch = DeliveryWatch(self._format[0], 0.0)
        self._n_overflows = 0
        self._has_dropped = False
        self._was_open = False

    @property
    def spec(self) -> StreamSpec:
        """What it publishes; the identity tells no name, which may be that of a person."""
        kind = "loopback" if self._is_loopback else "microphone"
        told = hashlib.sha256(self._name.encode()).hexdigest()[:8] if self._name else "default"
        return sound_spec(source_id=f"rtasmr-{kind}-{told}", desc={"origin": kind})

    def open(self) -> None:
        """Start the input.

        Raises
        ------
        ConfigError
            If the name fits no input or several, or the library is missing.
        DeviceError
            If there is no such input at the moment, or the system refuses it.
        """
        sounddevice = load_sounddevice()
        if self._was_open:
            # PortAudio looks for devices once; one that was unplugged and is back has another number.
            with quiet_stderr():
                sounddevice._terminate()
                sounddevice._initialize()
        self._was_open = True
        number = find_input(sounddevice, self._name, is_loopback=self._is_loopback)
        self._format = sfreq, n_channels = input_format(sounddevice, number, self._told)
        self._blocks = queue.Queue(QUEUE_BLOCKS)
        self._converter = BlockConverter(sfreq, n_channels)
        self._n_overflows, self._has_dropped = 0, False
        try:
            with quiet_stderr():
                self._stream = sounddevice.InputStream(
                    samplerate=sfreq,
                    blocksize=0,
                    latency=LATENCY_S,
                    device=number,
                    channels=n_channels,
                    dtype="int16",
                    callback=self._take,
                )
                self._stream.start()
        except sounddevice.PortAudioError as error:
            self.close()
            raise refusal(self._told, error) from error
        ages = PLAYED if is_monitor(self._name, is_loopback=self._is_loopback) else CAPTURED
        self._watch = DeliveryWatch(sfreq, float(pylsl.local_clock()), ages)

    def read(self, timeout_s: float) -> Reading | None:
        """Return the next block; None if none came in time, or its place is not known yet.

        Sound is left out until what the system tells of its time is steady: 0.5 s, or up to 4.5 s. Where its
        place moves afterwards, the counter begins anew.

        Raises
        ------
        DeviceLostError
            If the input has stopped.
        """
        if self._stream is None:
            raise DeviceLostError(f"{self._told} is not open. Open it first.")
        try:
            block = self._blocks.get(timeout=timeout_s)
        except queue.Empty:
            if not self._stream.active:
                raise DeviceLostError(f"{self._told} has stopped. Plug it in again.") from None
            return None
        watch = self._watch
        place = watch.take(len(block.samples), block.arrival, block.age_s, is_flagged=block.follows_loss)
        if place.state is State.SLID:
            moved_ms = 1000 * watch.slid_s
            logger.warning("%s: its time moved by %+.0f ms; its stamps begin anew", self._told, moved_ms)
        elif place.state is State.BEGINS_UNSTEADY:
            logger.warning("%s: %s", self._told, UNSTEADY)
        if place.state in (State.SETTLING, State.SLID):
            return None
        if place.state is not State.GOES_ON:
            self._converter = BlockConverter(*self._format)
        self._n_overflows += block.follows_loss or place.n_lost > 0
        self._converter.skip(place.n_lost)
        samples, counter = self._converter.convert(block.samples)
        if len(samples) == 0:
            return None
        return Reading(
            samples[:, np.newaxis], block.arrival - watch.delay_s - self._converter.held_s, counter
        )

    def close(self) -> None:
        """Stop the input."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(ignore_errors=True)

    def health(self) -> Health:
        """Return the card's format and how often samples were lost."""
        sfreq, n_channels = self._format
        counts = {
            "overflows": self._n_overflows,
            "slides": self._watch.n_slides,
            "unsteady starts": self._watch.n_unsteady,
        }
        errors = {what: n for what, n in counts.items() if n}
        return Health(link=f"{sfreq} Hz, {n_channels} channels", errors=errors)

    @property
    def _told(self) -> str:
        return f"sound input {self._name!r}" if self._name else "the default sound input"

    def _take(self, data: NDArray[np.int16], n_samples: int, times: Any, status: Any) -> None:
        """Keep a block with its times; runs in the card's thread and must not wait."""
        now = float(pylsl.local_clock())
        # The card's clock may be any; only what it says of the age of the block's first sample is used.
        age_s = times.currentTime - times.inputBufferAdcTime
        is_believed = times.inputBufferAdcTime > 0 and 0 < age_s < MAX_AGE_S
        last_age_s = age_s - (n_samples - 1) / self._format[0] if is_believed else math.nan
        try:
            self._blocks.put_nowait(
                _Block(data.copy(), now, last_age_s, self._has_dropped or bool(status.input_overflow))
            )
            self._has_dropped = False
        except queue.Full:
            self._has_dropped = True
