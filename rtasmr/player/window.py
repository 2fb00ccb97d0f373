"""The stimulus window: black, the picture that is due, and nothing else."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pylsl
from PyQt5.QtCore import QRectF, Qt, QTimer
from PyQt5.QtGui import QCloseEvent, QImage, QKeyEvent, QPainter, QPaintEvent
from PyQt5.QtWidgets import QApplication, QWidget
from PyQt5.sip import voidptr

from rtasmr.player.presenter import Presenter
from rtasmr.player.schedule import Picture

RATING_KEYS = (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4)
MAX_WAIT_MS = 50
MAX_EVENT_AGE_MS = 1_000
SIZE = (1024, 576)


class StimulusWindow(QWidget):
    """Shows what a presenter has due. Keys: 1-4 rate, F full screen, Esc ends.

    Parameters
    ----------
    presenter : Presenter
    """

    def __init__(self, presenter: Presenter) -> None:
        super().__init__()
        self._presenter = presenter
        self._picture: Picture | None = None
        self.setWindowTitle("rtasmr: stimulus")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.resize(*SIZE)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_time)
        self._timer.start(0)

    def _on_time(self) -> None:
        presenter = self._presenter
        if presenter.ended.is_set():
            self.close()
            return
        due = presenter.due_picture()
        if due is not None:
            self._picture, due_time_s = due
            self.repaint()
            presenter.picture_shown(self._picture, due_time_s)
        elif self._picture is not None and presenter.is_over:
            self._picture = None
            self.repaint()
        # At least 1 ms: while the card stands still, what is due has to wait.
        self._timer.start(min(max(1, int(1000 * presenter.wait_s())), MAX_WAIT_MS))

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the picture as large as fits, on black."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._picture is None:
            return
        pixels = np.ascontiguousarray(self._picture.image)
        height, width = pixels.shape[:2]
        image = QImage(voidptr(pixels.data), width, height, 3 * width, QImage.Format.Format_RGB888)
        scale = min(self.width() / width, self.height() / height)
        shown = QRectF(0, 0, scale * width, scale * height)
        shown.moveCenter(QRectF(self.rect()).center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(shown, image)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take a key, stamped when it was pressed."""
        if event is None or event.isAutoRepeat():
            return
        key = event.key()
        if key in RATING_KEYS:
            self._presenter.rate(RATING_KEYS.index(key), event_time(event.timestamp()))
        elif key == Qt.Key.Key_F:
            self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)
        elif key == Qt.Key.Key_Escape:
            self._presenter.stop()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """End the viewing with the window."""
        self._presenter.stop()
        super().closeEvent(event)


def event_time(timestamp_ms: int) -> float:
    """Return the LSL time in seconds of an event that the window system stamped.

    X11 on this machine counts milliseconds (32 bit) of the clock that LSL uses, so what the event
    waited for us is known; elsewhere, and where it does not fit, the event counts as of now.
    """
    now_s = float(pylsl.local_clock())
    if QApplication.platformName() != "xcb":
        return now_s
    age_ms = (int(1000 * now_s) - timestamp_ms) % 2**32
    return now_s - age_ms / 1000 if age_ms <= MAX_EVENT_AGE_MS else now_s


def run_window(presenter: Presenter, *, full_screen: bool) -> None:
    """Show a viewing until it is over; Ctrl-C and SIGTERM end it in order."""
    application = QApplication(sys.argv[:1])
    window = StimulusWindow(presenter)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: presenter.stop())
    if full_screen:
        window.showFullScreen()
    else:
        window.show()
    with ThreadPoolExecutor(1, thread_name_prefix="presenter") as executor:
        viewing = executor.submit(presenter.run)
        application.exec_()
        presenter.stop()
    viewing.result()
