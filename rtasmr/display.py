"""Whether there is a screen, and how it is drawn on."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TITLE_PX = 40
"""What a desktop draws above a window, which is not known before it is shown."""
LEAST_STIMULUS_PX = 576
"""Width below which the words under the picture of the stimulus are too small to be read with ease."""
PAUSES_S = (0.1, 0.3)
"""Between one question and the next to a server that does not answer."""


def no_screen() -> str:
    """Return the error of a stimulus that cannot be shown here."""
    return (
        f"expected a screen to show the stimulus on, {display_problem()}; start it on a desktop (or publish "
        "the file without showing it: rtasmr source media)"
    )


def has_display() -> bool:
    """Whether a window could be shown here."""
    return not display_problem()


def display_problem() -> str:
    """Return why no window can be shown here; empty where one can."""
    if sys.platform in ("win32", "darwin") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    name = os.environ.get("DISPLAY")
    if not name:
        return "DISPLAY is not set"
    return "" if _answers(name) else f"the X server that DISPLAY names ({name!a:.60}) does not answer"


@cache
def _answers(name: str) -> bool:
    """Whether an X server takes a connection; without that Qt ends the process, with lines of its own.

    A server that has lost its last connection starts anew, and takes none meanwhile: it is asked again,
    and a connection that was taken stays until the process ends.
    """
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:  # not to be asked here; Qt has its own word for a library that lacks
        return True
    xcb.xcb_connect.argtypes, xcb.xcb_connect.restype = (ctypes.c_char_p, ctypes.c_void_p), ctypes.c_void_p
    for function in (xcb.xcb_connection_has_error, xcb.xcb_disconnect):
        function.argtypes = (ctypes.c_void_p,)
    for pause_s in (*PAUSES_S, None):
        connection = xcb.xcb_connect(os.fsencode(name), None)  # never null: an error is one, too
        if not xcb.xcb_connection_has_error(connection):
            return True
        xcb.xcb_disconnect(connection)
        if pause_s is not None:
            time.sleep(pause_s)
    return False


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
