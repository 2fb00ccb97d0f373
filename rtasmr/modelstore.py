"""Where models live on this machine, and which one runs when nobody names one."""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from rtasmr.card import CARD_FILE, MODEL_FILE, AnyCard, EncoderCard, ModelCard, read_card, write_card
from rtasmr.errors import ModelError
from rtasmr.home import data_folder
from rtasmr.onnx_session import read_checked_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstalledModel:
    """One folder of the store: its card, or what is wrong with it."""

    path: Path
    card: AnyCard | None
    problem: str = ""


def models_folder() -> Path:
    """Return the folder of installed models; it need not exist yet."""
    return data_folder() / "models"


def list_models() -> tuple[InstalledModel, ...]:
    """Return all installed models and encoders by name; damaged ones carry their problem."""
    return _models_in(models_folder())


def find_model(choice: str | Path | None = None) -> Path:
    """Return the folder of a tingle model.

    Parameters
    ----------
    choice : str, Path or None
        The id of an installed model, or a model folder. None takes the newest real model installed,
        else the newest demo model; never one that was trained on whole clips.

    Raises
    ------
    ModelError
        If there is none.
    """
    if choice is not None:
        return _find_named(choice)
    candidates: list[tuple[bool, datetime, Path]] = []
    for installed in list_models():
        if installed.card is None:
            log.warning("model in %s is passed over: %s", installed.path, installed.problem)
        elif isinstance(installed.card, ModelCard) and installed.card.causal:
            created = datetime.fromisoformat(installed.card.created)
            candidates.append((not installed.card.demo, created, installed.path))
    if not candidates:
        raise ModelError(
            f"expected an installed model in {models_folder()}, found none; run 'make demo' for a demo "
            "model, or train one with 'offline train', or name one with --model"
        )
    return max(candidates)[2]


def _find_named(choice: str | Path) -> Path:
    folder = Path(choice)
    if (folder / CARD_FILE).is_file():
        return folder
    installed = {model.path.name: model.path for model in list_models()}
    if str(choice) in installed:
        return installed[str(choice)]
    if folder.is_dir():
        raise ModelError(
            f"expected a model in the folder '{choice}', its {CARD_FILE} is missing; name another"
        )
    raise ModelError(
        f"expected a model folder or the id of an installed model, got '{choice}'; "
        f"installed are: {', '.join(sorted(installed)) or 'none (make demo installs one)'}"
    )


def find_encoder(weights_sha256: str, near: Path) -> Path:
    """Return the folder of the encoder with these weights.

    Parameters
    ----------
    weights_sha256 : str
        As on the tingle model's card.
    near : Path
        The tingle model's folder: its neighbours are looked at first, then the installed models.

    Raises
    ------
    ModelError
        If there is none.
    """
    for folder in (near.parent, models_folder()):
        for model in _models_in(folder):
            if isinstance(model.card, EncoderCard) and model.card.weights_sha256 == weights_sha256:
                return model.path
    raise ModelError(
        f"expected the image encoder with weights {weights_sha256[:12]} beside {near} or in "
        f"{models_folder()}, found none; export or install it with its model"
    )


def install(folder: Path, *, replace_demo: bool = False) -> Path:
    """Copy a model or encoder into the user's data folder and return its place there.

    The same model twice is installed once, and takes over a verdict that came since; so is an encoder of
    the same weights.

    Parameters
    ----------
    folder : Path
    replace_demo : bool
        Let a demo model take the place of another demo model of the same id.

    Raises
    ------
    ModelError
        If the model is damaged, or another one of the same id is installed.
    """
    card = read_card(folder)
    content = read_checked_model(folder, card.onnx_sha256)
    target = models_folder() / card.id
    if target.exists():
        installed = read_card(target)
        if _is_same(card, installed):
            hand_on_verdict(folder)
            return target
        if not (replace_demo and _is_demo(card) and _is_demo(installed)):
            raise ModelError(
                f"expected no other model '{card.id}' among the installed ones, found one in {target}; "
                "remove it or export under another id"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as scratch:
        part = Path(scratch) / "new"
        part.mkdir()
        (part / MODEL_FILE).write_bytes(content)
        shutil.copyfile(folder / CARD_FILE, part / CARD_FILE)
        try:
            if target.exists():
                target.rename(Path(scratch) / "old")
            part.rename(target)
        except OSError as error:  # somebody else was faster
            raise ModelError(f"could not write {target} ({error.strerror}); try again") from error
    return target


def hand_on_verdict(folder: Path) -> Path | None:
    """Write the verdict on a model into the card of its installed copy and return the copy's place.

    None where the model is not installed, has no verdict, or the copy has the same one.
    """
    card = read_card(folder)
    target = models_folder() / card.id
    if not isinstance(card, ModelCard) or card.verdict is None or not (target / CARD_FILE).is_file():
        return None
    installed = read_card(target)
    if card == installed or not _is_same(card, installed):
        return None
    _renew_card(card, target)
    return target


def _is_same(card: AnyCard, installed: AnyCard) -> bool:
    if isinstance(card, EncoderCard) and isinstance(installed, EncoderCard):
        return (card.weights_sha256, card.onnx_sha256) == (installed.weights_sha256, installed.onnx_sha256)
    if isinstance(card, ModelCard) and isinstance(installed, ModelCard):
        return replace(card, verdict=None) == replace(installed, verdict=None)
    return False


def _renew_card(card: ModelCard, target: Path) -> None:
    """Put a card in the place of another of the same model, whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as scratch:
        write_card(card, Path(scratch))
        (Path(scratch) / CARD_FILE).replace(target / CARD_FILE)


def _is_demo(card: AnyCard) -> bool:
    return isinstance(card, ModelCard) and card.demo


def _models_in(folder: Path) -> tuple[InstalledModel, ...]:
    found = []
    for path in sorted(card.parent for card in folder.glob(f"*/{CARD_FILE}")):
        if path.name.startswith("."):  # half-written by another process
            continue
        try:
            found.append(InstalledModel(path, read_card(path)))
        except ModelError as error:
            found.append(InstalledModel(path, None, str(error)))
    return tuple(found)
