"""Settings of the player."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rtasmr.errors import ConfigError
from rtasmr.questions import ASKED, Question

MAX_DELAY_MS = 2_000.0

RatingInput = Literal["keys", "slider", "gamepad"]
"""``keys``: 1 to 4. ``slider``: these, and a slider from 0 to 3. ``gamepad``: these, and an axis of one."""


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """What the player was asked to show, and how.

    Parameters
    ----------
    file : Path
        Video or sound file, or a playlist (``.toml``).
    clip : str
        Name of a single file in the markers; empty takes the name of the file without its ending.
    question : Question
        What the person rates during a single file; not stated goes by its name.
    order_number : int or None
        Number of the participant, from 1, for the order of a playlist.
    source_id : str
        Common start of the streams' identities; empty derives one from the file's name.
    sound_device : str
        Part of its name or its number; empty takes the default.
    delay_ms : float
        What the sound takes on top of the latency that the card reports, as calibrated.
    duration_s : float or None
        Show only so much of a single file; None shows all.
    hold : bool
        Begin when the streams are taken by somebody.
    full_screen : bool
    display : str
        Number from 1, or name, of the display to show it on; empty leaves it to the desktop.
    beside : bool
        A Tinglegram is on the desktop, too: leave it room, and do not be hidden by it.
    rating : RatingInput
    gamepad, gamepad_axis : str
        Part of the pad's name, and the axis; empty takes the first of either.
    feedback : bool
        Show the person the estimate.
    """

    file: Path
    clip: str = ""
    question: Question = Question.NOT_STATED
    order_number: int | None = None
    source_id: str = ""
    sound_device: str = ""
    delay_ms: float = 0.0
    duration_s: float | None = None
    hold: bool = False
    full_screen: bool = False
    display: str = ""
    beside: bool = False
    rating: RatingInput = "keys"
    gamepad: str = ""
    gamepad_axis: str = ""
    feedback: bool = False

    def __post_init__(self) -> None:
        if not abs(self.delay_ms) <= MAX_DELAY_MS:
            raise ConfigError(
                f"expected a --delay between -{MAX_DELAY_MS:g} and {MAX_DELAY_MS:g} ms, "
                f"got {self.delay_ms:g}. Measure it again."
            )
        if self.duration_s is not None and not self.duration_s > 0:
            raise ConfigError(f"expected a --duration above 0 s, got {self.duration_s:g}. Leave it out.")
        if self.rating not in get_args(RatingInput):
            raise ConfigError(
                f"expected --rate {' or '.join(get_args(RatingInput))}, got {self.rating!r}. Correct it."
            )
        if self.is_playlist:
            singles = {"--clip": self.clip, "--duration": self.duration_s}
            singles["--question"] = "" if self.question is Question.NOT_STATED else self.question
            for option, value in singles.items():
                if value:
                    raise ConfigError(f"{option} is for a single file, got a playlist. Write it in there.")
        elif self.order_number is not None:
            raise ConfigError("--order-number is for a playlist, got a single file. Leave it out.")

    @property
    def is_playlist(self) -> bool:
        """Whether the file is a playlist."""
        return self.file.suffix.lower() == ".toml"

    @property
    def label(self) -> str:
        """Name of a single clip in the markers."""
        return self.clip or self.file.stem

    @property
    def identity(self) -> str:
        """Common start of the streams' identities."""
        return self.source_id or f"rtasmr-player-{self.file.stem}"

    @property
    def words(self) -> list[str]:
        """The command line of the player's process that comes to these settings."""
        words = [f"--delay={self.delay_ms}", f"--clip={self.clip}", f"--source-id={self.source_id}"]
        words += [f"--sound-device={self.sound_device}", f"--display={self.display}", f"--rate={self.rating}"]
        words += [f"--gamepad={self.gamepad}", f"--gamepad-axis={self.gamepad_axis}"]
        if self.duration_s is not None:
            words.append(f"--duration={self.duration_s}")
        if self.order_number is not None:
            words.append(f"--order-number={self.order_number}")
        if self.question in ASKED:
            words.append(f"--question={self.question}")
        words += ["--wait-for-consumer"] * self.hold + ["--full-screen"] * self.full_screen
        words += ["--feedback"] * self.feedback + ["--beside"] * self.beside
        return [*words, "--", str(self.file)]
