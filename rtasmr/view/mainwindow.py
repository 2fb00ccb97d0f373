"""The Tinglegram window: takes snapshots as the runtime sends them, feeds the state, draws it."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.errors import DataError
from rtasmr.link import LinkError, RuntimeGoneError, SnapshotClient
from rtasmr.snapshot import Command
from rtasmr.view.help import HelpOverlay
from rtasmr.view.lights import Level
from rtasmr.view.look import desktop_theme, palette_of
from rtasmr.view.panel import ElidedLabel, StatusPanel
from rtasmr.view.plots import ProbabilityPlot, TrendPlot
from rtasmr.view.programme_bar import ProgrammeBar
from rtasmr.view.state import DEFAULT_SPAN, SPANS_S, Banner, ViewState
from rtasmr.view.theme import BANNER_COLOURS, DARK, LIGHT, Theme
from rtasmr.view.wave import PulseView

logger = logging.getLogger(__name__)

POLL_HZ = 25 if sys.platform == "win32" else 10
"""How often to look by the clock. Elsewhere than on Windows an answer is also noticed when it comes."""
LEAST_FRAME_S = 0.025
"""An accelerated replay has news more often than an eye can follow."""
LEAST_WORDS_S = 0.09
"""Ages are told ten times a second where nothing else is new."""
RETRY_S = 1.0
PORTION_S = 0.1
"""How long to wait for the next portion of the history."""
MAX_PORTIONS = 12
"""Ten minutes of history come in ten portions; the rest can wait for the next poll."""
END_TRIES = 3
"""A busy runtime may not answer at once, and a window that closed can not ask again."""
HINT_S = 6.0
NOT_RATED = "a rating pressed here does not count: click the stimulus, then press 1 to 4"
MAX_BANNERS = 4
"""More would push the picture out of a low window; the help page has all."""


class MainWindow(QtWidgets.QMainWindow):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """The window of one runtime.

    Parameters
    ----------
    client : SnapshotClient
    clock : callable
        The steady clock that ages are told by, in seconds.
    theme : Theme or None
        None follows the desktop.
    ends_run : bool
        Whether the runtime ends when the user closes the window.

    Attributes
    ----------
    told : bool
        False if it was closed and could not tell the runtime to end.
    """

    ended = QtCore.Signal()
    """The runtime has said its last word, or is gone for good."""
    theme_chosen = QtCore.Signal(str)
    """The user wants these colours, by name, whatever the desktop has."""

    def __init__(
        self,
        client: SnapshotClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        theme: Theme | None = None,
        ends_run: bool = False,
    ) -> None:
        super().__init__()
        self._client = client
        self._clock = clock
        self._ends_run = ends_run
        self.told = True
        self._notifier: Any = None
        self._retry_at = self._drawn_at = self._words_at = self._hint_until = -math.inf
        self._drawn_revision: object = None
        self._told_end = False
        self._undrawn: tuple[float, float] | None = None  # age of the newest record, and when it came
        self.state = ViewState()
        self._follows_desktop = theme is None
        self.theme = theme or desktop_theme()
        self.span = DEFAULT_SPAN
        self._build()
        self._bind_keys()
        QtWidgets.QApplication.instance().paletteChanged.connect(self._follow_desktop)
        self.redraw()
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.tick)
        self.setMinimumSize(800, 500)
        self.resize(1200, 800)

    def start(self) -> None:
        """Begin to take snapshots."""
        self._timer.start(1000 // POLL_HZ)

    def _build(self) -> None:
        """Make every widget, in the colours of the theme."""
        theme = self.theme
        self.setPalette(palette_of(theme))
        self.banner = _plain_label()
        self.banner.setWordWrap(True)
        self.headline, self.estimate = ElidedLabel(keep_end=False), ElidedLabel(keep_end=False)
        self.probability = _big_label()
        # Wide enough for the longest word, so that the words beside it stand still.
        self.probability.setFixedWidth(self.probability.fontMetrics().horizontalAdvance("bad input "))
        self.probability.setAccessibleName("Tingle probability")
        self.programme = ProgrammeBar()
        self.programme.asked.connect(self._ask_runtime)

        words = QtWidgets.QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self.headline)
        words.addWidget(self.estimate)
        header = QtWidgets.QHBoxLayout()
        header.setSpacing(6)
        header.addWidget(self.probability)
        header.addLayout(words, stretch=1)
        for control in self._make_controls():
            header.addWidget(control)

        over_session = _canvas(theme)
        self.probability_plot = ProbabilityPlot(over_session, 0, theme)
        self.trend_plot = TrendPlot(over_session, 1, theme)
        self.pulse_view = PulseView(theme)
        for row, share in enumerate((5, 2)):
            over_session.ci.layout.setRowStretchFactor(row, share)

        left = QtWidgets.QVBoxLayout()
        left.addLayout(header)
        left.addWidget(self.programme)
        left.addWidget(over_session, stretch=7)
        left.addWidget(self.pulse_view, stretch=2)
        self.panel = StatusPanel(theme)
        columns = QtWidgets.QHBoxLayout()
        columns.setContentsMargins(12, 8, 12, 8)
        columns.setSpacing(16)
        columns.addLayout(left, stretch=1)
        columns.addWidget(self.panel)
        rows = QtWidgets.QVBoxLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.banner)
        rows.addLayout(columns, stretch=1)
        body = QtWidgets.QWidget()
        body.setLayout(rows)
        self.setCentralWidget(body)  # deletes the last one
        self.help = HelpOverlay(body)

    def _make_controls(self) -> tuple[Any, ...]:
        """Return the controls of the header in the order of the Tab key."""
        self.span_box = QtWidgets.QComboBox()
        self.span_box.addItems(list(SPANS_S))
        self.span_box.setCurrentText(self.span)
        self.span_box.setAccessibleName("Length of the time axis")
        self.span_box.currentTextChanged.connect(self._take_span)
        span_label = QtWidgets.QLabel("&Last")
        span_label.setBuddy(self.span_box)
        self.theme_button = _button("Light" if self.theme is DARK else "Dark")
        self.theme_button.setAccessibleName("Light or dark colours")
        self.theme_button.clicked.connect(self.toggle_theme)
        self.help_button = _button("Help")
        self.help_button.clicked.connect(self.toggle_help)
        return span_label, self.span_box, self.theme_button, self.help_button

    def _bind_keys(self) -> None:
        for keys, slot in (
            (("+", "="), lambda: self._zoom(-1)),
            (("-",), lambda: self._zoom(1)),
            (("A",), lambda: self.span_box.setCurrentText("all")),
            (("T",), self.toggle_theme),
            (("?", "F1"), self.toggle_help),
            (("F11",), self._toggle_full_screen),
            (("Esc",), self._escape),
            (("Ctrl+W", "Ctrl+Q"), self.close),
            (("P",), lambda: self.programme.pause.click()),
            (("N",), lambda: self.programme.skip.click()),
            (("1", "2", "3", "4"), self._refuse_rating),
        ):
            for key in keys:
                QtWidgets.QShortcut(QtGui.QKeySequence(key), self, slot)

    def _take_span(self, span: str) -> None:
        self.span = span
        self.redraw()

    def _zoom(self, step: int) -> None:
        index = self.span_box.currentIndex() + step
        self.span_box.setCurrentIndex(min(max(index, 0), self.span_box.count() - 1))

    def toggle_theme(self) -> None:
        """Change between light and dark; from now on the desktop's choice does not count."""
        self._follows_desktop = False
        self._show_theme(LIGHT if self.theme is DARK else DARK)
        self.theme_chosen.emit(self.theme.name)

    def _follow_desktop(self) -> None:
        if self._follows_desktop:
            self._show_theme(desktop_theme())

    def _show_theme(self, theme: Theme) -> None:
        if theme is self.theme:
            return
        self.theme = theme
        focused = self.focusWidget()
        controls = ("span_box", "theme_button", "help_button")
        name = next((name for name in controls if focused is getattr(self, name)), None)
        self._build()
        if name is not None:
            getattr(self, name).setFocus()
        self.redraw()

    def toggle_help(self) -> None:
        """Show or hide the page of keys and notices."""
        if self.help.isVisible():
            self.help.hide()
        else:
            self.help.open_with([banner.text for banner in self.state.banners(self._clock())])

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ QtCore.Qt.WindowState.WindowFullScreen)

    def _escape(self) -> None:
        if self.help.isVisible():
            self.help.hide()
        elif self.isFullScreen():
            self.showNormal()

    def _ask_runtime(self, command: Command, step: int = 0) -> bool:
        """Pass a command on, and the number of the item it is about; False if the runtime was not told."""
        try:
            self._client.command(command, step)
        except LinkError as error:
            logger.warning("%s", error)
            self.programme.show_unheard()
            return False
        return True

    def tick(self) -> None:
        """Take what the runtime has sent and draw what changed."""
        linked, gone = self.state.linked, self.state.gone
        self._poll()
        now = self._clock()
        revision = (self.state.snapshot.session, self.state.snapshot.revision)
        is_new = revision != self._drawn_revision
        if is_new or self.state.linked != linked or now - self._words_at >= LEAST_WORDS_S:
            self._draw_words(now)
        if self.state.gone and not gone:
            self._draw_plots(now)  # nothing is pending any more
        if is_new:
            self._draw_plots(now)
            self._drawn_revision, self._drawn_at = revision, now
            # Runs when the events that this tick posted, the painting among them, are done.
            QtCore.QTimer.singleShot(0, self._note_drawn)
        if self._is_end() and not self._told_end:
            self._told_end = True
            self.ended.emit()

    def _note_drawn(self) -> None:
        """Tell the runtime how long the newest record took to the screen, and ask for the next."""
        now = self._clock()
        if self._undrawn is not None:
            ago_s, came = self._undrawn
            self._client.note_drawn(ago_s + now - came)
            self._undrawn = None
        rest_s = LEAST_FRAME_S - (now - self._drawn_at)
        QtCore.QTimer.singleShot(max(0, math.ceil(1000 * rest_s)), self._ask)

    def _ask(self) -> None:
        """Leave the next request with the runtime; the clock's tick tries again where it cannot."""
        if self._timer.isActive() and self._client.connected:
            with suppress(LinkError):
                self._client.ask()

    def redraw(self) -> None:
        """Draw everything, changed or not."""
        now = self._clock()
        self._draw_words(now)
        self._draw_plots(now)

    def _poll(self) -> None:
        now = self._clock()
        if not self._client.connected and now < self._retry_at:
            return
        wait_s = 0.0
        try:
            for _ in range(MAX_PORTIONS):
                snapshot = self._client.poll(wait_s)
                if snapshot is None:
                    break
                came = self._clock()
                self.state.feed(snapshot, came)
                if snapshot.n_behind == 0:
                    if len(snapshot.records) == 1 and math.isfinite(snapshot.published_ago_s):
                        self._undrawn = (snapshot.published_ago_s, came)
                    break
                wait_s = PORTION_S
        except (LinkError, DataError) as error:
            self.state.lose_link(str(error), is_gone=isinstance(error, RuntimeGoneError))
            self._retry_at = now + RETRY_S
        self._watch()

    def _watch(self) -> None:
        """Have the event loop notice an answer as soon as it comes."""
        if sys.platform == "win32":  # a pipe cannot be watched; there the clock does it
            return
        if not self._client.connected:
            self._unwatch()
        elif self._notifier is None:
            kind = QtCore.QSocketNotifier.Type.Read
            self._notifier = QtCore.QSocketNotifier(self._client.fileno, kind, self)
            self._notifier.activated.connect(self.tick)

    def _unwatch(self) -> None:
        if self._notifier is not None:
            self._notifier.setEnabled(False)
            self._notifier.deleteLater()
            self._notifier = None

    def _is_end(self) -> bool:
        return self.state.over or (not self.state.linked and not self._client.link_file.exists())

    def _draw_words(self, now: float) -> None:
        self._words_at = now
        state = self.state
        self.headline.show_text(state.headline)
        self.estimate.show_text(state.estimate_text(now))
        _set_text(self.probability, state.probability_text)
        _set_style(self.probability, f"color: {self.theme.curve if state.tingles else self.theme.text};")
        if self.windowTitle() != state.title:
            self.setWindowTitle(state.title)
        self._draw_banner(now)
        self.programme.show_state(state)
        self.panel.show_state(state)

    def _draw_banner(self, now: float) -> None:
        banners = self.state.banners(now)
        if now < self._hint_until:
            banners = (Banner(Level.CARE, NOT_RATED), *banners)
        self.banner.setVisible(bool(banners))
        if not banners:
            return
        lines = [banner.text for banner in banners]
        if len(lines) > MAX_BANNERS:
            lines[MAX_BANNERS - 1 :] = [f"and {len(lines) - MAX_BANNERS + 1} more: press ? to read them"]
        _set_text(self.banner, "\n".join(lines))
        level = Level.BAD if any(banner.level is Level.BAD for banner in banners) else Level.CARE
        ground, text = BANNER_COLOURS[level]
        _set_style(self.banner, f"background: {ground}; color: {text}; padding: 6px 12px; font-weight: bold;")

    def _refuse_rating(self) -> None:
        """Say where ratings go: whoever clicked a button here has taken the keyboard from the stimulus."""
        self._hint_until = self._clock() + HINT_S
        self._draw_banner(self._clock())

    def _draw_plots(self, now: float) -> None:
        span_s = SPANS_S[self.span]
        self.probability_plot.draw(self.state, now, span_s)
        self.trend_plot.draw(self.state, now, span_s)
        self.pulse_view.draw(self.state, now)

    def resizeEvent(self, event: Any) -> None:
        """Keep the help page in the middle, and the curves as fine as the screen."""
        super().resizeEvent(event)
        self.help.place()

    def leave(self) -> None:
        """Close without ending the run."""
        self._ends_run = False
        self.close()

    def closeEvent(self, event: Any) -> None:
        """Detach; the runtime goes on, unless it is to end with the window."""
        self._timer.stop()
        self._unwatch()
        if self._ends_run and not self._is_end() and not self.state.gone:
            self.told = any(self._ask_runtime(Command.END) for _ in range(END_TRIES))
        self._client.close()
        super().closeEvent(event)


def _canvas(theme: Theme) -> Any:
    """Return an empty layout of plots."""
    canvas = pg.GraphicsLayoutWidget()
    canvas.setBackground(theme.background)
    canvas.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # nothing in it takes a key
    canvas.ci.setSpacing(2)
    canvas.ci.setContentsMargins(0, 4, 0, 0)
    return canvas


def _plain_label() -> Any:
    label = QtWidgets.QLabel()
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    return label


def _button(text: str) -> Any:
    """Return a button no wider than its text needs; the width of the header is short."""
    button = QtWidgets.QPushButton(text)
    button.setFixedWidth(button.fontMetrics().horizontalAdvance(text) + 20)
    return button


def _big_label() -> Any:
    label = _plain_label()
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
