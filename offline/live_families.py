"""The families of live models behind one interface: what each sets in the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from models.registry import TINGLE_MODELS
from offline.training_config import BOOSTED_TREES, TrainingConfig
from rtasmr.errors import ConfigError

_BILSTM = next(iter(TINGLE_MODELS))

FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "bilstm": {"architecture": _BILSTM, "lookahead_frames": 10},
    "instant-bilstm": {"architecture": _BILSTM, "lookahead_frames": 0},
    "boosting": {"architecture": BOOSTED_TREES, "lookahead_frames": 0},
}
"""The published network read 1 s late, the same read at once, and boosted trees, which look back only.

No name begins with another one and a hyphen: folders of models are told apart by that.
"""


def check_families(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``names`` if they are families, each once and at least one, or raise `ConfigError`."""
    if not names or set(names) - set(FAMILIES) or len(set(names)) != len(names):
        raise ConfigError(
            f"--families: expected some of {', '.join(FAMILIES)}, got {','.join(names) or 'none'}"
        )
    return names


def family_config(config: TrainingConfig, family: str) -> TrainingConfig:
    """Return the settings with those of a family in place."""
    return replace(config, **FAMILIES[family])
