"""The sound of a stimulus on a sound card, and the clock that this makes."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import pylsl

from rtasmr.errors import DataError
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.player.clock import ClockLine, SoundClock
from rtasmr.player.decoding import SoundBlock, sound_ahead
from rtasmr.player.sound import Played, SoundDeviceError, SoundOutput

QUEUE_AHEAD_S = 1.0
"""Sound handed to the card's queue ahead of its time."""

STEADY_TIMEOUT_S = 10.0
_CHECK_S = 0.01


class SoundTrack:
    """Sound of one file; use it as a context manager.

    Positions on the *card* count from its first sample, those of the *file* from the file's start.

    Parameters
    ----------
    file : Path
    device : str
        See `SoundOutput`.
    delay_s : float
        What the sound takes on top of what the card reports, in seconds.

    Raises
    ------
    SoundDeviceError
        If there is no sound card.
    """

    def __init__(self, file: Path, device: str, delay_s: float) -> None:
        self._delay_s = delay_s
        self._clock = SoundClock()
        self._zero_s = 0.0
        self._end_s = 0.0
        self._output = SoundOutput(device)
        self._blocks = sound_ahead(file)
        self._is_decoded = False
        self._handed_s = 0.0

    def __enter__(self) -> SoundTrack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()
        self._blocks.close()

    def start(self, stop: threading.Event) -> None:
        """Play silence until the card's clock is known or ``stop`` is set.

        Raises
        ------
        SoundDeviceError
            If the card gives no steady time within 10 s.
        """
        self._output.start()
        limit_s = pylsl.local_clock() + STEADY_TIMEOUT_S
        while not self._clock.is_steady and not stop.wait(_CHECK_S):
            self.listen()
            if pylsl.local_clock() > limit_s:
                raise SoundDeviceError(
                    f"no sound: expected a steady time from {self._output.name}, got none within "
                    f"{STEADY_TIMEOUT_S:g} s; choose another one with --sound-device"
                )

    def listen(self) -> list[Played]:
        """Return what the card was given since the last call, and learn from it when it is heard."""
        played = self._output.take_played()
        for part in played:
            self._clock.observe(part.first / SOUND_SFREQ, part.time_s + self._delay_s)
            self._handed_s = (part.first + len(part.mono)) / SOUND_SFREQ
        return played

    @property
    def card(self) -> ClockLine:
        """When each position on the card is heard."""
        if self._clock.line is None:
            raise SoundDeviceError(f"no sound: {self._output.name} was not started; start it first")
        return self._clock.line

    @property
    def line(self) -> ClockLine:
        """When each position of the file is heard, or shown."""
        return self.card.from_position(self._zero_s)

    @property
    def handed_s(self) -> float:
        """Position in the file up to which the card was given sound: nothing later can be heard yet."""
        return self._handed_s - self._zero_s

    @property
    def in_doubt(self) -> bool:
        """Whether the card's last time does not fit those before."""
        return self._clock.in_doubt

    @property
    def is_alive(self) -> bool:
        """Whether the card still plays."""
        return self._output.is_alive

    @property
    def is_decoded(self) -> bool:
        """Whether there is nothing more in the file."""
        return self._is_decoded

    @property
    def end_s(self) -> float:
        """Position in the file up to which it is decoded, in seconds."""
        return self._end_s

    def cue(self, time_s: float) -> None:
        """Let the file begin at an LSL time, to the next sample of the card."""
        self._zero_s = round(self.card.position_at(time_s) * SOUND_SFREQ) / SOUND_SFREQ

    def decode(self, position_s: float, stop_s: float) -> None:
        """Queue about a second of what follows ``position_s``, nothing from ``stop_s`` on (file, seconds).

        Raises
        ------
        DataError
            If the file is damaged there; what came before is played.
        """
        try:
            while not self._is_decoded and self._blocks.is_ready:
                if self._end_s - position_s > QUEUE_AHEAD_S:
                    return
                self._queue(next(self._blocks), stop_s)
        except StopIteration:
            self._is_decoded = True
        except DataError:
            self._is_decoded = True
            raise

    def silence(self) -> None:
        """Play nothing more of what is queued."""
        self._output.queue.clear()

    def describe(self) -> dict[str, str]:
        """Return the metadata of the streams."""
        return {"sound_device": self._output.name, "output_latency_s": f"{self._output.latency_s:.6f}"}

    def account(self) -> dict[str, Any]:
        """Return how the card did."""
        line = self._clock.line
        return {
            "device": self._output.name,
            "latency_ms": round(1000 * self._output.latency_s, 1),
            "rate_ppm": None if line is None else round(1e6 * (1 / line.rate - 1), 1),
            "clock_noise_ms": round(1000 * self._clock.noise_s, 3),
            "clock_steps": self._clock.n_steps,
            "underflows": self._output.n_underflows,
            "samples_late": self._output.queue.n_late,
        }

    def _queue(self, block: SoundBlock, stop_s: float) -> None:
        n_samples = max(0, round(stop_s * SOUND_SFREQ) - block.first)
        self._end_s = block.stop_s
        self._output.queue.push(round(self._zero_s * SOUND_SFREQ) + block.first, block.samples[:n_samples])
