"""The displays of this machine, by number and name."""

from __future__ import annotations

from PyQt5.QtGui import QScreen
from PyQt5.QtWidgets import QApplication

from rtasmr.errors import ConfigError


def describe_screens() -> list[str]:
    """Return a line per display, as the option ``--display`` takes them."""
    primary = QApplication.primaryScreen()
    return [
        f"{number}: {screen.name()}, {screen.size().width()}x{screen.size().height()}"
        + (" (main)" if screen is primary else "")
        for number, screen in enumerate(QApplication.screens(), 1)
    ]


def choose_screen(wanted: str) -> QScreen | None:
    """Return the display of that number, counted from 1, or name; None where none is wanted.

    Raises
    ------
    ConfigError
        If there is no such display.
    """
    if not wanted:
        return None
    screens = QApplication.screens()
    if wanted.isdecimal() and 1 <= int(wanted) <= len(screens):
        return screens[int(wanted) - 1]
    for screen in screens:
        if screen.name() == wanted:
            return screen
    raise ConfigError(
        f"expected a display out of {'; '.join(describe_screens())}, got {wanted!r}. "
        "Choose one with --display."
    )
