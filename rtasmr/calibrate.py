"""How late the sound of this machine is heard, beyond what its player knows: played, and recorded back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr.calibrate_signal import (
    PROBE_S,
    SEARCH_S,
    CalibrationError,
    Delay,
    Heard,
    agreed_delay,
    find_probe,
    probe,
)
from rtasmr.errors import ConfigError
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.player.clock import ClockLine, SoundClock
from rtasmr.player.sound import SoundOutput
from rtasmr.sources.microphone import Microphone
from rtasmr.sources.stamps import Stamper

N_PROBES = 12
MIN_PROBES, MAX_PROBES = 4, 100

LEAD_S = 6.0
"""Silence first: what a sound server says of its time wanders by up to 30 ms until it has settled."""

INTERVAL_S = 1.0
UNEVEN_S = 0.3
"""Probes follow each other by `INTERVAL_S` and up to this much more, so that no two are mistaken."""

READ_S = 0.02
START_TIMEOUT_S = 15.0

N_PASSES = 2
"""Each with an input opened anew: what the system says of an input's age is one number per opening."""


@dataclass(frozen=True, slots=True)
class CalibrateConfig:
    """What to measure.

    Parameters
    ----------
    sound_device : str
        Output: part of its name, or its number; empty takes the default.
    input_name : str
        What records; see `Microphone`.
    is_loopback : bool
        Record what the output plays instead of a microphone.
    n_probes : int
    """

    sound_device: str = ""
    input_name: str = ""
    is_loopback: bool = False
    n_probes: int = N_PROBES

    def __post_init__(self) -> None:
        if not MIN_PROBES <= self.n_probes <= MAX_PROBES:
            raise ConfigError(
                f"expected {MIN_PROBES} to {MAX_PROBES} --clicks, got {self.n_probes}. Leave it out."
            )


def measure(config: CalibrateConfig, say: Callable[[str], None]) -> tuple[str, Delay]:
    """Play probes and record them; return the output's name and by how much they were late.

    The delay is what is heard after the moment at which the player would say so, or before (negative). The
    way of the sound through the air, 3 ms per metre, and what the input does not know of its own delay
    are part of it.

    Raises
    ------
    CalibrationError
        If no delay can be told.
    DeviceError, SoundDeviceError, ConfigError
        If output or input cannot be used.
    """
    # The output opens first: opening the input sets the server's latency for all that this process opens
    # afterwards, which is too little to play.
    with SoundOutput(config.sound_device) as output:
        output.start()
        seconds = LEAD_S + config.n_probes * (INTERVAL_S + UNEVEN_S / 2) + N_PASSES * SEARCH_S[1]
        say(f"calibrating {output.name}: {config.n_probes} clicks, some {seconds:.0f} s; keep quiet")
        clock, heard = SoundClock(), []
        for k in range(N_PASSES):
            microphone = Microphone(config.input_name, is_loopback=config.is_loopback)
            try:
                microphone.open()
                n_probes = config.n_probes * (k + 1) // N_PASSES - config.n_probes * k // N_PASSES
                # The output goes on between the passes, and needs to settle once.
                lead_s = LEAD_S if k == 0 else 0.0
                heard.append(_Pass(output, clock, microphone, n_probes).run(lead_s))
            finally:
                microphone.close()
        return output.name, agreed_delay(heard)


class _Pass:
    """Plays and records at the same time, then compares."""

    def __init__(self, output: SoundOutput, clock: SoundClock, microphone: Microphone, n_probes: int) -> None:
        self._output = output
        self._clock = clock
        self._microphone = microphone
        self._n_probes = n_probes
        self._stamper = Stamper(SOUND_SFREQ)
        self._n_handed = 0
        self._times: list[NDArray[np.float64]] = []
        self._sound: list[NDArray[np.int16]] = []

    def run(self, lead_s: float) -> list[Heard | None]:
        """Return what was heard of each probe; ``lead_s`` seconds of silence go before them."""
        begin_s = pylsl.local_clock()
        while pylsl.local_clock() - begin_s < lead_s:
            self._turn(observe=False)
        while not (self._clock.is_steady and self._times):
            self._turn()
            if pylsl.local_clock() - begin_s > START_TIMEOUT_S:
                wanting = "sound from the input" if self._clock.is_steady else "a steady time of the output"
                raise CalibrationError(
                    f"expected {wanting} within {START_TIMEOUT_S:g} s, got none; try others"
                )
        positions_s = self._queue()
        due_s: list[float] = []
        while len(due_s) < len(positions_s) or self._times[-1][-1] < due_s[-1] + SEARCH_S[1] + PROBE_S:
            self._turn()
            # As in a viewing, what counts is what the clock says when the sound is heard.
            line = self._line()
            now_s = pylsl.local_clock()
            due_s += [due for p in positions_s[len(due_s) :] if (due := line.time_of(p)) <= now_s]
        return [self._heard(due) for due in due_s]

    def _turn(self, *, observe: bool = True) -> None:
        """Take what was played and recorded since the last turn."""
        for played in self._output.take_played():
            self._n_handed = played.first + len(played.mono)
            if observe:
                self._clock.observe(played.first / SOUND_SFREQ, played.time_s)
        if not self._output.is_alive:
            raise CalibrationError(
                f"expected {self._output.name} to go on playing, it has stopped; try again"
            )
        reading = self._microphone.read(READ_S)
        stamped = None if reading is None else self._stamper.push(reading)
        if stamped is not None:
            self._times.append(stamped.times)
            self._sound.append(stamped.samples[:, 0])

    def _queue(self) -> list[float]:
        """Queue the probes; return the positions on the card at which they begin, in seconds."""
        samples = np.round(32_767 * probe(SOUND_SFREQ)).astype(np.int16)
        block = np.repeat(samples[:, np.newaxis], 3, axis=1)
        first, positions_s = self._n_handed, []
        for k in range(self._n_probes):
            first += round((INTERVAL_S + UNEVEN_S * (k * 0.618 % 1)) * SOUND_SFREQ)
            self._output.queue.push(first, block)
            positions_s.append(first / SOUND_SFREQ)
        return positions_s

    def _line(self) -> ClockLine:
        if self._clock.line is None:
            raise RuntimeError("probes are played only when the clock is steady")
        return self._clock.line

    def _heard(self, due_s: float) -> Heard | None:
        times, sound = np.concatenate(self._times), np.concatenate(self._sound)
        lo, hi = np.searchsorted(times, [due_s + SEARCH_S[0], due_s + SEARCH_S[1] + PROBE_S])
        is_whole = hi > lo and bool(np.all(np.diff(times[lo:hi]) < 1.5 / SOUND_SFREQ))
        return find_probe(sound[lo:hi], float(times[lo]), due_s, SOUND_SFREQ) if is_whole else None
