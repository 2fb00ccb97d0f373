"""The displays of this machine, by number and name, and where on them the stimulus goes."""

from __future__ import annotations

from PyQt5.QtCore import QRect
from PyQt5.QtGui import QScreen
from PyQt5.QtWidgets import QApplication

from rtasmr.display import LEAST_STIMULUS_PX, TITLE_PX
from rtasmr.errors import ConfigError

SIZE = (1024, 576)
TINGLEGRAM_WIDTH = 1260
FRAME_PX = 6
"""What a desktop draws at the other sides of a window."""


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


def is_shared(screen: QScreen | None) -> bool:
    """Whether a display, or None for the desktop's choice, may be that of the Tinglegram, too."""
    return screen is None or screen is QApplication.primaryScreen()


def windowed_place(screen: QScreen | None, *, beside: bool) -> QRect | None:
    """Return where the stimulus lies on a display as a window; None leaves it to the desktop.

    With ``beside`` it leaves a Tinglegram room on the only display.
    """
    screens = QApplication.screens()
    if beside and len(screens) == 1:
        return place_beside(screens[0].availableGeometry())
    if screen is None:
        return None
    place = QRect(0, 0, *SIZE)
    place.moveCenter(screen.availableGeometry().center())
    return place


def place_beside(room: QRect) -> QRect:
    """Return where the stimulus lies on the only display: in its lower left, the Tinglegram to the right.

    It is as wide as what the Tinglegram leaves. Where that is too little it covers some of the past there,
    and neither the number nor the buttons nor the newest of the curves.

    Parameters
    ----------
    room : QRect
        What the desktop leaves to windows.
    """
    left_px = min(SIZE[0], max(LEAST_STIMULUS_PX, room.width() - TINGLEGRAM_WIDTH))
    width = min(left_px, room.width()) - 2 * FRAME_PX
    height = min(width * SIZE[1] // SIZE[0], room.height() - TITLE_PX - FRAME_PX)
    return QRect(room.left() + FRAME_PX, room.bottom() + 1 - FRAME_PX - height, width, height)
