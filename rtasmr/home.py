"""Where this program keeps what is its user's: models, settings, recordings."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from rtasmr.errors import DataError

T = TypeVar("T")

HOME_VARIABLE = "RTASMR_HOME"
"""Environment variable that replaces the user's folders by one."""

_NAME = "rtasmr"
_MAX_BYTES = 100_000


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


def load_private(path: Path, version: int, parse: Callable[[dict[str, Any]], T], remedy: str) -> T | None:
    """Return what `save_private` has kept; None if there is no file yet.

    Parameters
    ----------
    path : Path
    version : int
        Of the content; another one is refused.
    parse : callable
        Makes a value of the content without its version; raises ValueError, TypeError, KeyError or
        AttributeError for one that it did not write.
    remedy : str
        What to do about a file of something else.

    Raises
    ------
    DataError
        If the file cannot be read, or holds something else.
    """
    try:
        with path.open(encoding="utf-8") as file:
            content = json.loads(file.read(_MAX_BYTES))
        if content.pop("version") != version:
            raise ValueError("another version")
        return parse(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its rights") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(
            f"expected settings of version {version} in {path}, got something else; {remedy}"
        ) from error


def save_private(path: Path, version: int, content: Mapping[str, Any]) -> None:
    """Keep content for `load_private`, in place of what was there.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        write_private(path, json.dumps({"version": version, **content}, indent=2) + "\n")
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); free space or check its rights"
        ) from error


def _home() -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) if home else None
