"""The list of feature columns, 544 or with the pulse's own, and the named definitions that fill them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rtasmr.types import Modality

PICTURE_NAMES = tuple(f"resnet18_{i:03d}" for i in range(512))
SOUND_NAMES = (
    *(f"mfcc_{i:02d}" for i in range(1, 21)),
    "rms",
    "spectral_centroid",
    "spectral_bandwidth",
    "zero_crossing_rate",
    *(f"spectral_contrast_{i}" for i in range(1, 8)),
)
PPG_NAMES = ("ppg",)
FEATURE_NAMES = PICTURE_NAMES + SOUND_NAMES + PPG_NAMES
"""Column names in the published order: 512 picture, 31 sound, 1 pulse."""

PULSE_NAMES = (
    "pulse_rate_relative",
    "pulse_rate_change",
    "pulse_amplitude_relative",
    "pulse_amplitude_change",
    "pulse_variability_relative",
    "breath_rate_relative",
    "breath_depth_relative",
)
"""Columns that set ``live+ppg`` has behind the 544; see `rtasmr.features.pulse_features`."""

LOG1P_NAMES = ("spectral_centroid", "spectral_bandwidth")
"""Columns that the model graph passes through log1p before scaling."""

SOUND_SFREQ = 44_100.0
PICTURE_SHAPE = (224, 224, 3)

LIVE_PARAMETERS: Mapping[str, float | int | str] = {
    # Sound (FEATURES.md 1.3): one constant floor instead of 80 dB under the clip's maximum.
    "sound_sfreq_hz": SOUND_SFREQ,
    "sound_frame_length": 2048,
    "mel_floor_db": -70.0,
    "contrast_floor_db": -100.0,
    # Picture: age above which the newest image no longer counts as what is on screen.
    "picture_resize": 256,
    "picture_crop": 224,
    "picture_max_age_s": 0.25,
    # Pulse (FEATURES.md 3): causal low-pass read 0.1 s late, expanding then exponential normaliser.
    "ppg_lowpass_order": 4,
    "ppg_lowpass_hz": 4.5,
    "ppg_raw_band_low_hz": 0.5,
    "ppg_raw_band_high_hz": 35.0,
    "ppg_raw_band_order": 2,
    "ppg_norm_memory_s": 30.0,
    "ppg_min_sfreq_hz": 20.0,
    # Frames held invalid while the filter forgets a restart (raw: the 0.5 Hz edge is slow).
    "ppg_settle_filtered_s": 0.5,
    "ppg_settle_raw_s": 2.0,
    # Flat or saturated: this share of the last second stands at the second's own extremes.
    "ppg_check_s": 1.0,
    "ppg_rail_share": 0.5,
    "max_interpolated_gap_s": 0.1,
}

LIVE_VERSION = 2
"""Version of the set ``live``: raised whenever one of its values changes."""

PULSE_PARAMETERS: Mapping[str, float | int | str] = {
    # The 544 columns are those of this version of ``live``: raising it raises this set's fingerprint.
    "live_version": LIVE_VERSION,
    "pulse_hop_s": 0.5,
    "pulse_window_s": 10.0,
    "pulse_least_s": 5.0,
    "pulse_least_quality": 0.5,
    "pulse_baseline_memory_s": 120.0,
    # Two breaths of 6 s, or five of the usual 4.
    "breath_window_s": 20.0,
    "breath_least_s": 12.0,
    "breath_low_hz": 0.1,
    "breath_high_hz": 0.5,
}


@dataclass(frozen=True)
class FeatureSpec:
    """One named definition of the feature columns.

    Parameters
    ----------
    set_name : str
        ``live``, ``live+ppg``, ``paper`` or ``paper-224``.
    version : int
        Raised whenever a value changes.
    lookahead_s : float
        How far past a tick its frame may read, in seconds.
    causal : bool
        Whether the set may be computed from a stream.
    encoder_sha256 : str
        Hash of the image encoder's weights; empty while unknown.
    parameters : mapping
        Every number that shapes a value.
    names : tuple of str
    """

    set_name: str = "live"
    version: int = LIVE_VERSION
    lookahead_s: float = 0.1
    causal: bool = True
    encoder_sha256: str = ""
    parameters: Mapping[str, float | int | str] = field(default_factory=lambda: dict(LIVE_PARAMETERS))
    names: tuple[str, ...] = FEATURE_NAMES

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.names)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of everything that shapes a value."""
        content = {
            "set": self.set_name,
            "version": self.version,
            "names": list(self.names),
            "lookahead_s": self.lookahead_s,
            "parameters": dict(sorted(self.parameters.items())),
            "encoder_sha256": self.encoder_sha256,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def columns(self, modality: Modality) -> NDArray[np.intp]:
        """Return the column numbers of a modality, shape (n_columns,)."""
        wanted = set(MODALITY_NAMES[modality])
        return np.array([i for i, name in enumerate(self.names) if name in wanted], dtype=np.intp)


MODALITY_NAMES: Mapping[Modality, tuple[str, ...]] = {
    Modality.PICTURE: PICTURE_NAMES,
    Modality.SOUND: SOUND_NAMES,
    Modality.PPG: PPG_NAMES + PULSE_NAMES,
}


def live_ppg_spec(encoder_sha256: str = "") -> FeatureSpec:
    """Return the set ``live+ppg``: the columns of ``live``, then those of `PULSE_NAMES`."""
    return FeatureSpec(
        set_name="live+ppg",
        version=1,
        encoder_sha256=encoder_sha256,
        parameters={**LIVE_PARAMETERS, **PULSE_PARAMETERS},
        names=FEATURE_NAMES + PULSE_NAMES,
    )
