"""Boards that BrainFlow knows and that measure a pulse: EmotiBit, Muse, Galea, its synthetic board.

Imported only in the process of a source: BrainFlow carries an ONNX runtime of its own. Which boards those
are and what is known of them stands in `brainflow_catalog`.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
from brainflow.board_shim import BoardIds, BoardShim, BrainFlowInputParams, BrainFlowPresets
from brainflow.exit_codes import BrainFlowError, BrainFlowExitCodes

from rtasmr.errors import ConfigError
from rtasmr.sources.brainflow_catalog import PulseBoard, pulse_boards, set_log_level
from rtasmr.sources.device import (
    CounterUnwrapper,
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceMissingError,
    Health,
    Reading,
)
from rtasmr.stream_specs import ppg_spec
from rtasmr.types import StreamSpec

logger = logging.getLogger(__name__)

POLL_S = 0.01
"""BrainFlow cannot wait for data; it is asked this often, in seconds."""

BUFFER_S = 30
"""Seconds that BrainFlow keeps if it is not asked in time; then the oldest are overwritten."""

PLAYBACK = "playback"
_FILE_PARAMETERS = {
    BrainFlowPresets.DEFAULT_PRESET: "file",
    BrainFlowPresets.AUXILIARY_PRESET: "file_aux",
    BrainFlowPresets.ANCILLARY_PRESET: "file_anc",
}
_LOOP_COMMAND = "loopback_true"


class BrainFlowPulse:
    """One pulse channel of a board; see `Device`.

    Parameters
    ----------
    board : PulseBoard
    settings : mapping of str to str
        Any of ``mac``, ``port``, ``ip``, ``device``: how to reach it; ``recording``: a BrainFlow file that is
        played, over and over, instead of the board; ``channel``; ``command``.
    """

    def __init__(self, board: PulseBoard, settings: Mapping[str, str]) -> None:
        self._board = board
        self._settings = dict(settings)
        self._channel = board.channel(settings.get("channel", ""))
        self._recording = settings.get("recording", "")
        self._session: BoardShim | None = None
        self._counter: CounterUnwrapper | None = None
        self._asked = 0.0

    @property
    def spec(self) -> StreamSpec:
        """What it publishes."""
        notes = self._board.notes
        place = "".join(self._settings.get(key, "") for key in ("mac", "port", "ip", "device", "recording"))
        # An address names a person's device.
        which = f"-{hashlib.sha256(place.encode()).hexdigest()[:8]}" if place else ""
        desc = {"board": self._board.name + (" (playback)" if self._recording else "")}
        desc |= {"light": notes.lights[self._channel]} if notes.lights else {}
        desc |= {"burst_s": f"{notes.burst_s:g}"} if notes.burst_s else {}
        desc |= {"simulated": "true"} if self._board.board_id == BoardIds.SYNTHETIC_BOARD else {}
        return ppg_spec(
            self._board.sfreq,
            source_id=f"rtasmr-brainflow-{self._board.name}{which}",
            channels=("raw",),
            units=(notes.unit,),
            desc=desc,
        )

    def open(self) -> None:
        """Connect; a board over radio takes up to 10 s.

        Raises
        ------
        DeviceError
            If the board does not answer.
        """
        if self._recording and not Path(self._recording).is_file():
            raise DeviceMissingError(f"{self._recording}: expected a recording of BrainFlow. Name one.")
        set_log_level()
        board_id = BoardIds.PLAYBACK_FILE_BOARD if self._recording else self._board.board_id
        command = _LOOP_COMMAND if self._recording else self._board.notes.command
        command = self._settings.get("command", command)
        session = BoardShim(int(board_id), self._parameters())
        self._session = session
        try:
            session.prepare_session()
            if command:
                session.config_board(command)
            session.start_stream(int(BUFFER_S * self._board.sfreq))
        except BrainFlowError as error:
            self.close()
            raise self._refusal(error) from error
        bits = self._board.notes.counter_bits
        # A recording starts again at its beginning, and so do its numbers.
        self._counter = CounterUnwrapper(bits) if bits and not self._recording else None
        self._asked = float(pylsl.local_clock())

    def read(self, timeout_s: float) -> Reading | None:
        """Return the samples that have come; None if none has within ``timeout_s``.

        Raises
        ------
        DeviceLostError
            If BrainFlow has given the board up.
        """
        if self._session is None:
            raise DeviceLostError(f"{self._board.name} is not open. Open it first.")
        asked, deadline = self._asked, time.monotonic() + timeout_s
        while True:
            try:
                data = self._session.get_board_data(preset=self._board.preset)
            except BrainFlowError as error:
                raise DeviceLostError(
                    f"{self._board.name} is gone ({_name(error)}). Switch it on."
                ) from error
            self._asked = float(pylsl.local_clock())
            if data.shape[1]:
                break
            if time.monotonic() >= deadline:
                return None
            time.sleep(POLL_S)
            asked = self._asked
        # BrainFlow notes when a sample reached it, on a clock that may be set meanwhile; it was not yet
        # there when last asked.
        age_s = time.time() - float(data[self._board.time_row, -1])
        arrival = self._asked - min(max(age_s, 0.0), self._asked - asked)
        counter = None
        if self._counter is not None:
            numbers = data[self._board.counter_row].astype(np.int64)
            counter = np.array([self._counter.unwrap(int(n)) for n in numbers], dtype=np.int64)
        samples = data[self._board.rows[self._channel]].astype(np.float32)[:, np.newaxis]
        return Reading(samples, arrival, counter)

    def close(self) -> None:
        """Let go of the board."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            if session.is_prepared():
                session.release_session()
        except BrainFlowError as error:
            logger.debug("%s was not released: %s", self._board.name, error)

    def health(self) -> Health:
        """Return how the board is reached."""
        return Health(link="playback" if self._recording else "BrainFlow")

    def _parameters(self) -> Any:
        parameters = BrainFlowInputParams()
        parameters.mac_address = self._settings.get("mac", "")
        parameters.serial_port = self._settings.get("port", "")
        parameters.ip_address = self._settings.get("ip", "")
        parameters.serial_number = self._settings.get("device", "")
        if self._recording:
            parameters.master_board = self._board.board_id
            setattr(parameters, _FILE_PARAMETERS[BrainFlowPresets(self._board.preset)], self._recording)
        return parameters

    def _refusal(self, error: BrainFlowError) -> DeviceError:
        """Return what it means that the board does not start, and what to do."""
        what = f"{self._board.name} does not start ({_name(error)})."
        if self._recording:
            fix = "Give a recording of that board's pulse (--board), tab-separated as BrainFlow writes it."
            return DeviceMissingError(f"{what} {fix}")
        match error.exit_code:
            case (
                BrainFlowExitCodes.ANOTHER_BOARD_IS_CREATED_ERROR | BrainFlowExitCodes.PORT_ALREADY_OPEN_ERROR
            ):
                return DeviceBusyError(f"{what} Close the program that uses it.")
            case BrainFlowExitCodes.UNABLE_TO_OPEN_PORT_ERROR | BrainFlowExitCodes.SER_PORT_ERROR:
                fix = "Switch Bluetooth on, or name the dongle with --port."
            case BrainFlowExitCodes.INVALID_ARGUMENTS_ERROR:
                fix = "Say how to reach it: --port, --mac or --ip."
            case _:
                fix = "Switch it on and bring it near, or say which: --mac, --device or --ip."
        return DeviceMissingError(f"{what} {fix}")


