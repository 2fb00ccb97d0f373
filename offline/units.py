"""Units of feature work: what is computed from one file, and what its values depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.feature_sets import PAPER_PULSE, PAPER_SOUND, picture_parameters
from rtasmr.features.spec import LIVE_PARAMETERS, FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.presentation_log import Clip
from rtasmr.types import Modality

STIMULUS = "values"
"""Name of the one array of a stimulus; arrays of a pulse are named by their clip."""


class Kind(StrEnum):
    """What a unit computes."""

    PAPER_PICTURE = "paper-picture"
    PAPER_SOUND = "paper-sound"
    PAPER_PULSE = "paper-pulse"
    LIVE_STIMULUS = "live-stimulus"
    LIVE_PULSE = "live-pulse"
    FILM = "film"
    """Whether a stimulus can be used and how far it goes; fills no column."""


MODALITIES: Mapping[Kind, tuple[Modality, ...]] = {
    Kind.PAPER_PICTURE: (Modality.PICTURE,),
    Kind.PAPER_SOUND: (Modality.SOUND,),
    Kind.PAPER_PULSE: (Modality.PPG,),
    Kind.LIVE_STIMULUS: (Modality.PICTURE, Modality.SOUND),
    Kind.LIVE_PULSE: (Modality.PPG,),
}

VERSIONS: Mapping[Kind, int] = {
    Kind.PAPER_PICTURE: 1,
    Kind.PAPER_SOUND: 2,
    Kind.PAPER_PULSE: 4,
    Kind.LIVE_STIMULUS: 3,
    Kind.LIVE_PULSE: 4,
    Kind.FILM: 1,
}
"""Raised whenever our own code changes a value or a note."""

LIBRARIES: Mapping[Kind, tuple[str, ...]] = {
    Kind.PAPER_PICTURE: ("av", "pillow"),
    Kind.PAPER_SOUND: ("av", "librosa", "numpy", "scipy"),
    Kind.PAPER_PULSE: ("numpy", "polars", "scipy"),
    Kind.LIVE_STIMULUS: ("av", "librosa", "numpy", "pillow", "scipy"),
    Kind.LIVE_PULSE: ("numpy", "polars", "scipy"),
    Kind.FILM: ("av",),
}
"""Distributions whose new version may change a value."""


@dataclass(frozen=True, eq=False)
class Unit:
    """One computation over one file; independent of all others.

    Parameters
    ----------
    kind : Kind
    path : Path
    spec : FeatureSpec
        The feature set, with the encoder's hash.
    n_frames : int
        Published frames of a stimulus; 0 where the whole file is taken.
    clips : tuple of Clip
        Clips of a pulse recording.
    """

    kind: Kind
    path: Path
    spec: FeatureSpec
    n_frames: int = 0
    clips: tuple[Clip, ...] = ()

    @property
    def columns(self) -> NDArray[np.intp]:
        """Columns of the feature set that the unit fills, shape (n_columns,)."""
        return np.concatenate([self.spec.columns(modality) for modality in MODALITIES[self.kind]])

    @property
    def first_tick(self) -> int:
        """Tick of the first row: the paper's sets begin with the published frames."""
        return 0 if self.kind in (Kind.LIVE_STIMULUS, Kind.LIVE_PULSE) else WARMUP_TICKS

    @property
    def is_pulse(self) -> bool:
        """Whether the unit belongs to a participant, not to a stimulus."""
        return self.kind in (Kind.PAPER_PULSE, Kind.LIVE_PULSE)

    def content(self, file_sha256: str) -> dict[str, object]:
        """Return all that shapes the values, as JSON takes it; not what the file is called."""
        return {
            "kind": self.kind.value,
            "version": VERSIONS[self.kind],
            "libraries": {name: _version(name) for name in LIBRARIES[self.kind]},
            "file_sha256": file_sha256,
            "n_frames": self.n_frames,
            "clips": [[clip.video, clip.start_s, clip.duration_s] for clip in self.clips],
            "parameters": self._parameters(),
        }

    def _parameters(self) -> dict[str, object]:
        """Return only what this kind depends on, so that sets share what they have in common."""
        match self.kind:
            case Kind.PAPER_PICTURE:
                return {
                    **picture_parameters(self.spec.set_name),
                    "encoder_sha256": self.spec.encoder_sha256,
                }
            case Kind.PAPER_SOUND:
                return dict(PAPER_SOUND)
            case Kind.PAPER_PULSE:
                return dict(PAPER_PULSE)
            case Kind.LIVE_STIMULUS:
                return {**_stimulus_parameters(self.spec), "encoder_sha256": self.spec.encoder_sha256}
            case Kind.FILM:
                return {}
            case Kind.LIVE_PULSE:
                return {
                    **self.spec.parameters,
                    "set_version": self.spec.version,
                    "lookahead_s": self.spec.lookahead_s,
                }


def _stimulus_parameters(spec: FeatureSpec) -> dict[str, object]:
    """Return what shapes sound and picture: the same in ``live`` and ``live+ppg``."""
    shared = {name: spec.parameters[name] for name in LIVE_PARAMETERS}
    version = spec.parameters.get("live_version", spec.version)
    return {**shared, "set_version": version, "lookahead_s": spec.lookahead_s}


@cache
def _version(distribution: str) -> str:
    return version(distribution)
