"""Where the last downloads of this user stand, so that commands find them without being told."""

from __future__ import annotations

import json
from pathlib import Path

from offline.atomic import replacing
from offline.download import PREDICTIONS, What
from offline.fetch import file_digest
from offline.manifest import Manifest
from rtasmr.errors import DataError
from rtasmr.modelstore import models_folder

FILE_NAME = "downloads.json"


def remember(out: Path, what: What) -> None:
    """Note the folder of a finished download in the user's data folder."""
    kinds = [What.DATASET, What.PREDICTIONS] if what is What.ALL else [what]
    noted = _noted() | {kind.value: str(out.resolve()) for kind in kinds}
    with replacing(_file()) as part:
        part.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")


def downloaded_dataset() -> Path | None:
    """Return the folder of the last data set downloaded; None if there is none, or it is not complete."""
    folder = _folder(What.DATASET)
    manifest = None if folder is None else Manifest.load(folder)
    return folder if manifest is not None and manifest.complete else None


def downloaded_predictions() -> Path | None:
    """Return the published predictions downloaded last; None if there are none, or they were changed."""
    folder = _folder(What.PREDICTIONS)
    path = None if folder is None else folder / PREDICTIONS.name
    if path is None or not path.is_file() or file_digest(path, PREDICTIONS.algorithm) != PREDICTIONS.digest:
        return None
    return path


def _folder(what: What) -> Path | None:
    noted = _noted().get(what.value)
    return None if noted is None else Path(noted)


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
