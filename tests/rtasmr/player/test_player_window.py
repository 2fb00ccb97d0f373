from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pylsl
import pytest
from PyQt5.QtCore import QPoint, QPointF, QRect, Qt
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from rtasmr.errors import ConfigError
from rtasmr.player.rating import RatingDesk
from rtasmr.player.scene import ESTIMATE_RUNS, Scene, SceneKind
from rtasmr.player.schedule import Picture
from rtasmr.player.screen import choose_screen, describe_screens, is_shared, place_beside, windowed_place
from rtasmr.player.window import CONFIRM_S, MAX_EVENT_AGE_MS, StimulusWindow, event_time, show_on

pytestmark = pytest.mark.gui


HINT = "Tingling:   1 none   2 weak   3 moderate   4 strong"
CLIP = Scene(SceneKind.CLIP, hint=HINT)


class Script:
    """Stands in for a presenter: pictures that are due at once, and notes of what was asked of it.

    It takes the ratings itself, too.
    """

    def __init__(self, *pictures: Picture, is_continuous: bool = False) -> None:
        self.pictures = list(pictures)
        self.shown: list[float] = []
        self.ratings = RatingDesk(is_continuous=is_continuous)
        self.ratings.open(self)
        self.levels: list[tuple[str, float]] = []
        self.values: list[float] = []
        self.asked: list[str] = []
        self.scene = CLIP
        self.estimate = ""
        self.ended = threading.Event()

    def marker(self, _stream: str, text: str, time_s: float) -> None:
        self.levels.append((text, time_s))

    def slid(self, value: float, _time_s: float) -> None:
        self.values.append(value)

    def due_picture(self) -> tuple[Picture, float] | None:
        return (self.pictures.pop(0), 0.0) if self.pictures else None

    def wait_s(self) -> float:
        return 0.0

    def picture_shown(self, picture: Picture, due_time_s: float) -> None:
        assert due_time_s == 0.0
        self.shown.append(picture.position_s)

    def toggle_pause(self) -> None:
        self.asked.append("pause")

    def skip(self) -> None:
        self.asked.append("skip")

    def go_on(self) -> None:
        self.asked.append("go on")

    def stop(self) -> None:
        self.asked.append("stop")


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
    # 160 x 90 in 400 x 270 above the strip: 225 rows of picture between bars of 22 rows.
    assert colour(window, 200, 135) == (0, 200, 0)
    assert colour(window, 5, 30) == (0, 200, 0)
    assert colour(window, 200, 15) == colour(window, 200, 260) == (0, 0, 0)


