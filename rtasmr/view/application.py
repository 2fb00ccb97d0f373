"""The window as a program: display, signals, pictures of itself, exit code."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore

from rtasmr.display import display_problem, without_gl
from rtasmr.ending import end_signals
from rtasmr.errors import RtasmrError
from rtasmr.link import SnapshotClient
from rtasmr.view.mainwindow import MainWindow
from rtasmr.view.state import DEFAULT_SPAN
from rtasmr.view.theme import Theme


def run_window(
    link_file: Path,
    *,
    screenshot: Path | None = None,
    after_s: float = 5.0,
    close_when_ended: bool = False,
    ends_run: bool = False,
    beside_stimulus: bool = False,
    size: tuple[int, int] | None = None,
    theme: Theme | None = None,
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
        Leave the keyboard, and where both overlap the view, to the window that shows the stimulus.
    size : tuple of int or None
        Width and height in pixels.
    theme : Theme or None
        None follows the desktop.
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
    with without_gl():
        app = pg.mkQApp("rtasmr")  # sets up screens of high resolution
        window = MainWindow(SnapshotClient(link_file), theme=theme, ends_run=ends_run)
        # Ratings are keys: a window that took the keyboard in mid-clip would lose them.
        window.setAttribute(QtCore.Qt.WidgetAttribute.WA_ShowWithoutActivating, beside_stimulus)
        window.winId()  # the native window learns of the attribute when it is made
    window.span_box.setCurrentText(span)
    if size is not None:
        window.resize(*size)
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
    if beside_stimulus:
        window.lower()
    window.start()
    app.exec_()
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
