"""The window as a program: display, place, signals, pictures of itself, exit code."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore

from rtasmr.display import LEAST_STIMULUS_PX, TITLE_PX, display_problem, without_gl
from rtasmr.ending import end_signals
from rtasmr.errors import DataError, RtasmrError
from rtasmr.link import SnapshotClient
from rtasmr.view.mainwindow import MainWindow
from rtasmr.view.remembered import KeptLook, load_look, look_file, save_look
from rtasmr.view.state import DEFAULT_SPAN
from rtasmr.view.theme import THEMES, Theme

LEAST_BESIDE = 960
"""Narrower than this the window would not be read with ease: it lies behind the stimulus then."""
SETTLE_MS = 500
"""A size that has not changed for so long is one that was chosen."""

logger = logging.getLogger(__name__)


class LookKeeper(QtCore.QObject):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """Keeps what the user makes of a window as soon as it is made: one that is killed has no last moment.

    Parameters
    ----------
    window : MainWindow
        As it is before it is shown.
    look : KeptLook
        As kept so far.
    path : Path

    Attributes
    ----------
    given : tuple of int or None
        The size that it came to have by itself, which nobody chose; None until it stands still.
    """

    def __init__(self, window: MainWindow, look: KeptLook, path: Path) -> None:
        super().__init__(window)
        self._window, self._look, self._path = window, look, path
        self.given: tuple[int, int] | None = None
        self._theme = look.theme
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._keep)
        window.theme_chosen.connect(self._take_theme)
        window.installEventFilter(self)

    def eventFilter(self, _watched: object, event: Any) -> bool:
        """Wait for the end of a change of size."""
        if event.type() == QtCore.QEvent.Type.Resize:
            self._timer.start()
        return False

    def finish(self) -> None:
        """Keep what has not settled yet."""
        if self._timer.isActive():
            self._timer.stop()
            self._keep()

    def _take_theme(self, name: str) -> None:
        self._theme = name
        self._timer.start()

    def _keep(self) -> None:
        look = replace(self._look, theme=self._theme)
        if not self._window.isFullScreen():
            size = self._window.width(), self._window.height()
            if self.given is None:
                self.given = size
            elif size != self.given:
                look = replace(look, width=size[0], height=size[1])
        if look == self._look:
            return
        self._look = look
        try:
            save_look(look, self._path)
        except DataError as error:
            logger.warning("%s", error)  # the window goes on


def run_window(
    link_file: Path,
    *,
    screenshot: Path | None = None,
    after_s: float = 5.0,
    close_when_ended: bool = False,
    ends_run: bool = False,
    beside_stimulus: bool = False,
    behind_stimulus: bool = False,
    size: tuple[int, int] | None = None,
    theme: Theme | None = None,
    follows_desktop: bool = False,
    span: str = DEFAULT_SPAN,
) -> int:
    """Open the window of the runtime at ``link_file`` and return the exit code once it is closed.

    Parameters
    ----------
    link_file : Path
        As the runtime names it.
    screenshot : Path or None
        Save a picture of the window here ``after_s`` seconds after it opened, or when the runtime ends
        if that comes first.
    close_when_ended : bool
        Close the window when the runtime ends.
    ends_run : bool
        End the run when the user closes the window.
    beside_stimulus : bool
        Leave the keyboard, and its place, to the window that shows the stimulus, which stays above others.
    behind_stimulus : bool
        Open behind it, as it fills the display.
    size : tuple of int or None
        Width and height in pixels; None takes those that the user chose last, as far as there is room.
    theme : Theme or None
        None takes the one that the user chose last, or else follows the desktop.
    follows_desktop : bool
        Follow the desktop, whatever was chosen last.
    span : str
        Length of the time axis: a key of `rtasmr.view.state.SPANS_S`.

    Raises
    ------
    RtasmrError
        If there is no display, or the picture could not be saved.
    """
    problem = "" if os.environ.get("QT_QPA_PLATFORM") else display_problem()
    if problem:
        raise RtasmrError(
            f"expected a display for the window, {problem}; start it on a desktop, or run the runtime with "
            "--headless and no window"
        )
    kept = _kept_look()
    with without_gl():
        app = pg.mkQApp("rtasmr")  # sets up screens of high resolution
        if theme is None and not follows_desktop:
            theme = THEMES.get(kept.theme)
        window = MainWindow(SnapshotClient(link_file), theme=theme, ends_run=ends_run)
        # Ratings are keys: a window that took the keyboard in mid-clip would lose them.
        window.setAttribute(QtCore.Qt.WidgetAttribute.WA_ShowWithoutActivating, beside_stimulus)
        window.winId()  # the native window learns of the attribute when it is made
    window.span_box.setCurrentText(span)
    keeper = LookKeeper(window, kept, look_file())
    if size is not None:
        window.resize(*size)
    elif (screen := window.screen()) is not None:
        room = screen.availableGeometry()
        window.resize(size_within(room, window, kept, beside_stimulus=beside_stimulus))
    unsaved = [] if screenshot is None else [screenshot]
    failed: list[Path] = []

    def save() -> None:
        while unsaved:
            path = unsaved.pop()
            if not window.grab().save(str(path)):
                failed.append(path)

    def end() -> None:
        if close_when_ended:
            save()
            window.close()

    QtCore.QTimer.singleShot(round(after_s * 1000), save)
    window.ended.connect(end)
    # Ctrl-C: Python runs its handlers between two ticks of the window's timer.
    ended_by: list[int] = []

    def give_way(number: int, _frame: object) -> None:
        ended_by.append(number)
        # Left to the loop, which would not end for a window that was closed before it began.
        QtCore.QTimer.singleShot(0, window.leave)

    previous = {number: signal.signal(number, give_way) for number in end_signals()}
    if beside_stimulus:
        place = window.screen()
        if place is not None:
            window.move(place.availableGeometry().bottomRight() - window.rect().bottomRight())
    window.show()
    if behind_stimulus:
        window.lower()
    elif beside_stimulus:
        window.raise_()  # a desktop puts what does not take the keyboard behind what has it
    window.start()
    app.exec_()
    keeper.finish()
    for number, handler in previous.items():
        signal.signal(number, handler)
    if failed:
        raise RtasmrError(f"expected to save a picture, could not write {failed[0]}: give another path")
    if not window.told:
        raise RtasmrError(
            "expected the runtime to hear that its window was closed, it did not: "
            "if it still runs, end it with Ctrl-C"
        )
    return 128 + ended_by[0] if ended_by else 0


def _kept_look() -> KeptLook:
    """Return how the user had the window last."""
    try:
        return load_look(look_file())
    except DataError as error:
        logger.warning("%s", error)
        return KeptLook()


def size_within(room: Any, window: MainWindow, kept: KeptLook, *, beside_stimulus: bool) -> Any:
    """Return the size to open a window with in the room that a desktop has for windows.

    It is the one that the user chose last, or else that of the window, which leaves the stimulus its place
    where there is room for both.
    """
    most = room.size() - QtCore.QSize(0, TITLE_PX)
    if kept.width and kept.height:
        return QtCore.QSize(kept.width, kept.height).boundedTo(most)
    size = window.size().boundedTo(most)
    beside = room.width() - LEAST_STIMULUS_PX / window.devicePixelRatioF()
    if beside_stimulus and beside >= LEAST_BESIDE:
        size.setWidth(min(size.width(), int(beside)))
    return size
