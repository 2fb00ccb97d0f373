"""The two protocols of the cross-validation: what the published code does, and what the paper says."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from offline.compared import EPOCHS
from offline.predictions import N_STEPS
from offline.splits import N_FOLDS, fold_participants, fold_videos
from rtasmr.errors import ConfigError, DataError
from rtasmr.types import TrialId

Keep = Literal["last", "best"]


@dataclass(frozen=True)
class Protocol:
    """Settings of a cross-validation on whole clips; the defaults are those of the published code."""

    name: str
    feature_set: str = "paper"
    """Feature set of the tables."""
    validation_share: float = 0.1
    """Share of a fold's training participants held back; at least one participant."""
    validation_seed: int | None = 42
    """Seed that draws them; None takes the seed of the run."""
    keep: Keep = "last"
    """Which epoch's weights are tested: the last, or the one with the best macro F1 on those held back."""
    n_steps: int = N_STEPS
    """Steps of every sequence; shorter ones are padded with zeros and no tingle, which train and count."""
    hidden: int = 128
    layers: int = 2
    dropout: float = 0.3
    epochs: int = EPOCHS
    batch_size: int = 16
    learning_rate: float = 5e-4

    def __post_init__(self) -> None:
        for name in ("n_steps", "hidden", "layers", "epochs", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if not 0 <= self.validation_share < 1:
            raise ConfigError(f"validation_share: expected 0 up to 1, got {self.validation_share}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout: expected 0 up to 1, got {self.dropout}")
        if self.keep not in ("last", "best"):
            raise ConfigError(f"keep: expected last or best, got {self.keep!r}")


PUBLISHED = Protocol("published")
"""The published code. Its "best" weights are a reference to live ones, so it tests the last epoch's."""

AS_WRITTEN = Protocol(
    "as-written", feature_set="paper-224", validation_share=0.2, validation_seed=None, keep="best"
)
"""The paper's text: 20 % held back, best epoch by macro F1, one seed throughout, pictures at 224 x 224."""

PROTOCOLS: Mapping[str, Protocol] = {protocol.name: protocol for protocol in (PUBLISHED, AS_WRITTEN)}


@dataclass(frozen=True)
class Split:
    """Who trains, who chooses the epoch, who is tested; each tuple sorted as the published code sorts."""

    training: tuple[TrialId, ...]
    validation: tuple[TrialId, ...] = ()
    test: tuple[TrialId, ...] = ()


def split_fold(
    trials: Collection[TrialId], fold: int, protocol: Protocol, seed: int, *, hold_back: bool = True
) -> Split:
    """Return the split of a fold: neither tested participants nor tested clips occur in training.

    Trials of tested participants with other clips, and the reverse, are not used at all.

    Parameters
    ----------
    trials : collection of TrialId
        All trials of the study.
    fold : int
        1 to 4.
    protocol : Protocol
    seed : int
        Seed of the run.
    hold_back : bool
        Whether training gives up participants that choose the epoch.

    Raises
    ------
    DataError
        The study is too small for the fold.
    """
    lacking = lacking_to_test(trials, fold)
    if lacking:
        raise DataError(f"fold {fold}: {lacking}")
    fold_of = fold_participants(trial.participant for trial in trials)
    clips = fold_videos(fold)
    ordered = sorted(trials, key=_text_order)
    test = tuple(t for t in ordered if fold_of[t.participant] == fold and t.video in clips)
    pool = [t for t in ordered if fold_of[t.participant] != fold and t.video not in clips]
    people = list(dict.fromkeys(str(trial.participant) for trial in pool))
    held_back: set[str] = set()
    if hold_back:
        n_held_back = max(1, int(protocol.validation_share * len(people)))
        # The published code seeds and draws in each fold anew, from the participants sorted as text.
        draw = random.Random(seed if protocol.validation_seed is None else protocol.validation_seed)
        held_back = set(draw.sample(people, n_held_back))
    return Split(
        training=tuple(trial for trial in pool if str(trial.participant) not in held_back),
        validation=tuple(trial for trial in pool if str(trial.participant) in held_back),
        test=test,
    )


def lacking_to_test(trials: Collection[TrialId], fold: int) -> str:
    """Return what a fold lacks: people, a trial of each clip, or people to train on; empty if nothing."""
    fold_of = fold_participants(trial.participant for trial in trials)
    if len(fold_of) < N_FOLDS:
        return f"expected at least {N_FOLDS} participants, one per fold, got {len(fold_of)}; add participants"
    clips = fold_videos(fold)
    absent = sorted(set(clips) - {t.video for t in trials if fold_of[t.participant] == fold})
    if absent:
        tested = ", ".join(f"{number:03d}" for number in sorted(n for n in fold_of if fold_of[n] == fold))
        return (
            f"expected {' and '.join(clips)} of participants {tested} to test, found no "
            f"{' and no '.join(absent)}; add these trials or leave the participants out"
        )
    others = {t.participant for t in trials if fold_of[t.participant] != fold and t.video not in clips}
    if len(others) < 2:
        return (
            "expected 2 or more participants to train on, got "
            f"{', '.join(map(str, sorted(others))) or 'none'}; add participants"
        )
    return ""


def split_nothing(trials: Collection[TrialId]) -> Split:
    """Return the split of a model that trains on everything and is not tested."""
    return Split(training=tuple(sorted(trials, key=_text_order)))


def _text_order(trial: TrialId) -> tuple[str, str]:
    return str(trial.participant), trial.video
