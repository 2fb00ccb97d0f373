"""What is evaluated: predictions of models and, where the models are at hand, the models themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.asking import Asker, Judge
from offline.compared import unshuffled_name
from offline.leaks import check_split
from offline.personal import PERSONAL, applied_shift
from offline.predictions import Predictions, load_origin, load_predictions, load_published
from offline.protocols import PROTOCOLS
from offline.streaming import Serving
from offline.tables import TrialTable
from rtasmr.card import CARD_FILE, EncoderCard, ModelCard, read_card, read_model_card
from rtasmr.config import Provider
from rtasmr.errors import DataError
from rtasmr.inference import OnnxTingleModel
from rtasmr.types import TrialId

PREDICTIONS_FILE = "predictions.npz"
MODELS_FOLDER = "models"
STREAMING, CLIP = "streaming score", "clip score"

ORIGIN_SCORE, ORIGIN_TRAINED = "score", "trained_on"
"""Entries of the origin of saved predictions: ``streaming`` or ``clip``; and per fold, as text, the trials
that trained its model and chose its epoch: ``{"1": ["003_vid2", ...]}``."""

_FOLD_FOLDER = re.compile(r"(?P<name>.+)-fold(?P<fold>[0-9]+)")
_TRIAL = re.compile(r"([0-9]{3,})_(vid[1-8])")


_NOT_ASKED = (
    "nothing was asked again, though there are features: that takes streaming scores, the model of every "
    "fold and a table of every trial"
)


@dataclass(frozen=True, eq=False)
class Subject:
    """One model to evaluate.

    Parameters
    ----------
    name : str
    score : str
        ``streaming score`` or ``clip score``.
    predictions : Predictions or None
        As saved; None where only the model is there.
    asker : Asker or None
        The models of the folds; None where they or the features are not at hand.
    folders : tuple of Path
        Model folders whose cards take the verdict.
    origin : mapping
        What the predictions rest on, such as simulated data.
    exchanged : tuple of Predictions
        What the models said of the same trials with the pulse of another participant, as saved.
    notes : tuple of str
        What limits the evaluation.
    """

    name: str
    score: str
    predictions: Predictions | None
    asker: Asker | None = None
    folders: tuple[Path, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)
    exchanged: tuple[Predictions, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def lookahead_s(self) -> float | None:
        """How long after a tick its probability is known, in seconds, in the slowest fold.

        0 for clip scores; None where the models that would say it are not at hand.
        """
        if self.score == CLIP:
            return 0.0
        return None if self.asker is None else max(one.lookahead_s for one in self.asker.servings)


def open_subjects(
    source: Path,
    tables: Sequence[TrialTable],
    *,
    other_people: bool = False,
    provider: Provider = "auto",
) -> list[Subject]:
    """Return what there is to evaluate in a file of predictions, a model folder or a folder of results.

    Parameters
    ----------
    source : Path
    tables : sequence of TrialTable
        Features to ask models about; empty where there are none.
    other_people : bool
        The tables' participants did not train the model, though their numbers may be the same.
    provider : {"auto", "cuda", "cpu"}

    Raises
    ------
    DataError
        There is nothing to evaluate, or a test trial is of a person or clip that trained the model.
    """
    if source.is_file():
        return _of_file(source)
    if (source / CARD_FILE).is_file():
        return [_of_model(source, tables, other_people, provider)]
    if (source / PREDICTIONS_FILE).is_file():
        models = _model_folders(source / MODELS_FOLDER)
        return _of_predictions(source / PREDICTIONS_FILE, models, tables, provider)
    folders = _model_folders(source / MODELS_FOLDER)
    if not folders:
        raise DataError(
            f"{source}: expected predictions (.npz or the published .pkl), a model folder or a folder of "
            f"results with {PREDICTIONS_FILE} or {MODELS_FOLDER}/, found none; name one"
        )
    return [_of_model(folder, tables, other_people, provider) for folder in folders]


def _of_file(path: Path) -> list[Subject]:
    if path.suffix == ".pkl":
        return [Subject("published fusion", CLIP, load_published(path))]
    return _of_predictions(path, [], [], "auto")


def _of_predictions(
    path: Path, models: Sequence[Path], tables: Sequence[TrialTable], provider: Provider
) -> list[Subject]:
    """Return the models of a file of predictions, those asked with exchanged pulses beside their own."""
    origin = load_origin(path)
    score = _score_of(origin)
    saved = load_predictions(path)
    exchanged = {name: own for name in saved if (own := unshuffled_name(name)) is not None}
    subjects = []
    for name, predictions in saved.items():
        if name in exchanged:
            continue
        _check_trained(name, predictions, origin)
        folders = [folder for folder in models if belongs_to(folder.name, name)]
        cards = _fold_cards(folders)
        for fold, (_, card) in cards.items():
            tested = (trial.trial for trial in predictions.trials if trial.fold == fold)
            check_split(tested, card.training_data.participants, (), f"model '{name}', fold {fold}")
        asker = None
        if tables and score == STREAMING:
            base = saved.get(name.removesuffix(PERSONAL))
            if base is None or base is predictions:
                asker = _asker(name, predictions, cards, tables, provider)
            else:
                cards = _fold_cards([folder for folder in models if belongs_to(folder.name, base.model)])
                shifts = _personal_shifts(base, predictions)
                asker = _asker(name, predictions, cards, tables, provider, shifts)
        others = tuple(saved[other] for other, own in exchanged.items() if own == name)
        notes = (_NOT_ASKED,) if tables and asker is None else ()
        subjects.append(Subject(name, score, predictions, asker, tuple(folders), origin, others, notes))
    return subjects


def _of_model(folder: Path, tables: Sequence[TrialTable], other_people: bool, provider: Provider) -> Subject:
    """Return one model on the trials of people whom it never saw."""
    card = read_model_card(folder)
    if not tables:
        raise DataError(
            f"model '{card.id}': expected feature tables to ask it about, got none; name the folder that "
            "'offline features' wrote"
        )
    learned = frozenset() if other_people else frozenset(card.training_data.participants)
    unseen = [table for table in tables if table.trial.participant not in learned]
    if not unseen:
        check_split((table.trial for table in tables), learned, (), f"model '{card.id}'")
    model = OnnxTingleModel.load(folder, provider, unseen[0].spec)
    judge = Judge(model, Serving.of(card), card.threshold)
    n_people = len({table.trial.participant for table in unseen})
    note = (
        f"asked about {len(unseen)} trials of {n_people} people whom it did not learn from; the clips may be "
        "those it learned from: what it says of the clips' time course flatters"
    )
    simulated = card.training_data.simulated or any(table.simulated for table in unseen)
    return Subject(
        card.id,
        STREAMING,
        None,
        Asker(card.id, {1: judge}, {1: unseen}),
        (folder,),
        {"simulated": simulated, ORIGIN_SCORE: "streaming"},
        notes=(note,),
    )


def _fold_cards(folders: Sequence[Path]) -> dict[int, tuple[Path, ModelCard]]:
    matches = [(_FOLD_FOLDER.fullmatch(folder.name), folder) for folder in folders]
    return {int(match["fold"]): (folder, read_model_card(folder)) for match, folder in matches if match}


def _asker(
    name: str,
    predictions: Predictions,
    cards: Mapping[int, tuple[Path, ModelCard]],
    tables: Sequence[TrialTable],
    provider: Provider,
    shifts: Mapping[int, float] | None = None,
) -> Asker | None:
    """Return the fold models with their test trials, None where a fold's model or a trial is missing."""
    by_trial = {table.trial: table for table in tables}
    tested: defaultdict[int, list[TrialTable]] = defaultdict(list)
    for trial in predictions.trials:
        if trial.fold not in cards or trial.trial not in by_trial:
            return None
        tested[trial.fold].append(by_trial[trial.trial])
    judges = {}
    for fold in tested:
        folder, card = cards[fold]
        model = OnnxTingleModel.load(folder, provider, tables[0].spec)
        judges[fold] = Judge(model, Serving.of(card), card.threshold)
    return Asker(name, judges, tested, shifts)


