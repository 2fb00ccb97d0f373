"""The named feature sets: what shapes each value, as one description with one fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from rtasmr.errors import ConfigError
from rtasmr.features.spec import LOG1P_NAMES, SOUND_SFREQ, FeatureSpec, live_ppg_spec
from rtasmr.grid import CLIP_DURATION_S, WARMUP_TICKS

SetName = Literal["paper", "paper-224", "live", "live+ppg"]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)

Parameters = Mapping[str, float | int | str]

PAPER_SOUND: Parameters = {
    "sound_sfreq_hz": SOUND_SFREQ,
    "sound_hop_length": 4410,
    "sound_frame_length": 2048,
    # Decibels under the loudest cell of the whole clip.
    "mfcc_top_db": 80.0,
    "contrast_top_db": 80.0,
}

PAPER_PULSE: Parameters = {
    "ppg_window": "time column",
    "ppg_resampling": "fourier",
    "ppg_normalisation": "clip z-score, population SD",
    "ppg_max_gap_s": 0.1,
}

PAPER_PICTURE: Parameters = {"picture_rule": "published index", "picture_resize": 256, "picture_crop": 224}
"""Short side to 256, central 224 x 224: what the published code does."""

PAPER_224_PICTURE: Parameters = {"picture_rule": "published index", "picture_squash": 224}
"""Both sides to 224, whatever the shape: what the paper's text says."""


def check_set_name(name: str) -> SetName:
    """Return ``name`` if there is such a feature set, or raise `ConfigError`."""
    for known in SET_NAMES:
        if name == known:
            return known
    raise ConfigError(f"--set: expected one of {', '.join(SET_NAMES)}, got {name!r}")


def feature_spec(name: SetName, encoder_sha256: str) -> FeatureSpec:
    """Return the description of a named set.

    The paper's sets know the whole clip at every frame: no stream can give them (``causal`` is False).

    Parameters
    ----------
    name : {"paper", "paper-224", "live", "live+ppg"}
    encoder_sha256 : str
        Hash of the image encoder's weights.
    """
    if name == "live":
        return FeatureSpec(encoder_sha256=encoder_sha256)
    if name == "live+ppg":
        return live_ppg_spec(encoder_sha256)
    return FeatureSpec(
        set_name=name,
        version=1,
        lookahead_s=CLIP_DURATION_S - WARMUP_TICKS / 10,
        causal=False,
        encoder_sha256=encoder_sha256,
        parameters={**PAPER_SOUND, **PAPER_PULSE, **picture_parameters(name)},
    )


def picture_parameters(set_name: str) -> Parameters:
    """Return how a set of the paper brings a picture to the encoder's size."""
    return {"paper": PAPER_PICTURE, "paper-224": PAPER_224_PICTURE}[set_name]


def log1p_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of some columns that go through ``log(1 + x)`` before they are scaled."""
    return tuple(name for name in LOG1P_NAMES if name in names)
