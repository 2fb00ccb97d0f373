"""The published clip model on a live stream: what it is given instead, and what must be said about it.

It was trained on whole clips with features that know the whole clip. A stream can give it the ``live``
columns of the same names only. Whoever asks for it by name gets it with a banner that says what differs;
nothing else that was trained on other features is let through.
"""

from __future__ import annotations

from dataclasses import replace

from rtasmr.card import ModelCard
from rtasmr.errors import ModelError
from rtasmr.features.spec import FEATURE_NAMES, LIVE_PARAMETERS, FeatureSpec

CLIP_SET, CLIP_VERSION = "paper", 1
LIVE_R, LIVE_AGREEMENT, LIVE_TRIALS = "live_features_r", "live_features_agreement", "live_features_trials"
"""Scores on a card: how what is said live compares with the clip score on the same trials."""

_SHARED = ("sound_sfreq_hz", "sound_frame_length", "picture_resize", "picture_crop")
"""What both sets must do alike: the columns would not be the same quantities otherwise."""


def live_spec(card: ModelCard) -> FeatureSpec:
    """Return the features that a model gets on a stream: its own, or for the clip model the ``live`` ones.

    Raises
    ------
    ModelError
        If the model was trained on features that no stream can give, and is not the clip model.
    """
    if card.causal:
        return card.feature_spec()
    alike = all(card.feature_parameters.get(key) == LIVE_PARAMETERS[key] for key in _SHARED)
    is_clip_model = (card.feature_set, card.feature_version) == (CLIP_SET, CLIP_VERSION)
    if not is_clip_model or card.feature_names != FEATURE_NAMES or not alike:
        raise ModelError(
            f"model '{card.id}' was trained on whole clips (feature set '{card.feature_set}' "
            f"v{card.feature_version}): it cannot run on streams, as only set '{CLIP_SET}' v{CLIP_VERSION} "
            "with all its columns can, with a banner. Use a model of the 'live' set."
        )
    return FeatureSpec(encoder_sha256=card.encoder_sha256)


def with_banner(card: ModelCard) -> ModelCard:
    """Return a card as the runtime shows it: that of the clip model says first what differs live."""
    return card if card.causal else replace(card, warnings=(*_banner(card), *card.warnings))


def _banner(card: ModelCard) -> tuple[str, ...]:
    live = LIVE_PARAMETERS
    return (
        "CLIP MODEL ON A STREAM: it gets other features than it was trained on, and its published scores "
        "are clip scores, not what it says here",
        f"sound: decibels over a fixed floor ({live['mel_floor_db']:g}, {live['contrast_floor_db']:g} dB), "
        "trained with a floor 80 dB under the loudest of the clip",
        "pulse: causal low-pass and running normalisation, trained with resampling and z-score over the clip",
        "picture: the newest image at each tick, trained with the published index rule",
        _agreement(card),
    )


def _agreement(card: ModelCard) -> str:
    scores = card.scores
    if not {LIVE_R, LIVE_AGREEMENT, LIVE_TRIALS} <= scores.keys():
        return (
            "agreement of what it says live with its clip score: not measured; "
            "'offline live-agreement' measures it"
        )
    return (
        f"agreement of what it says live with its clip score, over {scores[LIVE_TRIALS]:g} trials: "
        f"r = {scores[LIVE_R]:.2f}, the same call at {100 * scores[LIVE_AGREEMENT]:.1f} % of ticks"
    )
