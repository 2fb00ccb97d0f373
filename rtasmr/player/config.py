"""Settings of the player."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rtasmr.errors import ConfigError

MAX_DELAY_MS = 2_000.0


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """What the player was asked to show.

    Parameters
    ----------
    file : Path
        Video or sound file.
    clip : str
        Name in the markers; empty takes the name of the file without its ending.
    source_id : str
        Common start of the streams' identities; empty derives one from the file's name.
    sound_device : str
        Part of its name or its number; empty takes the default.
    delay_ms : float
        What the sound takes on top of the latency that the card reports, as calibrated.
    duration_s : float or None
        Show only so much; None shows all.
    hold : bool
        Begin when the streams are taken by somebody.
    full_screen : bool
    """

    file: Path
    clip: str = ""
    source_id: str = ""
    sound_device: str = ""
    delay_ms: float = 0.0
    duration_s: float | None = None
    hold: bool = False
    full_screen: bool = False

    def __post_init__(self) -> None:
        if not abs(self.delay_ms) <= MAX_DELAY_MS:
            raise ConfigError(
                f"expected a --delay between -{MAX_DELAY_MS:g} and {MAX_DELAY_MS:g} ms, "
                f"got {self.delay_ms:g}. Measure it again."
            )
        if self.duration_s is not None and not self.duration_s > 0:
            raise ConfigError(f"expected a --duration above 0 s, got {self.duration_s:g}. Leave it out.")

    @property
    def label(self) -> str:
        """Name of the clip in the markers."""
        return self.clip or self.file.stem

    @property
    def identity(self) -> str:
        """Common start of the streams' identities."""
        return self.source_id or f"rtasmr-player-{self.file.stem}"
