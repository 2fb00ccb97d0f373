"""The participant's window: the stimulus, how to rate it, and between the clips nothing."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pylsl
from PyQt5.QtCore import QRect, QRectF, Qt, QTimer
from PyQt5.QtGui import (
    QCloseEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QScreen,
    QWheelEvent,
)
from PyQt5.QtWidgets import QApplication, QWidget
from PyQt5.sip import voidptr

from rtasmr.display import without_gl
from rtasmr.ending import end_signals
from rtasmr.player.presenter import Presenter
from rtasmr.player.scene import PAUSED, PAUSED_CLIP, SceneKind
from rtasmr.player.schedule import Picture
from rtasmr.player.screen import SIZE, choose_screen, is_shared, windowed_place
from rtasmr.player.strip import draw_strip, slider_value, strip_height
from rtasmr.player.words import draw_cross, draw_words

RATING_KEYS = (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4)
SLIDER_STEPS = {
    Qt.Key.Key_Left: -0.1,
    Qt.Key.Key_Down: -0.1,
    Qt.Key.Key_Right: 0.1,
    Qt.Key.Key_Up: 0.1,
    Qt.Key.Key_Home: -3.0,
    Qt.Key.Key_End: 3.0,
}
WHEEL_STEP = 0.1
WHEEL_NOTCH = 120
MAX_WAIT_MS = 50
MAX_EVENT_AGE_MS = 1_000
CONFIRM_S = 2.0
"""Within so long of the first press of Esc a second one ends the viewing."""


class StimulusWindow(QWidget):
    """Shows what a presenter has due.

    Keys: 1-4 rate, arrows move the slider, P pauses and goes on, space ends a text, Ctrl+Right skips,
    F full screen, Esc twice ends.

    Parameters
    ----------
    presenter : Presenter
    stays_above : bool
        Lie above other windows, unless it fills the display: a click on one that is larger would hide the
        stimulus for good.
    place : QRect or None
        Where it lies while it does not fill the display; None leaves it to the desktop.
    """

    def __init__(
        self, presenter: Presenter, *, stays_above: bool = False, place: QRect | None = None
    ) -> None:
        super().__init__()
        self._presenter = presenter
        self._stays_above = stays_above
        self._place = place
        self._picture: Picture | None = None
        self._drawn: object = None
        self._asked_end_s = -np.inf
        self.setWindowTitle("rtasmr: stimulus")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.resize(*SIZE)
        # A slider is moved with the mouse; without one the pointer is in the way.
        if not presenter.ratings.is_continuous:
            self.setCursor(Qt.CursorShape.BlankCursor)
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
        scene = presenter.scene
        due = presenter.due_picture()
        if due is not None:
            self._picture, due_time_s = due
            self.repaint()
            presenter.picture_shown(self._picture, due_time_s)
        elif self._picture is not None and scene.kind is not SceneKind.CLIP:
            self._picture = None
        if self._drawn != self._words():
            self.repaint()
        # At least 1 ms: while the card stands still, what is due has to wait.
        self._timer.start(max(1, int(1000 * min(presenter.wait_s(), MAX_WAIT_MS / 1000))))

    def _words(self) -> object:
        """Return what is to be drawn besides the picture."""
        presenter = self._presenter
        ratings = presenter.ratings
        return (presenter.scene, ratings.value, ratings.held, presenter.estimate, self._notice())

    def _notice(self) -> str:
        is_asked = pylsl.local_clock() - self._asked_end_s < CONFIRM_S
        return "Press Esc again to end" if is_asked else ""

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the picture as large as fits above the strip, on black."""
        presenter, scene = self._presenter, self._presenter.scene
        self._drawn = self._words()
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        whole = QRectF(self.rect())
        is_continuous = presenter.ratings.is_continuous
        height = strip_height(whole.height(), has_slider=is_continuous)
        above = QRectF(0, 0, whole.width(), whole.height() - height)
        if scene.is_paused:
            draw_words(painter, whole, PAUSED_CLIP if scene.kind is SceneKind.CLIP else PAUSED)
        elif scene.kind is SceneKind.TEXT:
            draw_words(painter, whole, scene.text)
        elif scene.kind is SceneKind.REST:
            draw_cross(painter, whole)
        elif self._picture is not None:
            self._draw_picture(painter, self._picture, above)
        strip = QRectF(0, above.height(), whole.width(), height)
        if notice := self._notice():
            draw_words(painter, strip, notice)
        elif scene.kind is SceneKind.CLIP and not scene.is_paused:
            ratings = presenter.ratings
            value = ratings.value if is_continuous else None
            draw_strip(painter, strip, scene.hint, ratings.held, presenter.estimate, value)

    def _draw_picture(self, painter: QPainter, picture: Picture, room: QRectF) -> None:
        pixels = np.ascontiguousarray(picture.image)
        height, width = pixels.shape[:2]
        image = QImage(voidptr(pixels.data), width, height, 3 * width, QImage.Format.Format_RGB888)
        scale = min(room.width() / width, room.height() / height)
        shown = QRectF(0, 0, scale * width, scale * height)
        shown.moveCenter(room.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(shown, image)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take a key, stamped when it was pressed."""
        if event is None:
            return
        key, presenter = event.key(), self._presenter
        if key in SLIDER_STEPS and presenter.ratings.is_continuous and not event.modifiers() & _CTRL:
            presenter.ratings.step(SLIDER_STEPS[Qt.Key(key)], event_time(event.timestamp()))
        elif event.isAutoRepeat():
            return
        elif key in RATING_KEYS:
            presenter.ratings.press(RATING_KEYS.index(key), event_time(event.timestamp()))
        elif key == Qt.Key.Key_P:
            presenter.toggle_pause()
        elif key == Qt.Key.Key_Space:
            presenter.go_on()
        elif key == Qt.Key.Key_Right and event.modifiers() & _CTRL:
            presenter.skip()
        elif key == Qt.Key.Key_F:
            self._toggle_full_screen()
        elif key == Qt.Key.Key_Escape:
            if self._notice():
                presenter.stop()
            self._asked_end_s = pylsl.local_clock()

    def lie_above(self, *, is_wanted: bool) -> None:
        """Lie above other windows from now on where that is wanted and of use, or as any other does."""
        hint, is_above = Qt.WindowType.WindowStaysOnTopHint, is_wanted and self._stays_above
        handle = self.windowHandle()
        if handle is None:
            self.setWindowFlag(hint, is_above)
        else:
            handle.setFlag(hint, is_above)  # the widget would make a new window, which has lost the keyboard

    def show_windowed(self) -> None:
        """Show it as a window, where it lay before."""
        self.lie_above(is_wanted=True)
        self.showNormal()
        if self._place is None:
            self.resize(*SIZE)
        else:
            self.setGeometry(self._place)

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.show_windowed()
            return
        self._place = self.geometry()
        self.lie_above(is_wanted=False)  # the Tinglegram must be able to come before it
        self.showFullScreen()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Move the slider to the mouse."""
        self._follow_mouse(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move the slider with the mouse while its button is down."""
        self._follow_mouse(event)

    def _follow_mouse(self, event: QMouseEvent | None) -> None:
        ratings = self._presenter.ratings
        if event is None or not ratings.is_continuous or self._presenter.scene.is_paused:
            return  # in a pause there is no slider on the screen
        if event.buttons() & Qt.MouseButton.LeftButton:
            ratings.slide(
                slider_value(QRectF(self.rect()), event.localPos().x()), event_time(event.timestamp())
            )

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Move the slider by a step a notch."""
        ratings = self._presenter.ratings
        if event is not None and ratings.is_continuous:
            notches = event.angleDelta().y() / WHEEL_NOTCH
            ratings.step(WHEEL_STEP * notches, event_time(event.timestamp()))

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """End the viewing with the window."""
        self._presenter.stop()
        super().closeEvent(event)


_CTRL = Qt.KeyboardModifier.ControlModifier


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


def show_on(window: StimulusWindow, screen: QScreen | None, *, full_screen: bool) -> None:
    """Show a window on a display; None leaves it to the desktop, or to the main display in full screen."""
    window.winId()  # makes the native window, which knows of displays
    handle = window.windowHandle()
    if screen is not None and handle is not None:
        handle.setScreen(screen)
    if not full_screen:
        window.show_windowed()
        return
    # A display without a window manager has nobody else who would make it large.
    place = screen or QApplication.primaryScreen()
    if place is not None:
        window.setGeometry(place.geometry())
    window.showFullScreen()


def run_window(presenter: Presenter, *, full_screen: bool, display: str, beside: bool) -> None:
    """Show a viewing until it is over; Ctrl-C, SIGTERM and SIGHUP end it in order.

    Parameters
    ----------
    presenter : Presenter
    full_screen, display, beside
        See `PlayerConfig`.

    Raises
    ------
    ConfigError
        If there is no such display.
    """
    with without_gl():
        application = QApplication(sys.argv[:1])
        screen = choose_screen(display)
        place = windowed_place(screen, beside=beside)
        window = StimulusWindow(presenter, stays_above=beside and is_shared(screen), place=place)
        window.lie_above(is_wanted=not full_screen)
        window.winId()
    for number in end_signals():
        signal.signal(number, lambda *_: presenter.stop())
    show_on(window, screen, full_screen=full_screen)
    with ThreadPoolExecutor(1, thread_name_prefix="presenter") as executor:
        viewing = executor.submit(presenter.run)
        application.exec_()
        presenter.stop()
    viewing.result()
