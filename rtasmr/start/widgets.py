"""The small widgets that the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets

from rtasmr.start.found import Offer
from rtasmr.start.state import Verdict
from rtasmr.view.lights import Level
from rtasmr.view.panel import SYMBOLS
from rtasmr.view.theme import BANNER_COLOURS, Theme

CHECK_S = 10.0


def plain_label(*, bold: bool = False) -> Any:
    """Return a label that takes no foreign text for markup and breaks its lines."""
    label = QtWidgets.QLabel()
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    return label


def wide_button(*texts: str) -> Any:
    """Return a button with the first text, wide enough for each: what is beside it keeps its place."""
    button = QtWidgets.QPushButton()
    for text in texts[::-1]:
        button.setText(text)
        button.setMinimumWidth(max(button.minimumWidth(), button.sizeHint().width()))
    return button


class VerdictLabel(QtWidgets.QWidget):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """A symbol, a line, and below it what to do; told by shape and word as well as by colour."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._shown: Verdict | None = None
        self.symbol, self.text, self.fix = QtWidgets.QLabel(), plain_label(bold=True), plain_label()
        self.symbol.setFixedWidth(20)
        # Room for two lines: what stands below keeps its place when a verdict comes.
        self.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(1, 1)
        top = QtCore.Qt.AlignmentFlag.AlignTop
        grid.addWidget(self.symbol, 0, 0, top)
        grid.addWidget(self.text, 0, 1, top)
        grid.addWidget(self.fix, 1, 1, top)
        grid.setRowStretch(2, 1)

    def show_verdict(self, verdict: Verdict) -> None:
        """Show what a check, or a run, came to."""
        if verdict == self._shown:
            return
        self._shown = verdict
        self.symbol.setText("" if verdict.level is None else SYMBOLS[verdict.level])
        colour = self._theme.text if verdict.level is None else self._theme.of(verdict.level)
        for label in (self.symbol, self.text):
            label.setStyleSheet(f"color: {colour};")
        self.text.setText(verdict.text)
        self.fix.setText(f"To do: {verdict.fix}" if verdict.fix else "")
        self.fix.setVisible(bool(verdict.fix))
        self.setAccessibleName(" ".join(filter(None, (verdict.level, verdict.text, verdict.fix))))


class ProblemLabel(QtWidgets.QLabel):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """What is to be mended in the group above; there only while something is."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setStyleSheet(f"color: {theme.of(Level.CARE)}; font-weight: bold;")

    def show_problem(self, text: str) -> None:
        """Show ``text``, if there is any."""
        self.setText(text)
        self.setVisible(bool(text))


class NoticeLabel(QtWidgets.QLabel):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """What nobody may overlook, such as that a model is a demo."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        ground, text = BANNER_COLOURS[Level.CARE]
        self.setStyleSheet(f"background: {ground}; color: {text}; padding: 4px 8px; font-weight: bold;")

    def show_notices(self, notices: Sequence[str]) -> None:
        """Show all of them."""
        self.setText("\n".join(notices))
        self.setVisible(bool(notices))


class OfferBox(QtWidgets.QComboBox):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """One of several offers; `chosen` carries what the option takes."""

    chosen = QtCore.Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._offers: tuple[Offer, ...] = ()
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(self.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.activated.connect(lambda row: self.chosen.emit(self._offers[row].text))

    def show_offers(self, offers: tuple[Offer, ...], chosen: str) -> None:
        """Offer these, ``chosen`` being in force; a list that is open just now stays as it is."""
        if self.view().isVisible():
            return
        if offers != self._offers:
            self._offers = offers
            self.clear()
            self.addItems([offer.label for offer in offers])
        row = next((i for i, offer in enumerate(offers) if offer.text == chosen), -1)
        if row != self.currentIndex():
            self.setCurrentIndex(row)
        self.setToolTip("" if row < 0 else offers[row].label)


def start_button(theme: Theme, text: str) -> Any:
    """Return the button that all the others lead to."""
    button = QtWidgets.QPushButton(text)
    button.setStyleSheet(
        "QPushButton { padding: 7px; border-radius: 4px; border: 2px solid transparent; font-weight: bold; }"
        f"QPushButton:enabled {{ background: {theme.curve}; color: {theme.background}; }}"
        f"QPushButton:enabled:focus {{ border-color: {theme.text}; }}"
        f"QPushButton:disabled {{ background: {theme.faint}; color: {theme.rating}; }}"
    )
    return button


class CommandText(QtWidgets.QPlainTextEdit):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """A command line that can be read and copied, of four lines, and of more where there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setPlaceholderText("It stands here once nothing is marked any more.")
        self.setAccessibleName("The same as a command line")
        self.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.setMaximumHeight(10 * self.fontMetrics().lineSpacing() + 12)

    def sizeHint(self) -> Any:
        """Return what it needs; of room that is left it takes some."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> Any:
        """Return the size of four lines."""
        return QtCore.QSize(200, 4 * self.fontMetrics().lineSpacing() + 12)


class PulseCurve(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph carries no types
    """The pulse as it comes in during a check, over its 10 s."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(background=theme.background)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.hideAxis("left")
        axis = self.getAxis("bottom")
        axis.setPen(theme.faint)
        axis.setTextPen(theme.text)
        axis.setLabel("seconds of the check")
        self.setXRange(0.0, CHECK_S, padding=0.02)
        self.setAccessibleName("Pulse wave of the check")
        self._curve = self.plot(pen=pg.mkPen(theme.pulse, width=1.6), connect="finite")
        self._hint = pg.TextItem("The check draws the pulse here", color=theme.text, anchor=(0.5, 0.5))
        self._hint.setPos(CHECK_S / 2, 0.5)  # the middle of axes without a curve
        self.addItem(self._hint, ignoreBounds=True)

    def sizeHint(self) -> Any:
        """Return what it needs; of room that is left it takes all."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> Any:
        """Return the least at which a wave can be judged."""
        return QtCore.QSize(200, 100)

    def show_pulse(self, times: Sequence[float], values: Sequence[float]) -> None:
        """Draw what was heard so far."""
        self._hint.setVisible(not times)
        self._curve.setData(list(times), list(values))