def _personal_shifts(base: Predictions, personal: Predictions) -> dict[int, float]:
    """Return by how much each person's log odds were moved, one number for all of their trials."""
    before = {trial.trial: trial.p for trial in base.trials}
    moved: defaultdict[int, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = defaultdict(list)
    for trial in personal.trials:
        if trial.trial in before and before[trial.trial].shape == trial.p.shape:
            moved[trial.trial.participant].append((before[trial.trial], trial.p))
    return {
        person: applied_shift(*(np.concatenate(side) for side in zip(*pairs, strict=True)))
        for person, pairs in moved.items()
    }


def _check_trained(name: str, predictions: Predictions, origin: Mapping[str, Any]) -> None:
    """Hold the trials of each fold against those that its model learned from, where the file names them."""
    trained = origin.get(ORIGIN_TRAINED)
    if trained is None:
        return
    try:
        learned = {int(fold): [_trial(text) for text in texts] for fold, texts in trained.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"{name}: expected under '{ORIGIN_TRAINED}' lists of trials by fold, got something else "
            f"({error}); predict again"
        ) from error
    for fold in predictions.folds:
        if fold not in learned:
            raise DataError(
                f"{name}: expected under '{ORIGIN_TRAINED}' the trials that trained fold {fold}, got those "
                f"of {', '.join(map(str, learned)) or 'none'}; predict again"
            )
        tested = (trial.trial for trial in predictions.trials if trial.fold == fold)
        people = {trial.participant for trial in learned[fold]}
        clips = {trial.video for trial in learned[fold]}
        check_split(tested, people, clips, f"model '{name}', fold {fold}")


def _trial(text: str) -> TrialId:
    match = _TRIAL.fullmatch(text)
    if match is None:
        raise ValueError(f"no trial: {text!r}")
    return TrialId(int(match[1]), match[2])


def _score_of(origin: Mapping[str, Any]) -> str:
    return STREAMING if origin.get(ORIGIN_SCORE) == "streaming" else CLIP


def belongs_to(folder: str, name: str) -> bool:
    """Whether a model folder is of the model ``name``: it, one of its folds, or those of a protocol."""
    protocols = "|".join(re.escape(protocol) for protocol in PROTOCOLS)
    return re.fullmatch(rf"{re.escape(name)}(-({protocols}))?(-all|-fold[0-9]+)?", folder) is not None


def _model_folders(folder: Path) -> list[Path]:
    """Return the folders of tingle models, encoders left out."""
    cards = sorted(path.parent for path in folder.glob(f"*/{CARD_FILE}"))
    return [path for path in cards if not isinstance(read_card(path), EncoderCard)]
