"""Whether there is a screen, and how it is drawn on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NO_SCREEN = (
    "expected a screen to show the stimulus on, DISPLAY is not set; start it on a desktop (or publish "
    "the file without showing it: rtasmr source media)"
)


def has_display() -> bool:
    """Whether a window could be shown here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def without_gl() -> Iterator[None]:
    """Keep Qt on X11 from loading OpenGL, if its first native window (``winId``) is made in this block.

    Nothing of ours draws with it, and where Mesa renders in software it costs a process 55 MB and brings
    an LLVM that crashes beside another one. The variable is Qt's, and one that is set already counts.
    What the process starts later, such as a browser, does not inherit the wish.
    """
    if _GL in os.environ:
        yield
        return
    os.environ[_GL] = "none"
    try:
        yield
    finally:
        os.environ.pop(_GL, None)


_GL = "QT_XCB_GL_INTEGRATION"
