"""A helper process of the page: it may take its time, hang or die, and the page stays usable."""

from __future__ import annotations

import json
import sys
from typing import Any

from pyqtgraph.Qt import QtCore

END_MS = 300
"""How long a helper may take to end when it is no longer wanted."""


class Child(QtCore.QObject):  # type: ignore[misc]  # pyqtgraph's Qt carries no types
    """One of our modules in a process of its own.

    Parameters
    ----------
    words : str
        Module and arguments. A helper that takes ``--tied`` ends when the page is gone, however that ends.
    parent : QObject
    """

    told = QtCore.Signal(dict)
    """One line of JSON that it printed."""
    ended = QtCore.Signal(int, str)
    """Exit code and last word."""

    def __init__(self, *words: str, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._process = QtCore.QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._finish)
        self._process.errorOccurred.connect(self._fail)
        self._process.start(sys.executable, ["-P", "-m", *words])

    def stop(self) -> None:
        """End the process; what it says from now on is not heard."""
        self.blockSignals(True)
        if self._process.state() != QtCore.QProcess.ProcessState.NotRunning:
            self._process.terminate()
            if not self._process.waitForFinished(END_MS):
                self._process.kill()
                self._process.waitForFinished(END_MS)
        self.deleteLater()

    def _read(self) -> None:
        while self._process.canReadLine():
            line = bytes(self._process.readLine()).decode(errors="replace")
            try:
                content: Any = json.loads(line)
            except ValueError:
                continue  # a line for people, as a library may print one
            if isinstance(content, dict):
                self.told.emit(content)

    def _finish(self, code: int, _status: Any) -> None:
        self._read()
        lines = bytes(self._process.readAllStandardError()).decode(errors="replace").splitlines()
        said = [line for line in lines if line.strip()]
        self.ended.emit(code, said[-1].removeprefix("error: ") if said else "")

    def _fail(self, error: Any) -> None:
        if error == QtCore.QProcess.ProcessError.FailedToStart:
            self.ended.emit(-1, self._process.errorString())
