"""What the start page tells of the page of a recording, while it is made and after."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rtasmr.start.run import Progress
from rtasmr.start.state import PageMaking
from rtasmr.view.lights import Level
from rtasmr.view.wording import clock_text

pytestmark = pytest.mark.gui


@pytest.fixture
def page(open_start_page, ready_state, tmp_path):
    """A page after a run that recorded; no browser can be had."""
    recording = tmp_path / "a folder of some length" / "021_001.xdf"
    recording.parent.mkdir()
    recording.write_bytes(b"no recording")
    ready_state.progress = Progress(code=0, account={"ticks": 3, "files": [str(recording)]})
    made = open_start_page(ready_state)
    made.open_page = lambda _url: False
    return made


def told(page) -> str:
    assert page.runs.page_verdict.isVisible()
    return page.runs.page_verdict.text.text()


def test_the_path_is_told_whether_a_browser_comes_or_not(qtbot, page, tmp_path, monkeypatch):
    from rtasmr.start import page as module

    child, asked = module.Child, []

    def stand_in(*words: str, parent):
        asked.append(words)
        return child("platform", parent=parent)  # any program that ends well

    monkeypatch.setattr(module, "Child", stand_in)
    out = tmp_path / "a folder of some length" / "021_001_report"
    assert not page.runs.page_verdict.isVisible()

    page.runs.report_button.click()

    assert asked == [("rtasmr", "report", str(page.state.recordings[0]), "--out", str(out))]
    assert "Making the page" in told(page)
    assert not page.runs.report_button.isEnabled()
    qtbot.waitUntil(lambda: not page.state.is_making, timeout=60_000)
    assert told(page) == f"The page is written: {out / 'session.html'}"
    assert page.runs.page_verdict.fix.text() == "To do: open it, if no browser shows it"
    assert page.runs.report_button.isEnabled()
    assert not page.centralWidget().horizontalScrollBar().isVisible()


def test_a_page_that_cannot_be_made_says_why(qtbot, page):
    opened: list[object] = []
    page.open_page = opened.append

    page.runs.report_button.click()

    qtbot.waitUntil(lambda: not page.state.is_making, timeout=60_000)
    assert page.state.page_text.level is Level.BAD
    assert told(page).startswith("No page: ")
    assert "021_001.xdf" in told(page)
    assert opened == []


def test_the_seconds_pass_while_it_is_made(page):
    page.state.making = PageMaking(Path("/x/session.html"))
    page._reporter = type("Standing", (), {"stop": lambda _self: None})()
    page._asked_s = time.monotonic() - 75.0

    page._poll()

    seconds = page.state.making.seconds
    assert seconds >= 75.0
    assert f"{clock_text(seconds)} so far" in told(page)
