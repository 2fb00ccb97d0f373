"""The sound card: plays what is queued, and tells what it played and when that is heard."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr.closing import Closing
from rtasmr.errors import RtasmrError
from rtasmr.features.spec import SOUND_SFREQ

LATENCY_S = 0.3
"""Buffered ahead in the card: so long a busy machine may keep it waiting."""

MAX_LATENCY_S = 10.0
"""No card holds more; a larger figure is a wrong clock."""

SILENT_S = 5.0
"""A card that asks for nothing for so long is gone; some pause for 2 s when they ran dry."""

N_COLUMNS = 3
"""Left, right, and the mono sound that features are made of."""


class SoundDeviceError(RtasmrError):
    """There is no sound card to play on."""


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """Samples that were handed to the card.

    Parameters
    ----------
    first : int
        Number of the first sample since the card began.
    mono : ndarray of shape (n_samples,), int16
    time_s : float
        LSL time at which the card says the first sample leaves.
    held_by : PlayQueue or None
        The queue that stood still, where this is the silence of a pause.
    """

    first: int
    mono: NDArray[np.int16]
    time_s: float
    held_by: PlayQueue | None = None

    @property
    def start_s(self) -> float:
        """Position of the first sample on the card, in seconds."""
        return self.first / SOUND_SFREQ


class PlayQueue:
    """Samples to be played from a given sample number on; where there are none there is silence.

    Attributes
    ----------
    is_held : bool
        Set it to play silence and move everything that is queued by the length of that.
    n_late : int
        Samples that came when their time was over; they are never heard.
    n_underflows : int
        How often the card ran dry while there was something to be played.
    """

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._n_held = 0
        self.is_held = False
        self.n_late = 0
        self.n_underflows = 0

    def push(self, first: int, block: NDArray[np.int16]) -> None:
        """Add a block of shape (n_samples, 3) that begins at sample ``first``, after all that is queued."""
        self._blocks.append((first, block))

    def note_underflow(self) -> None:
        """Count that the card ran dry, unless nothing was to be heard."""
        self.n_underflows += bool(self._blocks) and not self.is_held

    def take(self, first: int, n_samples: int) -> tuple[NDArray[np.int16], bool]:
        """Return samples ``first`` to ``first + n_samples`` - 1 of the card, and whether they are a hold's.

        The samples have shape (n_samples, 3).
        """
        taken = np.zeros((n_samples, N_COLUMNS), dtype=np.int16)
        if self.is_held:
            self._n_held += n_samples
            return taken, True
        first -= self._n_held
        stop = first + n_samples
        while self._blocks:
            start, block = self._blocks[0]
            if start >= stop:
                break
            self._blocks.popleft()
            if start < first:
                n_late = min(first - start, len(block))
                self.n_late += n_late
                start, block = start + n_late, block[n_late:]
            n_fits = min(stop - start, len(block))
            taken[start - first : start - first + n_fits] = block[:n_fits]
            if n_fits < len(block):
                self._blocks.appendleft((start + n_fits, block[n_fits:]))
        return taken, False


class SoundOutput(Closing):
    """An open sound card; use it as a context manager.

    Parameters
    ----------
    device : str
        Part of its name, or its number; empty takes the system's default.

    Attributes
    ----------
    name : str
    latency_s : float
        What the card reports, in seconds.
    queue : PlayQueue
        What plays; put another one in its place to play something else.
    n_underflows : int
        How often the card ran dry, in silence too.

    Raises
    ------
    SoundDeviceError
        If there is none, or it does not play 44.1 kHz in stereo.
    """

    def __init__(self, device: str = "") -> None:
        self.queue = PlayQueue()
        self.n_underflows = 0
        self._played: deque[Played] = deque(maxlen=10_000)
        self._next_sample = 0
        self._last_call_s = pylsl.local_clock()
        self._stream = self._open(device)
        self.latency_s = float(self._stream.latency)

    def _open(self, device: str) -> Any:
        try:
            import sounddevice  # an extra, and it loads a system library
        except (ModuleNotFoundError, OSError) as error:
            raise SoundDeviceError(
                f"no sound: expected sounddevice and PortAudio, got: {error}; "
                "install them: pip install 'rtasmr[sensors]' (Debian: and apt install libportaudio2)"
            ) from error
        number = int(device) if device.isdecimal() else device or None
        try:
            self.name = str(sounddevice.query_devices(number, "output")["name"])
            return sounddevice.OutputStream(
                samplerate=SOUND_SFREQ,
                channels=2,
                dtype="int16",
                device=number,
                latency=LATENCY_S,
                callback=self._on_call,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SoundDeviceError(
                f"no sound: expected {device or 'a default sound device'} to play 44.1 kHz stereo, got: "
                f"{' '.join(str(error).split())}; see 'rtasmr doctor', or choose one with --sound-device"
            ) from error

    def start(self) -> None:
        """Begin to play; silence until something is queued."""
        self._last_call_s = pylsl.local_clock()
        self._stream.start()

    def close(self) -> None:
        """Stop at once."""
        self._stream.abort()
        self._stream.close()

    @property
    def is_alive(self) -> bool:
        """Whether the card has asked for samples lately."""
        return bool(pylsl.local_clock() - self._last_call_s < SILENT_S)

    def take_played(self) -> list[Played]:
        """Return what was handed to the card since the last call."""
        return [self._played.popleft() for _ in range(len(self._played))]

    def _on_call(self, out: NDArray[np.int16], n_samples: int, times: Any, status: Any) -> None:
        """Hand samples to PortAudio, on its own thread."""
        # Read together, so that a wait for the interpreter before this line does no harm.
        stream_s, now_s = self._stream.time, pylsl.local_clock()
        ahead_s = times.outputBufferDacTime - stream_s
        if abs(ahead_s) > MAX_LATENCY_S:
            # Some drivers give no time; what PortAudio knows of the latency is all there is then.
            ahead_s = self._stream.latency
        queue = self.queue
        if status.output_underflow:
            self.n_underflows += 1
            queue.note_underflow()
        taken, is_held = queue.take(self._next_sample, n_samples)
        out[:] = taken[:, :2]
        held_by = queue if is_held else None
        self._played.append(Played(self._next_sample, taken[:, 2].copy(), now_s + ahead_s, held_by))
        self._next_sample += n_samples
        self._last_call_s = now_s
