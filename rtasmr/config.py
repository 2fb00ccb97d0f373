"""Settings of a live run: one frozen dataclass, saved beside what the run writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from rtasmr.errors import ConfigError
from rtasmr.types import Role

Provider = Literal["auto", "cuda", "cpu"]
"""Where ONNX Runtime computes; ``auto`` takes CUDA where it runs, else the CPU."""

ROLE_OPTIONS: Mapping[Role, str] = {
    Role.PPG: "ppg",
    Role.SOUND: "audio",
    Role.PICTURE: "video",
    Role.CLIP: "markers",
    Role.RATING: "ratings",
}
"""What the command line calls the stream of a role: ``--ppg``, ``--require ppg``."""


@dataclass(frozen=True)
class LiveConfig:
    """What `rtasmr live` was asked to do.

    Parameters
    ----------
    model : str
        Model id or folder; empty takes the newest real model installed, else a demo model.
    queries : mapping of Role to str
        Stream selections (``type=PPG,name=...``); a role not named takes the contract's default.
    marker_map : str
        TOML file that says what the texts of the chosen marker streams mean; empty takes our own texts only.
    require : tuple of Role
        Streams without which the run does not start, and whose loss is an alarm.
    provider : Provider
    duration_s : float or None
        ``round(10 * duration_s)`` ticks, then the end; None runs until stopped.
    until_lost : bool
        End when every stream that was there is gone.
    record : str
        XDF file to write; empty records nothing.
    record_raw : bool
        Record sound and picture samples too, not only features.
    participant, consent
        What the recording's header says about the person: a pseudonymous code and a consent flag.
    wait_s : float
        Seconds to wait for streams at the start.
    network : bool
        Listen beyond this machine.
    sound_delay : str
        What a viewing adds to the times of its sound, and where that comes from, for the recording's
        header; empty where it plays nothing.
    """

    model: str = ""
    queries: Mapping[Role, str] | None = None
    marker_map: str = ""
    require: tuple[Role, ...] = ()
    provider: Provider = "auto"
    duration_s: float | None = None
    until_lost: bool = False
    record: str = ""
    record_raw: bool = False
    participant: str = ""
    consent: bool = False
    wait_s: float = 5.0
    network: bool = False
    sound_delay: str = ""

    def __post_init__(self) -> None:
        if self.provider not in get_args(Provider):
            raise ConfigError(
                f"provider must be one of {', '.join(get_args(Provider))}, got {self.provider!r}. "
                "Use --provider auto."
            )
        if self.duration_s is not None and not 0 < self.duration_s < math.inf:
            raise ConfigError(
                f"the duration must be finite and more than 0 s, got {self.duration_s:g}. "
                "Leave it out to run on."
            )
        if not self.wait_s >= 0:
            raise ConfigError(f"--wait must be 0 s or more, got {self.wait_s:g}.")
        if self.marker_map and not {Role.CLIP, Role.RATING} & set(self.queries or {}):
            raise ConfigError(
                "--marker-map needs the stream that it is for, got neither --markers nor --ratings. "
                "Name one, such as --markers type=Markers,name=PsychoPy."
            )

    @property
    def n_ticks(self) -> int | None:
        """Ticks after which the run ends, or None."""
        return None if self.duration_s is None else round(10 * self.duration_s)

    def to_json(self) -> str:
        """Return the settings as one line of JSON, as stored in a recording's header."""
        values = asdict(self)
        values["queries"] = {role.value: text for role, text in (self.queries or {}).items()}
        values["record"] = Path(self.record).name
        values["marker_map"] = Path(self.marker_map).name
        return json.dumps(values, sort_keys=True)
