"""The image encoder of a feature run: exported once, then found again without loading torch."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from offline.atomic import not_written
from offline.cache import FeatureCache, content_key
from offline.labels import IMAGENET
from offline.processes import run_apart
from rtasmr.card import MODEL_FILE, read_encoder_card
from rtasmr.errors import DataError, ModelError

logger = logging.getLogger(__name__)

ARCHITECTURE = "resnet18"

IMAGENET_DIGEST = "f37072fd"
"""First digits of the SHA-256 of torchvision's file of ImageNet weights, as they stand in its name."""


def provide_encoder(weights: str, models_folder: Path, cache: FeatureCache) -> Path:
    """Return the folder of an exported encoder below ``models_folder``.

    Training and the runtime find it there. The export is kept in the cache, by the weights and by the
    versions of the libraries that make it.

    Parameters
    ----------
    weights : str
        ``imagenet``, ``random:SEED`` or a file; see `models.resnet.load_resnet18`.
    models_folder : Path
    cache : FeatureCache

    Raises
    ------
    RtasmrError
        If the weights are not to be had or do not fit.
    """
    kept = _kept_folder(weights, cache)
    found = next(kept.glob(f"{ARCHITECTURE}-*"), None)
    if found is not None:
        if _is_whole(found):
            return _copy(found, models_folder)
        logger.warning("%s: the encoder kept there is damaged; exported again", found)
        shutil.rmtree(found, ignore_errors=True)
    folder = run_apart(_export, weights, models_folder)
    try:
        _copy(folder, kept)
    except DataError as error:
        logger.warning("the exported encoder is not kept for the next run: %s", error)
    return folder


def encoder_name(weights: str, cache: FeatureCache) -> str:
    """Return what results say of their encoder: ``imagenet``, ``random:SEED`` or ``file NAME``.

    A copy of the published file of ImageNet weights is ``imagenet`` wherever it lies. A file that is not the
    same to the byte has another name: nobody can tell here what it has learned.
    """
    path = Path(weights)
    if not path.is_file():
        return weights
    return IMAGENET if cache.digest(path).startswith(IMAGENET_DIGEST) else f"file {path.name}"


def _kept_folder(weights: str, cache: FeatureCache) -> Path:
    """Return where the cache keeps the export of these weights."""
    content: dict[str, object] = {
        "encoder": ARCHITECTURE,
        "weights": weights,
        "libraries": {name: version(name) for name in ("torch", "torchvision", "onnx")},
    }
    if Path(weights).is_file():
        content |= {"weights": Path(weights).name, "sha256": cache.digest(Path(weights))}
    return cache.folder / "encoders" / content_key(content)


def _is_whole(folder: Path) -> bool:
    """Whether card and graph are there and belong together."""
    try:
        card = read_encoder_card(folder)
        with (folder / MODEL_FILE).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == card.onnx_sha256
    except (ModelError, OSError):
        return False


def _export(weights: str, models_folder: Path) -> Path:
    # Not at the top: torch takes seconds to load, and a run from the cache needs none.
    from offline.export import encoder_id, export_encoder, load_encoder

    network = load_encoder(weights, ARCHITECTURE)
    folder = models_folder / encoder_id(network, ARCHITECTURE)
    if folder.exists():
        return folder
    return export_encoder(network, models_folder, architecture=ARCHITECTURE)


def _copy(source: Path, parent: Path) -> Path:
    """Copy a model folder below ``parent``, whole or not at all, unless it is there."""
    target = parent / source.name
    if target.exists():
        return target
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=parent) as scratch:
            part = Path(scratch) / source.name
            part.mkdir()
            for file in source.iterdir():  # copytree would hide the reason of a failure in a list
                shutil.copy(file, part)
            try:
                part.rename(target)
            except OSError:
                if not target.exists():  # else another run was faster, with the same content
                    raise
    except OSError as error:
        raise DataError(not_written(target, error, "another folder")) from error
    return target
