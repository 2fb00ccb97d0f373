"""Key presses as the X server makes them, with the LSL times between which each one happened."""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass

import pylsl


@dataclass(frozen=True)
class Press:
    """A key went down between two LSL times, in seconds."""

    key: str
    before_s: float
    after_s: float


class Keyboard:
    """Presses keys in the window that has the focus, by the XTest extension; use it as a context manager."""

    def __init__(self) -> None:
        self._x = ctypes.CDLL(ctypes.util.find_library("X11"))
        self._test = ctypes.CDLL(ctypes.util.find_library("Xtst"))
        self._x.XOpenDisplay.restype = ctypes.c_void_p
        self._x.XStringToKeysym.restype = ctypes.c_ulong
        self._display = ctypes.c_void_p(self._x.XOpenDisplay(None))

    def __enter__(self) -> Keyboard:
        """Let go of what an earlier user of the display left pressed: an arrow with Ctrl is another key."""
        pressed = ctypes.create_string_buffer(32)  # a bit per key code
        self._x.XQueryKeymap(self._display, pressed)
        for code in range(8, 256):
            if pressed.raw[code // 8] >> code % 8 & 1:
                self._event(code, is_down=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._x.XCloseDisplay(self._display)

    def press(self, key: str) -> Press:
        """Press and release a key, such as ``2`` or ``Right``."""
        symbol = ctypes.c_ulong(self._x.XStringToKeysym(key.encode()))
        code = self._x.XKeysymToKeycode(self._display, symbol)
        before_s = pylsl.local_clock()
        self._event(code, is_down=True)
        after_s = pylsl.local_clock()
        self._event(code, is_down=False)
        return Press(key, before_s, after_s)

    def _event(self, code: int, *, is_down: bool) -> None:
        self._test.XTestFakeKeyEvent(self._display, code, int(is_down), ctypes.c_ulong(0))
        self._x.XSync(self._display, 0)  # returns when the server has made the event