def brainflow_pulse(address: str, options: Mapping[str, str]) -> BrainFlowPulse:
    """Return the board called ``address``, not open yet; the options are text from the command line.

    Raises
    ------
    ConfigError
        If there is no such board, or a setting does not go with it.
    """
    is_playback = address == PLAYBACK
    if is_playback != ("recording" in options) or is_playback != ("board" in options):
        raise ConfigError(
            f"expected --recording and --board with --brainflow {PLAYBACK} and only there, got "
            f"{', '.join(f'--{key}' for key in options) or 'neither'} with {address!r}. Correct it."
        )
    boards = pulse_boards()
    name = options["board"] if is_playback else address
    if name not in boards:
        known = ", ".join([*sorted(boards), PLAYBACK])
        raise ConfigError(f"expected a board with a pulse sensor ({known}), got {name!r}. Name one of these.")
    return BrainFlowPulse(boards[name], options)


def brainflow_boards(scan_s: float = 0.0) -> tuple[tuple[str, str], ...]:  # noqa: ARG001 - BrainFlow lists none
    """Return what can be named; whether it is switched on is only seen when it is opened."""
    told = []
    for board in pulse_boards().values():
        lights = ", ".join(board.notes.lights) or f"channels 0 to {len(board.rows) - 1}"
        told.append((board.name, f"{board.sfreq:g} Hz, {lights}"))
    return (*told, (PLAYBACK, "a recording of one of these"))


def _name(error: BrainFlowError) -> str:
    """Return what BrainFlow calls an error, in plain letters."""
    return str(BrainFlowExitCodes(error.exit_code).name.removesuffix("_ERROR").replace("_", " ").lower())
