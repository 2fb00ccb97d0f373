"""The state of a training after each epoch, so that a run that was broken off goes on where it stopped."""

from __future__ import annotations

import io
import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from offline.atomic import not_written, replacing
from rtasmr.errors import DataError

logger = logging.getLogger(__name__)


class Checkpoint:
    """One file that holds the newest state, of one training only.

    Parameters
    ----------
    path : Path
    key : str
        Names all that shapes the training; the state of another one is not taken.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._key = key

    def load(self) -> dict[str, Any] | None:
        """Return the state, or None where there is none of this training."""
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            logger.warning("%s: a damaged checkpoint (%s); trained anew", self.path, type(error).__name__)
            return None
        if not isinstance(state, dict) or state.get("key") != self._key:
            logger.info("%s is of another training; trained anew", self.path)
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Write the state, whole or not at all.

        Raises
        ------
        DataError
            It cannot be written, for instance on a full disk.
        """
        # Writing the file itself, torch would turn a full disk into a RuntimeError without a reason.
        content = io.BytesIO()
        torch.save({**state, "key": self._key}, content)
        try:
            with replacing(self.path) as part:
                part.write_bytes(content.getbuffer())
        except OSError as error:
            told = not_written(self.path, error, "another --out, the epochs before this one are kept")
            raise DataError(told) from error
