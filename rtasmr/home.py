"""Where this program keeps what is its user's: models, settings, recordings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

HOME_VARIABLE = "RTASMR_HOME"
"""Environment variable that replaces the user's folders by one."""

_NAME = "rtasmr"


def data_folder() -> Path:
    """Return the folder of installed models and other data; it need not exist yet."""
    return _home() or platformdirs.user_data_path(_NAME, appauthor=False)


def config_folder() -> Path:
    """Return the folder of settings; it need not exist yet."""
    return _home() or platformdirs.user_config_path(_NAME, appauthor=False)


def recordings_folder() -> Path:
    """Return the folder that recordings go to unless another one is named; it need not exist yet."""
    home = _home()
    return platformdirs.user_documents_path() / _NAME if home is None else home / "recordings"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its user can read, whole or not at all; its folder is made if need be.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # `mkstemp` gives rights to nobody but the user.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _home() -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) if home else None
