"""Where the last downloads of this user stand, so that commands find them without being told."""

from __future__ import annotations

import json
from pathlib import Path

from offline.atomic import replacing
from offline.download import PREDICTIONS
from offline.fetch import file_digest
from offline.manifest import Manifest
from rtasmr.dataset import SIMULATION_MARKER
from rtasmr.errors import DataError
from rtasmr.modelstore import models_folder

FILE_NAME = "downloads.json"
DATASET = "dataset"
PREDICTIONS_FILE = "predictions"


def remember(out: Path) -> None:
    """Note in the user's data folder what of a download stands finished in ``out``.

    A simulated set is not noted: nobody takes it for the data set without naming it.
    """
    found = {
        DATASET: _holds_dataset(out) and not (out / SIMULATION_MARKER).exists(),
        PREDICTIONS_FILE: _holds_predictions(out),
    }
    noted = _noted() | {kind: str(out.resolve()) for kind, finished in found.items() if finished}
    with replacing(_file()) as part:
        part.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")


def downloaded_dataset() -> Path | None:
    """Return the folder of the data set downloaded last; None if there is none, or it is not complete."""
    folder = _noted().get(DATASET)
    return Path(folder) if folder is not None and _holds_dataset(Path(folder)) else None


def downloaded_predictions() -> Path | None:
    """Return the published predictions downloaded last; None if there are none, or they were changed."""
    folder = _noted().get(PREDICTIONS_FILE)
    return (
        Path(folder) / PREDICTIONS.name if folder is not None and _holds_predictions(Path(folder)) else None
    )


def _holds_dataset(folder: Path) -> bool:
    manifest = Manifest.load(folder)
    return manifest is not None and manifest.complete


def _holds_predictions(folder: Path) -> bool:
    path = folder / PREDICTIONS.name
    return path.is_file() and file_digest(path, PREDICTIONS.algorithm) == PREDICTIONS.digest


def _file() -> Path:
    return models_folder().parent / FILE_NAME


def _noted() -> dict[str, str]:
    path = _file()
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected places of downloads as JSON ({error}); remove the file") from error
    if not isinstance(content, dict) or not all(isinstance(place, str) for place in content.values()):
        raise DataError(f"{path}: expected places of downloads, got something else; remove the file")
    return content
