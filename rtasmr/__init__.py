"""Real-time ASMR tingle detection from pulse, sound and picture over Lab Streaming Layer."""

from importlib import import_module

__version__ = "0.1.0"

_LATER = {"load_session": "rtasmr.tables", "Session": "rtasmr.tables"}
"""Names for analysis, and where they live: imported when asked for, so that no part depends on them."""


def __getattr__(name: str) -> object:
    """Return a name of `_LATER`; what type checkers know of it stands in ``__init__.pyi``."""
    if name not in _LATER:
        raise AttributeError(f"module 'rtasmr' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
