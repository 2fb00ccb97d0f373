"""What a window paints again when a tick is new, and that it looks as if all of it had been."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from drawn_session import SessionClock, show

from rtasmr.link import SnapshotClient, SnapshotServer, SnapshotStore

pytestmark = pytest.mark.gui

N_TICKS = 320
"""Up to shortly behind a stretch of 4 s without a probability."""


@pytest.fixture
def store() -> SnapshotStore:
    filled = SnapshotStore()
    for k in range(N_TICKS):
        show(filled, k)
    return filled


@pytest.fixture
def clock() -> SessionClock:
    return SessionClock()


@pytest.fixture
def window(qtbot, store, clock) -> Iterator:
    from rtasmr.view.mainwindow import MainWindow

    with SnapshotServer(store) as server:
        opened = MainWindow(SnapshotClient(server.link_file), clock=clock)
        qtbot.addWidget(opened)
        opened.resize(1024, 640)
        with qtbot.waitExposed(opened):
            opened.show()
        take(qtbot, opened, store)
        yield opened


def take(qtbot, window, store) -> None:
    """Let the window take and paint the newest state."""
    from pyqtgraph.Qt import QtWidgets

    def taken() -> bool:
        window.tick()
        return window.state.snapshot.revision == store.revision

    qtbot.waitUntil(taken, timeout=10_000)
    QtWidgets.QApplication.processEvents()


def add_tick(qtbot, window, store, clock, k: int, **options: bool) -> None:
    """Add the ``k``-th tick of the session and let it be painted."""
    clock.now_s += 0.1
    show(store, k, **options)
    take(qtbot, window, store)


def test_a_tick_paints_a_strip_and_a_new_axis_all(qtbot, window, store, clock):
    from pyqtgraph.Qt import QtCore

    painted: list[int] = []

    class Watch(QtCore.QObject):
        def eventFilter(self, _watched, event) -> bool:
            if event.type() == QtCore.QEvent.Type.Paint:
                painted.append(event.region().boundingRect().width())
            return False

    canvas = window.probability_plot.item.getViewWidget().viewport()
    watch = Watch()
    canvas.installEventFilter(watch)
    box_px = window.probability_plot.item.vb.width()
    window.span_box.setCurrentText("30 s")  # moves on once a second
    window.trend_plot.item.hide()  # it paints itself once a second, too
    add_tick(qtbot, window, store, clock, N_TICKS, band=False)
    strips, wholes = [], []
    for k in range(N_TICKS + 1, N_TICKS + 31):
        axis = window.probability_plot.item.viewRange()[0]
        painted.clear()
        add_tick(qtbot, window, store, clock, k, band=False)
        has_moved = window.probability_plot.item.viewRange()[0] != axis
        (wholes if has_moved else strips).extend(painted)
    assert (len(strips), len(wholes)) == (27, 3)
    # What is pending, a bit more than a second, and the tick; the axes are 30 s long.
    assert max(strips) < box_px / 12
    assert min(wholes) >= box_px


def test_painted_in_strips_it_looks_as_painted_at_once(qtbot, window, store, clock):
    from pyqtgraph.Qt import QtGui

    if QtGui.QGuiApplication.platformName() == "offscreen":
        pytest.skip("needs a screen that can be read back")
    for k in range(N_TICKS, N_TICKS + 60):
        add_tick(qtbot, window, store, clock, k)
    canvas = window.probability_plot.item.getViewWidget()
    on_screen = pixels(window.screen().grabWindow(int(canvas.winId())))
    at_once = pixels(canvas.grab())
    assert on_screen.shape == at_once.shape
    # A smoothed line meets itself at a seam: a few pixels of it are a shade apart.
    apart = np.abs(on_screen - at_once).max(axis=2)
    assert np.mean(apart > 8) < 5e-4
    assert len(np.unique(at_once.reshape(-1, 3), axis=0)) > 100  # and there is something to see


def test_the_end_of_a_clip_is_painted_again_as_dots(qtbot, window, store, clock, monkeypatch):
    """Only the first tick of the next one, at 60 s, tells that the clip is over; the axis stands."""
    for k in range(N_TICKS, 595):
        clock.now_s += 0.1
        show(store, k)
    take(qtbot, window, store)
    begins: list[float] = []
    curve = window.probability_plot.curve
    update = curve.update
    monkeypatch.setattr(curve, "update", lambda strip: (begins.append(strip.left()), update(strip)))
    for k in range(595, 600):
        add_tick(qtbot, window, store, clock, k)
    assert min(begins) > 58.6
    for k in range(600, 603):
        add_tick(qtbot, window, store, clock, k)
    assert min(begins) < 58.6  # the joint at 58.9 s, and what a thick line reaches beyond it
    dots = window.probability_plot.short
    assert dots.times[np.isfinite(dots.values)][-1] == pytest.approx(59.9)


def pixels(pixmap) -> np.ndarray:
    """Return red, green and blue, int16 of shape (height, width, 3)."""
    from pyqtgraph.Qt import QtGui

    image = pixmap.toImage().convertToFormat(QtGui.QImage.Format.Format_RGBX8888)
    content = image.constBits().asstring(image.sizeInBytes())
    lines = np.frombuffer(content, np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)[..., :3].astype(np.int16)


def test_the_wave_breaks_where_it_is_unknown(qtbot, window, store, clock):
    """Five seconds of a flat wave, two of nothing, three of it: no line in between."""
    view = window.pulse_view
    take(qtbot, window, store)
    view.ago_s = np.linspace(-10, 0, 501)
    view.values = np.where((view.ago_s > -5) & (view.ago_s < -3), np.nan, view._middle)
    view.beats_s = np.empty(0)
    view.reading = view.hint = ""
    shown = pixels(view.grab()).astype(int)
    green = (shown[..., 1] - shown[..., 0] > 30).any(axis=0)
    columns = np.flatnonzero(green) / (len(green) - 1)
    left, right = view._box().left() / view.width(), view._box().right() / view.width()
    seconds = -10 + 10 * (columns - left) / (right - left)
    assert seconds.min() < -9.9
    assert seconds.max() > -0.1
    assert not np.any((seconds > -4.95) & (seconds < -3.05))
    assert np.count_nonzero((seconds > -8) & (seconds < -6)) > 0.9 * 2 / 10 * (right - left) * len(green)


def test_the_wave_keeps_its_axis_until_it_leaves_it(window):
    view = window.pulse_view
    view._fit(np.array([-1.0, 1.0]))
    axis = (view._middle, view._half)
    for same in ([-0.9, 0.9], [-1.05, 1.05]):
        view._fit(np.array(same))
        assert (view._middle, view._half) == axis
    view._fit(np.array([-2.0, 1.0]))  # leaves it
    assert (view._middle, view._half) == pytest.approx((-0.5, 1.65))
    view._fit(np.array([-1.0, 0.0]))  # has become small on it
    assert (view._middle, view._half) == pytest.approx((-0.5, 0.55))
