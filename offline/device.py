"""Where networks are trained, found out without loading torch where there can be no GPU."""

from __future__ import annotations

import ctypes
import sys
from typing import Literal

from rtasmr.errors import ConfigError

Device = Literal["cpu", "cuda"]

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def pick_device(name: str) -> Device:
    """Return ``cpu``, ``cuda``, or for ``auto`` CUDA where there is one.

    Raises
    ------
    ConfigError
        Another name, or CUDA is asked for and not there.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device: expected auto, cpu or cuda, got {name!r}")
    if name == "cpu":
        return "cpu"
    if _has_cuda():
        return "cuda"
    if name == "cuda":
        raise ConfigError("device: expected a CUDA device, found none; use auto or cpu")
    return "cpu"


def _has_cuda() -> bool:
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return False  # without the driver torch finds nothing, and takes seconds and 500 MB to say so
    import torch

    return torch.cuda.is_available()
