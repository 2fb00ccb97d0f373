"""From the start page to a recording and its page: real streams, windows and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rtasmr.session import read_xdf
from rtasmr.start.choice import Shown
from rtasmr.start.found import Kind
from rtasmr.start.remembered import first_choice, load_choice
from rtasmr.start.state import StartState
from rtasmr.view.lights import Level

pytestmark = [pytest.mark.lsl, pytest.mark.gui]

PATIENCE_MS = 60_000


@pytest.fixture
def sensor() -> Iterator[None]:
    words = [*("source", "simulated", "--sfreq", "100"), *("--name", "wrist", "--source-id", "start-wrist")]
    command = [sys.executable, "-P", "-m", "rtasmr", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        yield
        process.terminate()


def test_a_sensor_is_found_checked_recorded_and_reported(qtbot, tiny_home, sensor, tmp_path, monkeypatch):
    from rtasmr.start.page import StartPage

    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        pytest.skip("the Tinglegram of the run needs a display")
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    choice = replace(first_choice(), folder=str(tmp_path / "kept"))
    page = StartPage(StartState(choice, is_first=True), tmp_path / "settings.json")
    opened: list[Path] = []
    page.open_page = lambda url: bool(opened.append(Path(url.toLocalFile())) or True)
    page.ask_about_run = lambda: True
    qtbot.addWidget(page)
    page.show()
    page.look(Kind.STREAMS, Kind.MODELS)

    qtbot.waitUntil(lambda: page.state.choice.ppg != "", timeout=PATIENCE_MS)
    assert page.state.choice.ppg == "type=PPG,source_id=start-wrist"
    assert page.sensor.box.currentText() == "Stream wrist, 100 Hz"

    page.sensor.check_button.click()
    qtbot.waitUntil(lambda: page.state.check.findings != (), timeout=PATIENCE_MS)
    assert page.state.verdict.level is Level.GOOD
    assert "66 per minute" in page.state.verdict.text
    times, values = page.state.pulse
    assert len(times) == len(values) > 900

    page.stimulus.elsewhere.click()
    page.recording.code.setText("021")
    page.recording.code.textEdited.emit("021")
    qtbot.waitUntil(page.runs.start_button.isEnabled, timeout=PATIENCE_MS)
    page.runs.start_button.click()
    assert load_choice(tmp_path / "settings.json") == replace(
        page.state.choice, participant="", shown=Shown.ELSEWHERE
    )
    qtbot.waitUntil(lambda: page.state.progress.status.get("tick", 0) > 20, timeout=PATIENCE_MS)
    page.runs.stop_button.click()
    qtbot.waitUntil(lambda: page.state.progress.code is not None, timeout=PATIENCE_MS)
    assert page.state.progress.code == 0
    assert page.state.recordings == (tmp_path / "kept" / "021_001.xdf",)
    recording = read_xdf(page.state.recordings[0])
    assert recording.complete
    assert recording.header["participant"] == "021"
    assert len(recording.stream("wrist").times) > 100
    assert page.state.choice.recording == tmp_path / "kept" / "021_002.xdf"

    qtbot.waitUntil(page.runs.report_button.isEnabled, timeout=PATIENCE_MS)
    page.runs.report_button.click()
    assert "Making the page" in page.runs.page_verdict.text.text()
    qtbot.waitUntil(lambda: bool(opened), timeout=PATIENCE_MS)
    assert opened == [tmp_path / "kept" / "021_001_report" / "session.html"]
    assert "wrist" in opened[0].read_text(encoding="utf-8")
    assert page.runs.page_verdict.text.text() == f"The page is written: {opened[0]}"
