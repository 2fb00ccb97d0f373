"""The boards with a pulse sensor that BrainFlow knows, and what its descriptions leave out.

Imported only in the process of a source: BrainFlow carries an ONNX runtime of its own.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import brainflow.board_shim
from brainflow.board_shim import BoardIds, BoardShim
from brainflow.exit_codes import BrainFlowError

from rtasmr.errors import ConfigError

logger = logging.getLogger(__name__)

if sys.version_info < (3, 12):
    # There BrainFlow 5.23 asks importlib for its library by the name of a module, which only 3.12 allows, and
    # falls back on pkg_resources, which setuptools has given up.
    brainflow.board_shim.files = lambda module: files(module.rpartition(".")[0])


@dataclass(frozen=True, slots=True)
class BoardNotes:
    """What BrainFlow's own description of a board leaves out.

    Parameters
    ----------
    lights : tuple of str
        What each pulse channel measures, in BrainFlow's order; empty if not known.
    light : str
        The one to take where none is named: infrared, which reaches deepest and suits every skin tone.
    unit : str
        ``counts`` of the board's converter, or ``arbitrary`` where that is not known.
    burst_s : float
        Longest time between two deliveries in seconds.
    command : str
        What switches the pulse sensor on.
    counter_bits : int
        Width of a counter that counts samples; 0 if there is none. EmotiBit and Muse number
        radio packets instead, of which it cannot be told how many samples a lost one held.
    """

    lights: tuple[str, ...] = ()
    light: str = ""
    unit: str = "arbitrary"
    burst_s: float = 0.0
    command: str = ""
    counter_bits: int = 0


_MUSE_LIGHTS = ("ambient", "infrared", "red")
_MUSE_2 = BoardNotes(_MUSE_LIGHTS, "infrared", "counts", burst_s=0.1, command="p50")
_MUSE_S = BoardNotes(_MUSE_LIGHTS, "infrared", "counts", burst_s=0.1, command="p61")
_NOTES: Mapping[int, BoardNotes] = {
    # Up to 9 samples of 25 Hz in a datagram.
    BoardIds.EMOTIBIT_BOARD: BoardNotes(("infrared", "red", "green"), "infrared", "counts", burst_s=0.4),
    BoardIds.MUSE_2_BOARD: _MUSE_2,
    BoardIds.MUSE_2_BLED_BOARD: _MUSE_2,
    BoardIds.MUSE_S_BOARD: _MUSE_S,
    BoardIds.MUSE_S_BLED_BOARD: _MUSE_S,
    BoardIds.SYNTHETIC_BOARD: BoardNotes(counter_bits=8),
}


@dataclass(frozen=True, slots=True)
class PulseBoard:
    """A board with pulse channels, as BrainFlow describes it.

    Parameters
    ----------
    name : str
        BrainFlow's, in lower case with dashes: ``emotibit``, ``muse-2``.
    board_id, preset : int
        BrainFlow's; the preset is the one that holds the pulse.
    sfreq : float
        In Hz.
    rows : tuple of int
        Rows of the pulse channels in BrainFlow's data.
    time_row, counter_row : int
        Rows of the host's Unix time and of the package number.
    notes : BoardNotes
    """

    name: str
    board_id: int
    preset: int
    sfreq: float
    rows: tuple[int, ...]
    time_row: int
    counter_row: int
    notes: BoardNotes

    def channel(self, wanted: str) -> int:
        """Return which pulse channel is meant, from 0.

        Parameters
        ----------
        wanted : str
            A light of the board or a number; empty takes the board's usual one.

        Raises
        ------
        ConfigError
            If there is no such channel.
        """
        lights = self.notes.lights
        if not wanted:
            return lights.index(self.notes.light) if lights else 0
        if wanted in lights:
            return lights.index(wanted)
        if wanted.isdecimal() and int(wanted) < len(self.rows):
            return int(wanted)
        known = ", ".join([*lights, f"0 to {len(self.rows) - 1}"])
        raise ConfigError(f"expected --channel of {self.name} as {known}, got {wanted!r}. Correct it.")


def pulse_boards() -> dict[str, PulseBoard]:
    """Return all boards with pulse channels that this BrainFlow knows, by name."""
    set_log_level()
    boards = (_pulse_board(board_id) for board_id in BoardIds)
    return {board.name: board for board in boards if board is not None}


def _pulse_board(board_id: int) -> PulseBoard | None:
    try:
        presets = BoardShim.get_board_presets(board_id)
        described = {preset: BoardShim.get_board_descr(board_id, preset) for preset in presets}
    except BrainFlowError:
        return None  # a name without a board: NO_BOARD, and playback before it is told of what
    with_pulse = [preset for preset, description in described.items() if "ppg_channels" in description]
    if not with_pulse:
        return None
    # The synthetic board repeats its pulse beside the brain waves; the other preset has its true place.
    preset = max(with_pulse)
    description = described[preset]
    return PulseBoard(
        name=BoardIds(board_id).name.removesuffix("_BOARD").lower().replace("_", "-"),
        board_id=int(board_id),
        preset=int(preset),
        sfreq=float(description["sampling_rate"]),
        rows=tuple(description["ppg_channels"]),
        time_row=int(description["timestamp_channel"]),
        counter_row=int(description["package_num_channel"]),
        notes=_NOTES.get(board_id, BoardNotes()),
    )


def set_log_level() -> None:
    """Let BrainFlow speak only where this program is debugged."""
    if logger.isEnabledFor(logging.DEBUG):
        BoardShim.enable_dev_board_logger()
    else:
        BoardShim.disable_board_logger()
