"""Whether there is a screen."""

from __future__ import annotations

import os
import sys

NO_SCREEN = (
    "expected a screen to show the stimulus on, DISPLAY is not set; start it on a desktop (or publish "
    "the file without showing it: rtasmr source media)"
)


def has_display() -> bool:
    """Whether a window could be shown here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
