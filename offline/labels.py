"""What must stand wherever a result shows that simulated data, random weights or other training made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline.compared import EPOCHS

SIMULATED = "Simulated data: says nothing about people"
RANDOM_ENCODER = "image encoder with random weights"

_SCENARIOS = {
    "tingle": " The simulated pulse carries the simulated person's tingles.",
    "null": " The simulated pulse carries nothing about tingles.",
}


def has_random_encoder(config: Mapping[str, Any]) -> bool:
    """Whether the picture features of a run come from random weights."""
    return str(config.get("encoder", "")).startswith("random")


def has_other_epochs(config: Mapping[str, Any]) -> bool:
    """Whether the models of a run were not trained for as many epochs as the published ones."""
    return "protocol" in config and config.get("epochs", EPOCHS) != EPOCHS


def _epochs(config: Mapping[str, Any]) -> str:
    n = config["epochs"]
    return f"trained for {n} {'epoch' if n == 1 else 'epochs'}, not {EPOCHS}"


def short_label(config: Mapping[str, Any]) -> str:
    """Return in one line what must be known of the results of a configuration; empty where nothing must."""
    parts = [SIMULATED] if config.get("simulated") else []
    parts += [RANDOM_ENCODER] if has_random_encoder(config) else []
    parts += [_epochs(config)] if has_other_epochs(config) else []
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def long_labels(config: Mapping[str, Any]) -> list[str]:
    """Return the same in sentences."""
    labels = []
    if config.get("simulated"):
        told = _SCENARIOS.get(str(config.get("scenario", "")), "")
        labels.append(
            f"Simulated data: nothing here says anything about people.{told} No number or claim is held "
            "against the paper's (not judged: simulated)."
        )
    if has_random_encoder(config):
        labels.append(
            f"Image encoder with random weights ({config['encoder']}): the video features carry no "
            "knowledge of pictures. No number or claim that rests on them is held against the paper's "
            "(not judged: random encoder)."
        )
    if has_other_epochs(config):
        labels.append(
            f"{_epochs(config)[:1].upper()}{_epochs(config)[1:]}: not the published training. No number or "
            "claim that rests on trained models is held against the paper's (not judged: other training)."
        )
    return labels
