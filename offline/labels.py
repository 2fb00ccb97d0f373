"""What must stand wherever a result shows: simulated data, other encoders or training, folds left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline.compared import EPOCHS
from offline.splits import N_FOLDS
from rtasmr.dataset_words import counted

SIMULATED = "Simulated data: says nothing about people"
IMAGENET = "imagenet"
"""Name of the encoder's published weights."""

RANDOM_ENCODER = "image encoder with random weights"
OTHER_ENCODER = "image encoder with other weights than ImageNet's"

_SCENARIOS = {
    "tingle": " The simulated pulse carries the simulated person's tingles.",
    "null": " The simulated pulse carries nothing about tingles.",
}


def has_random_encoder(config: Mapping[str, Any]) -> bool:
    """Whether the picture features of a run come from random weights."""
    return str(config.get("encoder", "")).startswith("random:")


def has_other_encoder(config: Mapping[str, Any]) -> bool:
    """Whether the encoder of a reproduction has learned weights that are not the published ones."""
    named = str(config.get("encoder", ""))
    return "protocol" in config and named not in ("", IMAGENET) and not has_random_encoder(config)


def has_other_epochs(config: Mapping[str, Any]) -> bool:
    """Whether the models of a run were not trained for as many epochs as the published ones."""
    return "protocol" in config and config.get("epochs", EPOCHS) != EPOCHS


def has_folds_left_out(config: Mapping[str, Any]) -> bool:
    """Whether the models of a run were not tested on all folds."""
    return len(config.get("tested_folds", range(N_FOLDS))) < N_FOLDS


def _folds(config: Mapping[str, Any]) -> str:
    folds = config["tested_folds"]
    if not folds:
        return "no fold could be tested"
    return f"tested on {counted(len(folds), 'fold')} of {N_FOLDS} ({', '.join(map(str, folds))})"


def _epochs(config: Mapping[str, Any]) -> str:
    n = config["epochs"]
    return f"trained for {counted(n, 'epoch')}, not {EPOCHS}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def short_label(config: Mapping[str, Any]) -> str:
    """Return in one line what must be known of the results of a configuration; empty where nothing must."""
    parts = [SIMULATED] if config.get("simulated") else []
    parts += [RANDOM_ENCODER] if has_random_encoder(config) else []
    parts += [f"{OTHER_ENCODER} ({config['encoder']})"] if has_other_encoder(config) else []
    parts += [_epochs(config)] if has_other_epochs(config) else []
    parts += [_folds(config)] if has_folds_left_out(config) else []
    return _sentence("; ".join(parts))


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
    if has_other_encoder(config):
        labels.append(
            f"Image encoder with other weights than the published ImageNet ones ({config['encoder']}). No "
            "number or claim that rests on them is held against the paper's (not judged: another encoder)."
        )
    if has_other_epochs(config):
        labels.append(
            f"{_sentence(_epochs(config))}: not the published training. No number or "
            "claim that rests on trained models is held against the paper's (not judged: other training)."
        )
    if has_folds_left_out(config):
        told = (
            "No number or claim that rests on trained models is held against the paper's (not judged: fold "
            "left out)."
            if config["tested_folds"]
            else "No model was trained, and nothing that rests on one is computed."
        )
        labels.append(f"{_sentence(_folds(config))}. {told}")
    return labels
