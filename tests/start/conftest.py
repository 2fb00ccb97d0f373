"""A start page without helpers, for the tests of its controls."""

from __future__ import annotations

import os
import shutil
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from rtasmr.start.choice import Choice
from rtasmr.start.found import MODEL, Kind, Listing, Offer
from rtasmr.start.state import StartState

if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def set_free_bytes(monkeypatch) -> Callable[[int], None]:
    """Say how much is free on the disk, which is plenty otherwise: ``set_free_bytes(10**8)``."""

    def say(n_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(10**13, 0, n_bytes))

    say(10**12)
    return say


@pytest.fixture
def ready_state(tmp_path: Path) -> StartState:
    """A state with which nothing is wrong: a video, a model, a folder."""
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"")
    state = StartState(Choice(file=str(video), folder=str(tmp_path / "kept")), is_first=False)
    newest = Offer(MODEL, "", "Newest: bilstm (demo)", ("DEMO MODEL: says nothing about people",))
    state.take(Listing(Kind.MODELS, (newest, Offer(MODEL, "other", "other"))))
    return state


@pytest.fixture
def open_start_page(qtbot, tmp_path: Path, monkeypatch) -> Callable[..., object]:
    """Open a page with a state: ``open_start_page(state)``."""
    from rtasmr.start.page import StartPage

    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))

    def make(state: StartState, **given: object) -> StartPage:
        page = StartPage(state, tmp_path / "settings.json", **given)
        page.ask_about_run = lambda: True
        qtbot.addWidget(page)
        page.resize(1024, 640)
        page.show()
        qtbot.waitExposed(page)
        return page

    return make