def test_the_screen_is_black_before_and_after_the_clip(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    assert colour(window, 200, 150) == (0, 0, 0)
    script.pictures.append(green(0.0))
    qtbot.waitUntil(lambda: colour(window, 200, 150) == (0, 200, 0))
    script.scene = Scene()
    qtbot.waitUntil(lambda: colour(window, 200, 150) == (0, 0, 0))
    script.ended.set()
    qtbot.waitUntil(lambda: not window.isVisible())


def test_keys_rate(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    before_s = pylsl.local_clock()
    for key in (Qt.Key_1, Qt.Key_4, Qt.Key_2, Qt.Key_3, Qt.Key_5, Qt.Key_Right):
        QTest.keyClick(window, key)
    assert [text for text, _ in script.levels] == ["rating=0", "rating=3", "rating=1", "rating=2"]
    assert all(before_s <= time_s <= pylsl.local_clock() for _, time_s in script.levels)
    assert script.values == script.asked == []


def test_keys_control_the_session(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    QTest.keyClick(window, Qt.Key_P)
    QTest.keyClick(window, Qt.Key_Space)
    QTest.keyClick(window, Qt.Key_Right, Qt.ControlModifier)
    assert script.asked == ["pause", "go on", "skip"]


def test_escape_ends_only_when_it_is_pressed_twice_in_two_seconds(qtbot, monkeypatch):
    script = Script()
    window = shown_by(qtbot, script)
    now_s = 100.0
    monkeypatch.setattr(pylsl, "local_clock", lambda: now_s)
    QTest.keyClick(window, Qt.Key_Escape)
    assert script.asked == []
    now_s += CONFIRM_S + 0.1
    QTest.keyClick(window, Qt.Key_Escape)
    assert script.asked == []
    now_s += CONFIRM_S - 0.1
    QTest.keyClick(window, Qt.Key_Escape)
    assert script.asked == ["stop"]


def test_arrows_mouse_and_wheel_move_the_slider(qtbot):
    script = Script(is_continuous=True)
    window = shown_by(qtbot, script)
    for key in (Qt.Key_Right, Qt.Key_Up, Qt.Key_Left, Qt.Key_End, Qt.Key_Down, Qt.Key_Home, Qt.Key_2):
        QTest.keyClick(window, key)
    assert script.values == [0.1, 0.2, 0.1, 3.0, 2.9, 0.0, 1.0]
    # The slider takes the middle half of 400 pixels: 100 is 0, 200 is 1.5 and 300 is 3.
    QTest.mouseMove(window, QPoint(150, 280))
    assert script.values[-1] == 1.0
    for x, value in ((200, 1.5), (390, 3.0), (10, 0.0)):
        QTest.mouseClick(window, Qt.LeftButton, pos=QPoint(x, 280))
        assert script.values[-1] == value
    turn = QWheelEvent(
        QPointF(9, 9),
        QPointF(9, 9),
        QPoint(),
        QPoint(0, 240),
        Qt.NoButton,
        Qt.NoModifier,
        Qt.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(window, turn)
    assert script.values[-1] == 0.2
    assert [text for text, _ in script.levels] == [
        *("rating=3", "rating=0", "rating=1", "rating=2", "rating=3", "rating=0"),
    ]


@pytest.mark.parametrize(
    ("scene", "is_there"),
    [
        (Scene(), False),
        (Scene(SceneKind.REST), True),
        (Scene(SceneKind.TEXT, "Words to read"), True),
        (Scene(SceneKind.CLIP, is_paused=True), True),
        (Scene(SceneKind.REST, is_paused=True), True),
    ],
)
def test_rests_texts_and_pauses_hide_the_picture(qtbot, scene, is_there):
    script = Script(green(0.0))
    window = shown_by(qtbot, script)
    qtbot.waitUntil(lambda: colour(window, 200, 135) == (0, 200, 0))
    script.scene = scene
    qtbot.waitUntil(lambda: colour(window, 5, 30) == (0, 0, 0))
    image = window.grab().toImage()
    grey = {image.pixelColor(x, y).getRgb()[:3] for x in range(400) for y in range(300)}
    assert (len(grey) > 1) is is_there
    assert (0, 200, 0) not in grey


def test_the_mouse_moves_no_slider_that_a_pause_hides(qtbot):
    script = Script(is_continuous=True)
    script.scene = replace(CLIP, is_paused=True)
    window = shown_by(qtbot, script)
    QTest.mouseClick(window, Qt.LeftButton, pos=QPoint(200, 280))
    assert script.values == []
    script.scene = CLIP
    QTest.mouseClick(window, Qt.LeftButton, pos=QPoint(200, 280))
    assert script.values == [1.5]


def test_the_pause_of_a_clip_says_that_ratings_do_not_count(qtbot, monkeypatch):
    told = []
    monkeypatch.setattr("rtasmr.player.window.draw_words", lambda _painter, _room, text: told.append(text))
    script = Script()
    window = shown_by(qtbot, script)
    for scene in (replace(CLIP, is_paused=True), Scene(SceneKind.REST, is_paused=True)):
        script.scene = scene
        window.grab()
    texts = list(dict.fromkeys(told))
    assert texts[0].startswith("Paused")
    assert "Ratings count again" in texts[0]
    assert texts[1:] == ["Paused"]


def test_a_picture_stands_again_after_a_pause(qtbot):
    script = Script(green(0.0))
    window = shown_by(qtbot, script)
    qtbot.waitUntil(lambda: colour(window, 200, 135) == (0, 200, 0))
    script.scene = replace(CLIP, is_paused=True)
    qtbot.waitUntil(lambda: colour(window, 5, 30) == (0, 0, 0))
    script.scene = CLIP
    qtbot.waitUntil(lambda: colour(window, 5, 30) == (0, 200, 0))


@pytest.mark.parametrize(
    ("estimate", "is_there"), [("", False), (ESTIMATE_RUNS, True), ("estimate 62 %", True)]
)
@pytest.mark.parametrize("is_continuous", [False, True])
def test_the_strip_tells_how_to_rate_and_that_an_estimate_runs(qtbot, estimate, is_there, is_continuous):
    script = Script(is_continuous=is_continuous)
    script.estimate = estimate
    window = shown_by(qtbot, script)
    image = window.grab().toImage()

    def is_drawn(left: int, right: int) -> bool:
        pixels = (image.pixelColor(x, y).lightness() for x in range(left, right) for y in range(240, 300))
        return any(lightness > 60 for lightness in pixels)

    assert is_drawn(100, 300)  # the hint, in the middle
    assert is_drawn(322, 400) is is_there
    assert not is_drawn(0, 90)


def marked(window: StimulusWindow) -> list[int]:
    """Columns of the strip's middle that are as light as the ground of the level that holds."""
    image = window.grab().toImage()
    rows = range(576 - 32, 576)
    # No letter is as tall as the ground.
    return [
        x
        for x in range(image.width())
        if sum(image.pixelColor(x, y).lightness() in range(160, 181) for y in rows) > 0.6 * len(rows)
    ]


def test_the_strip_marks_the_rating_that_holds(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    window.resize(1024, 576)
    assert marked(window) == []
    places = []
    for key in (Qt.Key_1, Qt.Key_2, Qt.Key_3, Qt.Key_4):
        QTest.keyClick(window, key)
        places.append(marked(window))
    # One after another from left to right, each as wide as its word.
    assert all(place and place[-1] - place[0] < 200 for place in places)
    assert all(left[-1] < right[0] for left, right in pairwise(places))
    script.ratings.begin_clip(pylsl.local_clock())
    assert marked(window) == []


def test_a_rating_is_drawn_when_it_comes(qtbot):
    script = Script()
    window = shown_by(qtbot, script)
    drawn = []
    window.paintEvent = lambda _event: drawn.append(script.ratings.held)
    qtbot.wait(100)
    drawn.clear()
    QTest.keyClick(window, Qt.Key_3)
    qtbot.waitUntil(lambda: 2 in drawn)


def test_the_pointer_is_hidden_unless_it_moves_a_slider(qtbot):
    assert shown_by(qtbot, Script()).cursor().shape() == Qt.BlankCursor
    assert shown_by(qtbot, Script(is_continuous=True)).cursor().shape() != Qt.BlankCursor


def test_displays_are_chosen_by_number_and_name(qtbot):
    (only,) = QApplication.screens()
    assert choose_screen("") is None
    assert choose_screen("1") is only
    assert choose_screen(only.name()) is only
    (line,) = describe_screens()
    assert line.startswith(f"1: {only.name()}, ")
    for wanted in ("0", "2", "projector"):
        with pytest.raises(ConfigError, match=f"got '{wanted}'"):
            choose_screen(wanted)


def test_f_goes_to_full_screen_and_back_to_where_it_lay(qtbot):
    window = shown_by(qtbot, Script())
    window.setGeometry(30, 40, 500, 350)
    QTest.keyClick(window, Qt.Key_F)
    assert window.isFullScreen()
    QTest.keyClick(window, Qt.Key_F)
    assert not window.isFullScreen()
    qtbot.waitUntil(lambda: window.geometry() == QRect(30, 40, 500, 350))


@pytest.mark.parametrize("full_screen", [False, True])
def test_a_window_stays_above_others_and_a_full_screen_does_not(qtbot, full_screen):
    place = QRect(10, 60, 400, 300)
    window = StimulusWindow(Script(), stays_above=True, place=place)
    qtbot.addWidget(window)
    window.lie_above(is_wanted=not full_screen)
    show_on(window, None, full_screen=full_screen)
    qtbot.waitExposed(window)
    handle = window.windowHandle()
    for is_full in (full_screen, not full_screen, full_screen):
        assert window.isFullScreen() is is_full
        assert bool(handle.flags() & Qt.WindowStaysOnTopHint) is not is_full
        if not is_full:
            qtbot.waitUntil(lambda: window.geometry() == place)
        QTest.keyClick(window, Qt.Key_F)
        assert window.windowHandle() is handle  # another one would not have the keyboard


def test_a_window_on_a_display_of_its_own_is_one_of_many(qtbot):
    window = shown_by(qtbot, Script())
    window.show_windowed()
    assert not window.windowHandle().flags() & Qt.WindowStaysOnTopHint


@pytest.mark.parametrize(
    ("room", "place"),
    [
        # All of the Tinglegram is beside it, as far as there is room for both.
        (QRect(0, 0, 1920, 1050), QRect(6, 680, 648, 364)),
        (QRect(0, 0, 2560, 1400), QRect(6, 825, 1012, 569)),
        (QRect(0, 30, 1366, 738), QRect(6, 445, 564, 317)),
        (QRect(0, 0, 1024, 640), QRect(6, 317, 564, 317)),
        (QRect(0, 0, 500, 300), QRect(6, 40, 488, 254)),
    ],
)
def test_the_stimulus_lies_in_the_lower_left_of_the_only_display(room, place):
    assert place_beside(room) == place
    assert room.contains(place)


def test_only_a_display_that_is_known_or_the_only_one_has_a_place(qtbot, monkeypatch):
    (only,) = QApplication.screens()
    beside = place_beside(only.availableGeometry())
    assert windowed_place(None, beside=True) == windowed_place(only, beside=True) == beside
    assert windowed_place(None, beside=False) is None
    assert is_shared(None)
    assert is_shared(only)
    monkeypatch.setattr(QApplication, "screens", staticmethod(lambda: [only, only]))
    assert windowed_place(None, beside=True) is None
    assert windowed_place(only, beside=True).center() == only.availableGeometry().center()


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
