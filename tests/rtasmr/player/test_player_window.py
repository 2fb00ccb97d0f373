from __future__ import annotations

import threading

import numpy as np
import pylsl
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from rtasmr.player.schedule import Picture
from rtasmr.player.window import MAX_EVENT_AGE_MS, StimulusWindow, event_time

pytestmark = pytest.mark.gui


class Script:
    """Stands in for a presenter: pictures that are due at once, and notes of what was asked of it."""

    def __init__(self, *pictures: Picture) -> None:
        self.pictures = list(pictures)
        self.shown: list[float] = []
        self.ratings: list[tuple[int, float]] = []
        self.n_stops = 0
        self.is_over = False
        self.ended = threading.Event()

    def due_picture(self) -> tuple[Picture, float] | None:
        return (self.pictures.pop(0), 0.0) if self.pictures else None

    def wait_s(self) -> float:
        return 0.0

    def picture_shown(self, picture: Picture, due_time_s: float) -> None:
        assert due_time_s == 0.0
        self.shown.append(picture.position_s)

    def rate(self, rating: int, time_s: float) -> None:
        self.ratings.append((rating, time_s))

    def stop(self) -> None:
        self.n_stops += 1


def green(position_s: float) -> Picture:
    image = np.zeros((90, 160, 3), np.uint8)
    image[..., 1] = 200
    return Picture(position_s, image, image)


def shown_by(qtbot, script: Script) -> StimulusWindow:
    window = StimulusWindow(script)
    qtbot.addWidget(window)
    window.resize(400, 300)
    window.show()
    qtbot.waitExposed(window)
    return window


def colour(window: StimulusWindow, x: int, y: int) -> tuple[int, int, int]:
    return window.grab().toImage().pixelColor(x, y).getRgb()[:3]


def test_a_picture_fills_the_window_as_far_as_its_shape_allows(qtbot):
    script = Script(green(0.0), green(0.04))
    window = shown_by(qtbot, script)
    qtbot.waitUntil(lambda: len(script.shown) == 2)
    assert script.shown == [0.0, 0.04]
    # 160 x 90 in 400 x 300: 225 rows of picture between bars of 37 rows.
    assert colour(window, 200, 150) == (0, 200, 0)
    assert colour(window, 5, 45) == (0, 200, 0)
    assert colour(window, 200, 30) == colour(window, 200, 270) == (0, 0, 0)


def test_the_screen_is_black_before_and_after_the_clip(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    assert colour(window, 200, 150) == (0, 0, 0)
    script.pictures.append(green(0.0))
    qtbot.waitUntil(lambda: colour(window, 200, 150) == (0, 200, 0))
    script.is_over = True
    qtbot.waitUntil(lambda: colour(window, 200, 150) == (0, 0, 0))
    script.ended.set()
    qtbot.waitUntil(lambda: not window.isVisible())


def test_keys_rate_and_end(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    before_s = pylsl.local_clock()
    for key in (Qt.Key_1, Qt.Key_4, Qt.Key_2, Qt.Key_3, Qt.Key_5):
        QTest.keyClick(window, key)
    assert [rating for rating, _ in script.ratings] == [0, 3, 1, 2]
    assert all(before_s <= time_s <= pylsl.local_clock() for _, time_s in script.ratings)
    assert script.n_stops == 0
    QTest.keyClick(window, Qt.Key_Escape)
    assert script.n_stops == 1


def test_f_goes_to_full_screen_and_back(qtbot):
    window = shown_by(qtbot, Script())
    QTest.keyClick(window, Qt.Key_F)
    assert window.isFullScreen()
    QTest.keyClick(window, Qt.Key_F)
    assert not window.isFullScreen()


def test_an_event_that_waited_is_stamped_when_it_happened(qtbot, monkeypatch):
    monkeypatch.setattr(QApplication, "platformName", staticmethod(lambda: "xcb"))
    monkeypatch.setattr(pylsl, "local_clock", lambda: 5_000_000.5)
    now_ms = 5_000_000_500 % 2**32
    assert event_time(now_ms) == 5_000_000.5
    assert event_time(now_ms - 80) == pytest.approx(5_000_000.42)
    # Not a time of this clock: no event waits that long, and none comes from the future.
    assert event_time(now_ms - MAX_EVENT_AGE_MS - 1) == 5_000_000.5
    assert event_time(now_ms + 10) == 5_000_000.5
    monkeypatch.setattr(QApplication, "platformName", staticmethod(lambda: "cocoa"))
    assert event_time(now_ms - 80) == 5_000_000.5
