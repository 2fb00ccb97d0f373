"""The models that are compared, and what each of them sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import ConfigError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import Modality

EPOCHS = 35
"""Epochs of every published training."""

FUSION = "fusion"
VIDEO_ONLY = "video_only"
AUDIO_ONLY = "audio_only"
AUDIO_VIDEO = "audio_video"
"""The fusion model without its pulse: what the pulse adds shows against this one."""
PPG_ONLY = "ppg_only"
XGBOOST = "xgboost"
_ALL = tuple(Modality)
_SHUFFLED = "_shuffled_ppg"

MODALITIES: Mapping[str, tuple[Modality, ...]] = {
    FUSION: _ALL,
    AUDIO_VIDEO: (Modality.SOUND, Modality.PICTURE),
    VIDEO_ONLY: (Modality.PICTURE,),
    AUDIO_ONLY: (Modality.SOUND,),
    PPG_ONLY: (Modality.PPG,),
    XGBOOST: _ALL,
}
"""What each model sees."""

BASELINES: Mapping[str, str] = {
    VIDEO_ONLY: "table2.video_only",
    AUDIO_ONLY: "table2.audio_only",
    XGBOOST: "xgboost",
    AUDIO_VIDEO: "ablation.audio_video",
    PPG_ONLY: "ablation.ppg_only",
}
"""Models beside the fusion model, and the prefix of their numbers' ids."""

_OF_FUSION = ("table1.", "video_level.", "figure6", "caveat.onsets.", "caveat.figure6.", "caveat.pulse.")
"""What numbers of the fusion model's ids start with."""


def shuffled_name(model: str, shift: int) -> str:
    """Return the name of a model's predictions with pulses exchanged by ``shift`` participants."""
    return f"{model}{_SHUFFLED}{shift}"


def unshuffled_name(name: str) -> str | None:
    """Return the model that predictions with exchanged pulses are of, None where they have their own."""
    model, _, shift = name.rpartition(_SHUFFLED)
    return model if shift.isdecimal() and model else None


def rests_on_pictures(number_id: str) -> bool:
    """Whether a number was made from what an image encoder saw."""
    if number_id.startswith(_OF_FUSION) or number_id.endswith(".p_vs_fusion"):
        return True
    behind = (model for model, prefix in BASELINES.items() if number_id.startswith(f"{prefix}."))
    return any(Modality.PICTURE in MODALITIES[model] for model in behind)


def rests_on_training(number_id: str) -> bool:
    """Whether a number is a trained model's or compares some; trees, too, stand beside networks."""
    return model_behind(number_id) is not None


def model_behind(number_id: str) -> str | None:
    """Return the model that a number is a score of, alone or beside the fusion model's; None without one."""
    if number_id.startswith(_OF_FUSION):
        return FUSION
    return next((model for model, prefix in BASELINES.items() if number_id.startswith(f"{prefix}.")), None)


def check_models(models: Sequence[str]) -> tuple[str, ...]:
    """Return the names of ``models``, each once, or raise `ConfigError`."""
    unknown = [name for name in models if name not in MODALITIES]
    if unknown or not models:
        raise ConfigError(
            f"--models: expected some of {', '.join(MODALITIES)}, got {', '.join(unknown) or 'none'}"
        )
    return tuple(dict.fromkeys(models))


def columns_of(model: str, spec: FeatureSpec) -> NDArray[np.intp]:
    """Return the columns that a model sees, in the order of the feature set.

    Raises
    ------
    ConfigError
        The feature set has none of them.
    """
    columns = np.sort(np.concatenate([spec.columns(modality) for modality in MODALITIES[model]]))
    if columns.size == 0:
        seen = ", ".join(modality.value for modality in MODALITIES[model])
        raise ConfigError(f"model {model}: expected columns of {seen} in the tables, got none; leave it out")
    return columns
