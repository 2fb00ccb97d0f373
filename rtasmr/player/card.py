"""The sound card of a session, and the clock that it makes."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

import pylsl

from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.player.clock import ClockLine, SoundClock
from rtasmr.player.sound import Played, PlayQueue, SoundDeviceError, SoundOutput

STEADY_TIMEOUT_S = 10.0
_CHECK_S = 0.01


class SoundCard:
    """A card that plays silence, or the queue of the clip of the moment; use it as a context manager.

    Positions on the card are seconds of sound since its first sample.

    Parameters
    ----------
    device : str
        See `SoundOutput`.
    delay_s : float
        What the sound takes on top of what the card reports, in seconds.

    Attributes
    ----------
    handed_s : float
        Position up to which the card was given sound: nothing later can be heard yet.

    Raises
    ------
    SoundDeviceError
        If there is no sound card.
    """

    def __init__(self, device: str, delay_s: float) -> None:
        self._delay_s = delay_s
        self._clock = SoundClock()
        self._output = SoundOutput(device)
        self._n_late = 0
        self._n_breaks = 0
        self.handed_s = 0.0

    def __enter__(self) -> SoundCard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()

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
            self.handed_s = (part.first + len(part.mono)) / SOUND_SFREQ
        return played

    def play(self) -> PlayQueue:
        """Return a new queue that plays from now on in place of the last one."""
        self._n_late += self._output.queue.n_late
        self._n_breaks += self._output.queue.n_underflows
        self._output.queue = PlayQueue()
        return self._output.queue

    @property
    def line(self) -> ClockLine:
        """When each position on the card is heard."""
        if self._clock.line is None:
            raise SoundDeviceError(f"no sound: {self._output.name} was not started; start it first")
        return self._clock.line

    @staticmethod
    def on_sample(position_s: float) -> float:
        """Return the position of the sample nearest to one, in seconds."""
        return round(position_s * SOUND_SFREQ) / SOUND_SFREQ

    @property
    def in_doubt(self) -> bool:
        """Whether the card's last time does not fit those before."""
        return self._clock.in_doubt

    @property
    def is_alive(self) -> bool:
        """Whether the card still plays."""
        return self._output.is_alive

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
            "underflows_heard": self._n_breaks + self._output.queue.n_underflows,
            "samples_late": self._n_late + self._output.queue.n_late,
        }
