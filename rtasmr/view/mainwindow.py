"""The Tinglegram window: polls the link 25 times a second, feeds the state, draws it."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.errors import DataError, RtasmrError
from rtasmr.link import LinkError, SnapshotClient
from rtasmr.view.panel import ElidedLabel, StatusPanel
from rtasmr.view.plots import DARK, LIGHT, ProbabilityPlot, PulsePlot, Theme
from rtasmr.view.state import Level, ViewState

logger = logging.getLogger(__name__)

POLL_HZ = 25
RETRY_S = 1.0
MAX_PORTIONS = 12
"""Ten minutes of history come in ten portions; the rest can wait for the next poll."""
WINDOWS_S = {"30 s": 30.0, "1 min": 60.0, "2 min": 120.0, "5 min": 300.0, "10 min": 600.0}
DEFAULT_WINDOW = "1 min"


class MainWindow(QtWidgets.QMainWindow):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """The window of one runtime.

    Parameters
    ----------
    client : SnapshotClient
    clock : callable
        The steady clock that ages are told by, in seconds.
    theme : Theme or None
        None takes the one that fits the desktop's palette.
    """

    ended = QtCore.Signal()
    """The runtime has said its last word, or is gone for good."""

    def __init__(
        self,
        client: SnapshotClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        theme: Theme | None = None,
    ) -> None:
        super().__init__()
        self._client = client
        self._clock = clock
        self._retry_at = -float("inf")
        self._drawn_revision: object = None
        self._told_end = False
        self._undrawn: tuple[float, float] | None = None  # age of the newest record, and when it came
        self.state = ViewState()
        self._theme = theme or _theme_of(self.palette())
        self._build()
        self.redraw()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.tick)

    def start(self) -> None:
        """Begin to poll."""
        self._timer.start(1000 // POLL_HZ)

    def _build(self) -> None:
        theme = self._theme
        self.setStyleSheet(
            f"QMainWindow, QWidget#body {{ background: {theme.background}; }}"
            f"QLabel {{ color: {theme.text}; }}"
        )
        self.banner = QtWidgets.QLabel()
        self.banner.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.banner.setWordWrap(True)
        self.headline, self.estimate = ElidedLabel(keep_end=False), ElidedLabel(keep_end=False)
        self.probability = _big_label()
        # Wide enough for the longest word, so that the words beside it stand still.
        self.probability.setFixedWidth(self.probability.fontMetrics().horizontalAdvance("bad input "))
        self.probability.setAccessibleName("Tingle probability")
        self.span_box = QtWidgets.QComboBox()
        self.span_box.addItems(list(WINDOWS_S))
        self.span_box.setCurrentText(DEFAULT_WINDOW)
        self.span_box.setAccessibleName("Length of the time axis")
        self.span_box.currentTextChanged.connect(self.redraw)
        span_label = QtWidgets.QLabel("&Last")
        span_label.setBuddy(self.span_box)

        words = QtWidgets.QVBoxLayout()
        words.addWidget(self.headline)
        words.addWidget(self.estimate)
        header = QtWidgets.QHBoxLayout()
        header.addWidget(self.probability)
        header.addSpacing(12)
        header.addLayout(words, stretch=1)
        header.addSpacing(8)
        header.addWidget(span_label)
        header.addWidget(self.span_box)

        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setBackground(theme.background)
        self.probability_plot = ProbabilityPlot(self.canvas, theme)
        self.pulse_plot = PulsePlot(self.canvas, theme)
        self.canvas.ci.layout.setRowStretchFactor(0, 3)
        self.canvas.ci.layout.setRowStretchFactor(1, 1)

        left = QtWidgets.QVBoxLayout()
        left.addLayout(header)
        left.addWidget(self.canvas, stretch=1)
        self.panel = StatusPanel(theme)
        columns = QtWidgets.QHBoxLayout()
        columns.setContentsMargins(12, 8, 12, 8)
        columns.addLayout(left, stretch=1)
        columns.addWidget(self.panel)
        rows = QtWidgets.QVBoxLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.banner)
        rows.addLayout(columns, stretch=1)
        body = QtWidgets.QWidget(objectName="body")
        body.setLayout(rows)
        self.setCentralWidget(body)
        self.setMinimumSize(900, 560)
        self.resize(1200, 760)

    def tick(self) -> None:
        """Ask the runtime for news and draw what changed."""
        self._poll()
        now = self._clock()
        self._draw_words(now)
        revision = (self.state.snapshot.session, self.state.snapshot.revision)
        if revision != self._drawn_revision:
            self._draw_plots(now)
            self._drawn_revision = revision
            # Runs when the events that this tick posted, the painting among them, are done.
            QtCore.QTimer.singleShot(0, self._note_drawn)
        if self._is_end() and not self._told_end:
            self._told_end = True
            self.ended.emit()

    def _note_drawn(self) -> None:
        """Tell the runtime how long the newest record took to the screen."""
        if self._undrawn is not None:
            ago_s, came = self._undrawn
            self._client.note_drawn(ago_s + self._clock() - came)
            self._undrawn = None

    def redraw(self) -> None:
        """Draw everything, changed or not."""
        now = self._clock()
        self._draw_words(now)
        self._draw_plots(now)

    def _poll(self) -> None:
        now = self._clock()
        if not self._client.connected and now < self._retry_at:
            return
        try:
            for _ in range(MAX_PORTIONS):
                snapshot = self._client.poll()
                if snapshot is None:
                    return
                came = self._clock()
                self.state.feed(snapshot, came)
                if snapshot.n_behind == 0:
                    if len(snapshot.records) == 1 and math.isfinite(snapshot.published_ago_s):
                        self._undrawn = (snapshot.published_ago_s, came)
                    return
        except (LinkError, DataError) as error:
            self.state.lose_link(str(error))
            self._retry_at = now + RETRY_S

    def _is_end(self) -> bool:
        return self.state.over or (not self.state.linked and not self._client.link_file.exists())

    def _draw_words(self, now: float) -> None:
        state = self.state
        self.headline.show_text(state.headline)
        self.estimate.show_text(state.estimate_text(now))
        _set_text(self.probability, state.probability_text)
        _set_style(self.probability, f"color: {self._theme.curve if state.tingles else self._theme.text};")
        if self.windowTitle() != state.title:
            self.setWindowTitle(state.title)
        banners = state.banners(now)
        self.banner.setVisible(bool(banners))
        if banners:
            _set_text(self.banner, "\n".join(banner.text for banner in banners))
            bad = any(banner.level is Level.BAD for banner in banners)
            ground, text = ("#b3261e", "#ffffff") if bad else ("#f0b429", "#1b1f24")
            _set_style(
                self.banner, f"background: {ground}; color: {text}; padding: 6px 12px; font-weight: bold;"
            )
        self.panel.show_state(state)

    def _draw_plots(self, now: float) -> None:
        self.probability_plot.draw(self.state, now, WINDOWS_S[self.span_box.currentText()])
        self.pulse_plot.draw(self.state, now)

    def closeEvent(self, event: Any) -> None:
        """Leave the runtime as it is."""
        self._timer.stop()
        self._client.close()
        super().closeEvent(event)


def _big_label() -> Any:
    label = QtWidgets.QLabel()
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    font = label.font()
    font.setPointSize(font.pointSize() + 10)
    font.setBold(True)
    label.setFont(font)
    return label


def _set_text(label: Any, text: str) -> None:
    if label.text() != text:
        label.setText(text)


def _set_style(widget: Any, style: str) -> None:
    if widget.styleSheet() != style:
        widget.setStyleSheet(style)


def _theme_of(palette: Any) -> Theme:
    return DARK if palette.color(QtGui.QPalette.ColorRole.Window).lightness() < 128 else LIGHT


def run_window(
    link_file: Path,
    *,
    screenshot: Path | None = None,
    after_s: float = 5.0,
    close_when_ended: bool = False,
    size: tuple[int, int] | None = None,
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
    size : tuple of int or None
        Width and height in pixels.

    Raises
    ------
    RtasmrError
        If there is no display, or the picture could not be saved.
    """
    if sys.platform.startswith("linux") and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise RtasmrError(
            "expected a display, got none: set DISPLAY, or run the runtime with --headless and no window"
        )
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["rtasmr"])
    window = MainWindow(SnapshotClient(link_file))
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
        window.close()

    previous = {number: signal.signal(number, give_way) for number in _SIGNALS}
    window.show()
    window.start()
    app.exec_()
    for number, handler in previous.items():
        signal.signal(number, handler)
    if failed:
        raise RtasmrError(f"expected to save a picture, could not write {failed[0]}: give another path")
    # Only a window that its user closed ends the run: see `rtasmr.live`.
    return 128 + ended_by[0] if ended_by else 0


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
